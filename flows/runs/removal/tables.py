"""Tables and Prefect's references to them that no run of late has used: the ledger makes them again without a request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from flows.runs.manifests import manifest_path
from flows.runs.removal.alone import alone
from flows.runs.removal.freed import Freed, remove_empty
from flows.runs.removal.superseded import Manifests
from tasks.storage import places
from tasks.storage.places import Entry

BATCH = 200
"""Files that are removed at once: as long as that takes, a run that begins has to wait."""
LET_IN_S = 0.05


def remove_tables(before: float, root: str, results: Path, past: Manifests, freed: Freed) -> bool:
    """Remove the tables below `root`, and the results, that were written before a time (POSIX), and that no manifest newer than
    that names. False where a run was under way: then what is left stays for another time.
    """
    recent = {
        name for run, loaded in past.items() if manifest_path(run).stat().st_mtime >= before for name in _named(loaded)
    }
    tables = (entry for entry in places.entries(root) if entry.modified < before and _name(entry.place) not in recent)
    old_results = (entry for entry in places.entries(str(results)) if entry.modified < before)
    is_done = _remove("tables", tables, freed) and _remove("Prefect's results", old_results, freed)
    if is_done and not freed.dry and not places.is_url(root):
        with alone() as is_alone:
            for folder in Path(root).glob("*") if is_alone else ():
                if folder.is_dir():
                    remove_empty(folder)
    return is_done


def _remove(kind: str, entries: Iterable[Entry], freed: Freed) -> bool:
    """Remove files in batches, as long as no run is under way."""
    left = iter(entries)
    while batch := list(islice(left, BATCH)):
        with alone() as is_alone:
            if not is_alone:
                return False
            for entry in batch:
                freed.remove(kind, entry)
        time.sleep(LET_IN_S)
    return True


def _named(loaded: dict[str, Any]) -> Iterator[str]:
    """The tables that a manifest names."""
    for tables in [*loaded["steps"].values(), loaded["settings"]["epochs"].values()]:
        yield from (_name(table["path"]) for table in tables)


def _name(place: str) -> str:
    """Of a table's file: its folder and its key, whatever lies beside it and wherever the tables are by now."""
    folder, _, name = place.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{name.partition('.')[0]}"
