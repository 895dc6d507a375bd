"""How often each row of a run has failed, at each step: kept beside its manifest, since tables may be removed.

A row that failed `epoch` times may use attempts up to `(epoch + 1) * max_attempts`. A retry counts up what failed in the
run that it heals; a run that makes its dataset anew takes over what the dataset's rows were made with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.storage.files import write_atomically
from tasks.storage.tables import Table, encoded, write_table

EPOCHS_FILE = "epochs.parquet"
SCHEMA: dict[str, Any] = {"step": pl.String, "row_id": pl.String, "epoch": pl.Int64, "failed": pl.Boolean}
"""A line for each row that has failed before (`epoch` times) or in this run (`failed`)."""
Epochs = dict[str, dict[str, int]]
"""Step -> row_id -> how often it has failed."""


def keep_epochs(folder: Path, steps: Mapping[str, Sequence[Table]], made_with: Mapping[str, Table]) -> None:
    """Write down, in the folder of a run, the epochs that its rows were made with, and which of them failed."""
    write_atomically(folder / EPOCHS_FILE, encoded(_lines(steps, made_with)))


def epochs_with(past: Mapping[str, Any], folder: Path) -> Epochs:
    """The epochs that the rows of an earlier run were made with. `past`: its manifest, `folder`: where that lies.

    Of a run that kept none: what its tables say, or else what its dataset does.
    """
    if (lines := _kept(folder)) is None:
        try:
            lines = _lines({}, _made_with(past))
        except FileNotFoundError:
            lines = _of_provenance(past)
    return _by_step(lines.filter(pl.col("epoch") > 0))


def epochs_after(past: Mapping[str, Any], folder: Path) -> Epochs:
    """The epochs for a retry of an earlier run: what its rows were made with, and one more where they failed.

    Raises FileNotFoundError where the run kept none and its tables are gone.
    """
    if (lines := _kept(folder)) is None:
        steps = {step: [Table.model_validate(table) for table in tables] for step, tables in past["steps"].items()}
        lines = _lines(steps, _made_with(past))
    return _by_step(lines.with_columns(pl.col("epoch") + pl.col("failed").cast(pl.Int64)))


def highest_of(several: Sequence[Epochs]) -> Epochs:
    """The highest epoch of each row, over all of these."""
    joined: Epochs = {}
    for epochs in several:
        for step, counts in epochs.items():
            known = joined.setdefault(step, {})
            for row_id, epoch in counts.items():
                known[row_id] = max(epoch, known.get(row_id, 0))
    return joined


def as_tables(epochs: Epochs, place: str) -> dict[str, Table]:
    """The epochs as tables of `row_id` and `epoch`, one for each step, for workers that do not share the home."""
    return {
        step: write_table(
            f"{place}/{step}.parquet",
            "epochs",
            pl.DataFrame({"row_id": list(counts), "epoch": list(counts.values())}).sort("row_id"),
            {},
        )
        for step, counts in epochs.items()
    }


def _lines(steps: Mapping[str, Sequence[Table]], made_with: Mapping[str, Table]) -> pl.DataFrame:
    lines = []
    for step in dict.fromkeys([*steps, *made_with]):
        before = made_with[step].read() if step in made_with else pl.DataFrame({"row_id": [], "epoch": []})
        counts = dict(zip(before["row_id"].to_list(), before["epoch"].to_list(), strict=True))
        failed = {row_id for table in steps.get(step, []) for row_id in _failed(table)}
        lines += [(step, row_id, counts.get(row_id, 0), row_id in failed) for row_id in sorted(counts.keys() | failed)]
    return pl.DataFrame(lines, schema=SCHEMA, orient="row")


def _failed(table: Table) -> list[str]:
    rejects = table.read_beside("rejects") if table.failed else None
    if table.failed and rejects is None:
        raise FileNotFoundError(table.beside("rejects"))
    return [] if rejects is None else rejects.filter(pl.col("kind") == "failed")["row_id"].to_list()


def _kept(folder: Path) -> pl.DataFrame | None:
    return pl.read_parquet(folder / EPOCHS_FILE) if (folder / EPOCHS_FILE).is_file() else None


def _made_with(past: Mapping[str, Any]) -> dict[str, Table]:
    return {step: Table.model_validate(table) for step, table in past["settings"]["epochs"].items()}


def _of_provenance(past: Mapping[str, Any]) -> pl.DataFrame:
    """Epochs told by the attempts that the rows of a dataset took: the row at a step is the parent of what came out."""
    file, most = Path(past["summary"]["dataset"]) / "provenance.parquet", past["settings"]["max_attempts"]
    if not file.is_file():
        return pl.DataFrame(schema=SCHEMA)
    retried = pl.scan_parquet(file).filter(pl.col("attempts") > most).explode("parents")
    epoch = ((pl.col("attempts").max() - 1) // most).cast(pl.Int64).alias("epoch")
    lines = retried.group_by(pl.col("technique").alias("step"), pl.col("parents").alias("row_id")).agg(epoch)
    return lines.with_columns(failed=pl.lit(False)).select(*SCHEMA).sort("step", "row_id").collect()


def _by_step(lines: pl.DataFrame) -> Epochs:
    epochs: Epochs = {}
    for step, row_id, epoch in lines.select("step", "row_id", "epoch").iter_rows():
        epochs.setdefault(step, {})[row_id] = epoch
    return epochs
