"""From the last tables of a run to a dataset folder that `datasets.load_dataset(DIR)` opens.

`data/train.parquet` holds what a trainer takes; `rejects`, `losses` and `provenance` lie beside it, and the card, whose
`configs` name the split file so that nothing else joins a split, is written last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import polars as pl

from tasks.engine.files import write_atomically
from tasks.engine.tables import PROVENANCE, REJECTS, Table, write_stream
from tasks.engine.validate import validate
from tasks.errors import ConfigError
from tasks.schemas import MESSAGE, Conversations

TRAIN = "data/train.parquet"
CARD = "README.md"
KEPT = ("row_id", "messages", "response_model", "operations")


def check_folder(out: Path) -> Path:
    """The folder for a dataset, made. Raises ConfigError where it cannot be written, or holds something else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / ".writable", b"")
        (out / ".writable").unlink()
    except OSError as error:
        raise ConfigError("cannot write the dataset", f"{out}: {error.strerror}", "choose another --out") from error
    if any(out.iterdir()) and not (out / "provenance.parquet").exists():
        raise ConfigError("the folder holds something that is not a dataset of ours", out, "choose another --out")
    return out


def conversations(tables: Sequence[Table]) -> Iterator[pl.DataFrame]:
    """Tables of responses as conversations: `messages` with the system prompt, the user's turns and the answer."""
    for table in tables:
        shaped = as_messages(table.read())
        good, faults = validate(shaped.select([c for c in KEPT if c in shaped.columns]), Conversations)
        if faults:
            raise AssertionError(f"responses that are no conversations: {faults}")  # their own schema passed them
        yield good


def as_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `messages`: (system), the turns given or the one instruction, and the response."""
    turns = pl.concat_list(_turn("user", pl.col("instruction")))
    if "messages" in frame.columns:
        turns = pl.coalesce(pl.col("messages"), turns)
    opens_with_system = turns.list.first().struct.field("role") == "system"
    system: pl.Expr = (
        pl.when((pl.col("system") != "") & ~opens_with_system)
        .then(pl.concat_list(_turn("system", pl.col("system"))))
        .otherwise(pl.lit([], dtype=pl.List(MESSAGE)))
    )
    answer = pl.concat_list(_turn("assistant", pl.col("response")))
    return frame.with_columns(pl.concat_list(system, turns, answer).alias("messages"))


def _turn(role: str, content: pl.Expr) -> pl.Expr:
    return pl.struct(pl.lit(role).alias("role"), content.alias("content"))


def write_dataset(
    out: Path, frames: Iterator[pl.DataFrame], steps: Sequence[Table], most: int | None
) -> tuple[int, int]:
    """Write the accepted rows (the first `most`) and everything about the others; counts of rows and of rejects."""
    surplus: list[pl.DataFrame] = []
    rows = write_stream(out / TRAIN, _accepted(frames, most, surplus))
    rejects = write_stream(
        out / "rejects.parquet", chain([pl.DataFrame(schema=REJECTS)], _beside(steps, "rejects"), surplus)
    )
    write_stream(out / "losses.parquet", chain([pl.DataFrame(schema=REJECTS)], _beside(steps, "losses")))
    write_stream(out / "provenance.parquet", chain([pl.DataFrame(schema=PROVENANCE)], _beside(steps, "provenance")))
    return rows, rejects


def _beside(steps: Sequence[Table], name: str) -> Iterator[pl.DataFrame]:
    return (frame for table in steps if (frame := table.read_beside(name)) is not None)


def _accepted(frames: Iterator[pl.DataFrame], most: int | None, surplus: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    left = most
    for frame in frames:
        kept = frame if left is None else frame[:left]
        if left is not None:
            left -= kept.height
            surplus.append(_surplus(frame[kept.height :]))
        yield kept


def _surplus(frame: pl.DataFrame) -> pl.DataFrame:
    records = [
        (row_id, "filtered", "surplus", "more rows than were asked for", "publish", 0, None, None)
        for row_id in frame["row_id"]
    ]
    return pl.DataFrame(records, schema=REJECTS, orient="row")
