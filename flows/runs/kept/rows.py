"""What a retry needs of a run and its tables alone would have: kept beside its manifest, since tables may be removed.

Its first rows (`first/`, links where tables and home lie on one disk, so that they take no room twice) and the ids of the
rows that it published. All else of a retry is made again from the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from flows.runs.kept.epochs import EPOCHS_FILE as EPOCHS
from flows.runs.kept.epochs import keep_epochs
from tasks.publish.cross_run_dedup import STEP
from tasks.storage import places
from tasks.storage.files import write_atomically
from tasks.storage.tables import Table, encoded, part_files, sidecar

FIRST, PUBLISHED = "first", "published.parquet"


def keep_rows(folder: Path, steps: Mapping[str, Sequence[Table]]) -> None:
    """Keep, in the folder of a run, its first tables, and which rows are its dataset's."""
    if not steps:
        return
    (folder / FIRST).mkdir(parents=True, exist_ok=True)
    for table in next(iter(steps.values())):
        for place in part_files(table.path):
            _keep(place, folder / FIRST / place.rpartition("/")[2])
    published = pl.DataFrame({"row_id": sorted(_published(steps))}, schema={"row_id": pl.String})
    write_atomically(folder / PUBLISHED, encoded(published))


def first_tables(past: Mapping[str, Any], folder: Path, root: str) -> list[Table] | None:
    """The tables that an earlier run began with, made again below `root` where they are gone; None where they cannot be.

    `past`: its manifest, `folder`: where that lies.
    """
    found = []
    for table in map(Table.model_validate, next(iter(past["steps"].values()), [])):
        there = sidecar(table.path) or _again(table, folder, root)
        if there is None:
            return None
        found.append(there)
    return found


def published_rows(past: Mapping[str, Any], folder: Path) -> frozenset[str]:
    """The ids of the rows that an earlier run published."""
    if (folder / PUBLISHED).is_file():
        return frozenset(pl.read_parquet(folder / PUBLISHED)["row_id"])
    return frozenset(_published({step: [Table.model_validate(t) for t in ts] for step, ts in past["steps"].items()}))


def keep_of_old(past: Mapping[str, Any], folder: Path) -> None:
    """Keep what an earlier version did not, as far as the tables of that run are still there."""
    if (folder / EPOCHS).is_file():
        return
    steps = {step: [Table.model_validate(table) for table in tables] for step, tables in past["steps"].items()}
    with suppress(FileNotFoundError):  # gone already: a retry of that run says so
        keep_rows(folder, steps)
        keep_epochs(folder, steps, {step: Table.model_validate(t) for step, t in past["settings"]["epochs"].items()})


def _published(steps: Mapping[str, Sequence[Table]]) -> set[str]:
    tables = steps.get(STEP) or [[], *steps.values()][-1]
    return {row_id for table in tables for row_id in table.read(["row_id"])["row_id"]}


def _keep(place: str, kept: Path) -> None:
    if kept.exists():  # named by its content
        return
    if not places.is_url(place):
        with suppress(OSError):  # another disk, or one without links: a copy
            os.link(place, kept)
    if not kept.exists():
        write_atomically(kept, places.read(place))


def _again(table: Table, folder: Path, root: str) -> Table | None:
    """Put a first table where the tables of today lie, its sidecar last."""
    place = f"{root}/{table.technique}/{table.path.rpartition('/')[2]}"
    if sidecar(place) is None:
        kept = folder / FIRST / place.rpartition("/")[2]
        if sidecar(kept) is None:
            return None
        for part in part_files(str(kept)):
            places.write(f"{root}/{table.technique}/{part.rpartition('/')[2]}", places.read(part))
    return sidecar(place)
