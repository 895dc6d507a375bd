"""A backup of the ledger, made while runs go on.

stillroom ledger backup [--to FILE] [--ledger URL]

The deployment `clean-weekly` makes one each week, and an update of Stillroom one before it changes the ledger's tables.
A ledger on PostgreSQL is backed up by its administrator.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tasks.errors import ConfigError
from tasks.ledger.backup_files import write_backup
from tasks.ledger.check import damage_beside, file_there, opened_to_read
from tasks.ledger.database import CHECK, completions, file_of, is_ledger, shown_url, unusable


def backup_ledger(url: str, to: Path | None = None) -> Path:
    """Back up a SQLite ledger; where the backup lies. Raises ConfigError where there is none, or it is damaged."""
    path = file_of(url)
    if path is None:
        what = "a ledger on PostgreSQL is backed up by the server's administrator"
        raise ConfigError(what, shown_url(url), "use pg_dump")
    if damage := damage_beside(file_there(path)):
        raise ConfigError("a damaged ledger is not backed up", f"{path}: {damage}", CHECK)
    try:
        with opened_to_read(path) as connection:
            is_ledger(connection, str(path))
            if completions.name not in sa.inspect(connection).get_table_names():
                raise ConfigError("this is no ledger", path, "name one: --ledger sqlite:///PATH")
            return write_backup(connection, path, to)
    except DBAPIError as error:
        raise unusable(url, error) from error
