"""What earlier runs have left and nothing needs: tables, runs superseded, students, Prefect's own history. Never the ledger.

stillroom clean --older-than 30d --dry-run

The ledger, and what lies beside the manifests, make again what is removed, without a request. While a run is under way
tables are left alone, since it may be about to read them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from pydantic import Field

from flows.runs.removal.age import age_s
from flows.runs.removal.freed import Freed
from flows.runs.removal.students import remove_students
from flows.runs.removal.superseded import remove_superseded
from flows.runs.removal.tables import remove_tables
from flows.service.history.api import remove_by_api
from flows.service.history.database import own_database, remove_from_database
from tasks.ledger.backup import backup_ledger
from tasks.ledger.database import file_of
from tasks.notices import heard, tell
from tasks.storage.home import check_home, home, ledger_url, tables_root

FLOWS = ("instruction-sft", "preference-dpo", "retry-failed", "estimate-sft", "estimate-dpo", "curate", "clean", "fit")
RECORDED_S = 60.0
"""So long after its end a run is still in Prefect's history: its server writes down what it was told with some delay."""
UNDER_WAY = "a run is under way: tables are left for another time"


@flow(name="clean", flow_run_name="clean older than {older_than}")
def clean(
    older_than: Annotated[str, Field(description="12h, 30d, 2w: nothing younger is removed")] = "30d",
    dry_run: Annotated[bool, Field(description="tell what would be removed, and remove nothing")] = False,
    backup: Annotated[bool, Field(description="first back up the ledger, where it is on SQLite")] = False,
) -> dict[str, Any]:
    """Remove what nothing needs and no run of late has used. Returns what was removed, by kind.

    Raises ConfigError for an age that is none, and where a ledger is damaged that is to be backed up: nothing is removed then.
    """
    log = get_run_logger()
    before = time.time() - age_s(older_than)
    with heard(lambda line: log.warning("%s", line)):
        check_home()
        ledger = file_of(ledger_url())
        if backup and not dry_run and ledger is not None and ledger.exists():
            log.info("the ledger is backed up: %s", backup_ledger(ledger_url()))
        freed = Freed(dry_run)
        stay = remove_superseded(before, freed)
        if not remove_tables(before, tables_root(), _results(), stay, freed):
            tell(UNDER_WAY)
        remove_students(before, home() / "students", stay, freed)
        prefect = _remove_history(datetime.fromtimestamp(min(before, time.time() - RECORDED_S), UTC), dry_run)
    files = {kind: {"files": count, "bytes": freed.bytes[kind]} for kind, count in freed.files.items()}
    summary = {"older_than": older_than, "dry_run": dry_run, **files, "prefect": prefect}
    log.info("%s: %s", "would be removed" if dry_run else "removed", summary)
    return summary


def _remove_history(before: datetime, dry: bool) -> dict[str, Any]:
    """From the database where it is ours, else by the server's API."""
    url = get_current_settings().server.database.connection_url
    file = own_database(url.get_secret_value() if url else "", str(flow_run.id))
    if file is not None:
        return remove_from_database(file, before, FLOWS, dry)
    with get_client(sync_client=True) as client:
        return remove_by_api(client, before, FLOWS, dry)


def _results() -> Path:
    """Where Prefect keeps its references to tables, if that is in our home; else a place with nothing in it."""
    place = get_current_settings().results.local_storage_path
    return place if place.is_relative_to(home()) else home() / "prefect" / "results"
