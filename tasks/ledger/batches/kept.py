"""Whether a ledger can keep batches: asked before a run begins, so that nothing is paid for that could not be."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tasks.errors import ConfigError
from tasks.ledger.batches import records
from tasks.ledger.database import NO_RIGHT, code_of, open_database, shown_url, unusable
from tasks.storage.home import check_home, ledger_url, ledger_wait_s

TABLES = (records.BATCHES, records.LINES)
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
MAY_WRITE = "SELECT " + " AND ".join(
    f"has_table_privilege('{table}', '{right}')" for table in TABLES for right in RIGHTS
)
HOW_TO_KEEP = (
    f"have its owner run this once, which makes the tables, and then GRANT {', '.join(RIGHTS)} ON {', '.join(TABLES)}"
)


def check_batches_are_kept() -> None:
    """Make the tables of batches in the run's ledger, where there are none.

    Raises ConfigError where they cannot be made or written.
    """
    check_home()
    url = ledger_url()
    engine = open_database(url, ledger_wait_s())
    try:
        with engine.begin() as connection:
            records.make_tables(connection)
            if connection.dialect.name == "postgresql" and not connection.execute(sa.text(MAY_WRITE)).scalar_one():
                raise ConfigError("the ledger may not keep batches", shown_url(url), HOW_TO_KEEP)
    except SQLAlchemyError as error:
        if code_of(error) == NO_RIGHT:
            raise ConfigError("the ledger may not keep batches", shown_url(url), HOW_TO_KEEP) from error
        raise unusable(url, error) from error
    finally:
        engine.dispose()
