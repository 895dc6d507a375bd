"""From the last tables of a run to a dataset folder that `datasets.load_dataset(DIR)` opens.

`data/train.parquet` holds what a trainer takes; `rejects`, `losses` and `provenance` lie beside it, and the card, whose
`configs` name the split file so that nothing else joins a split, is written last. A run makes the whole dataset, or its
rows join those that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from tasks.engine.files import write_atomically
from tasks.engine.tables import PROVENANCE, REJECTS, Table, encoded, read_stream, write_stream
from tasks.engine.validate import validate
from tasks.errors import ConfigError
from tasks.publish.changes import Changes, changes_between
from tasks.publish.merge import merged, places_of
from tasks.publish.revisions import SEEDS, TRAIN
from tasks.publish.settled import unsettled, write_seeds
from tasks.publish.turns import as_messages
from tasks.schemas import conversations_of

BESIDE = {"rejects": REJECTS, "losses": REJECTS, "provenance": PROVENANCE}
KEPT = ("row_id", "messages", "tools", "response_model", "operations")


def check_folder(out: Path) -> Path:
    """The folder for a dataset, made. Raises ConfigError where it cannot be written, or holds something else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / ".writable", b"")
        (out / ".writable").unlink()
    except OSError as error:
        raise ConfigError("cannot write the dataset", f"{out}: {error.strerror}", "choose another --out") from error
    theirs = {path.name for path in out.iterdir() if not path.name.startswith(".")} - {_left_behind(out)}
    if theirs and not (out / "provenance.parquet").exists():
        raise ConfigError("the folder holds something that is not a dataset of ours", out, "choose another --out")
    return out


def _left_behind(out: Path) -> str | None:
    """The name of the one file that a run without a row has left there."""
    rejects = out / "rejects.parquet"
    ours = rejects.is_file() and pl.read_parquet_schema(rejects) == REJECTS
    return rejects.name if ours else None


def conversations(responses: pl.DataFrame) -> pl.DataFrame:
    """Responses as conversations: `messages` with the system prompt, the user's turns and the answer."""
    shaped = as_messages(responses)
    schema = conversations_of(shaped.schema["messages"].inner)  # type: ignore[attr-defined]
    good, faults = validate(shaped.select([c for c in KEPT if c in shaped.columns]), schema)
    if faults:
        raise AssertionError(f"responses that are no conversations: {faults}")  # their own schema passed them
    return good


@dataclass(frozen=True)
class Handed:
    """What a run hands over. `last`: its tables of rows, in order, `shape`: what a trainer takes of each, `most`: of so
    many rows; `seeds`: the tables that it began with, `blank`: which hold nothing; `steps`: all its tables."""

    last: Sequence[Table]
    shape: Callable[[pl.DataFrame], pl.DataFrame]
    most: int | None
    seeds: Sequence[Table]
    blank: bool
    steps: Sequence[Table]


@dataclass(frozen=True)
class Written:
    """What is in a dataset's files: counts of rows and rejects, what `changed` (None: nothing), seeds not done with."""

    rows: int
    rejects: int
    changes: Changes | None
    unsettled: frozenset[str]


def write_dataset(draft: Path, run: Handed, before: Path | None, *, joins: bool) -> Written:
    """Write the accepted rows (the first `most`) and everything about the others into a folder.

    `before`: the folder with the dataset as it is; `joins`: its rows stay, and those of the run join them.
    """
    earlier = before if joins else None
    surplus: list[pl.DataFrame] = []
    accepted = _accepted((run.shape(table.read()) for table in run.last), run.most, surplus)
    rows, changes = _write_rows(draft, accepted, before, earlier)
    if earlier is not None and any(frame.height for frame in surplus):
        surplus = _unpublished(surplus, earlier / TRAIN)
    mine = _ids_of(run.steps) if earlier else pl.Series(dtype=pl.String)
    counts = {
        name: write_stream(
            draft / f"{name}.parquet",
            chain([pl.DataFrame(schema=schema)], _earlier(earlier, name, mine), _beside(run.steps, name),
                  surplus if name == "rejects" else ()),
        )
        for name, schema in BESIDE.items()
    }  # fmt: skip
    surplus_ids = {row_id for frame in surplus for row_id in frame["row_id"]}
    cut = surplus_ids or any(table.pending for table in run.steps)
    open_seeds = unsettled(run.seeds, run.steps, run.last, surplus_ids) if cut else set()
    write_seeds(draft / SEEDS, () if run.blank else run.seeds, open_seeds, earlier / SEEDS if earlier else None)
    return Written(rows, counts["rejects"], changes, frozenset(open_seeds))


def _write_rows(
    draft: Path, accepted: Iterator[pl.DataFrame], before: Path | None, earlier: Path | None
) -> tuple[int, Changes | None]:
    """Write the rows of the dataset; how many they are, and what changed."""
    train = draft / TRAIN
    if earlier is None or not (earlier / TRAIN).exists():
        rows = write_stream(train, accepted)
        if not rows and train.exists():
            write_atomically(train, encoded(pl.read_parquet(train)))  # `datasets` cannot stream an empty row group
        return rows, changes_between(before / TRAIN if before else None, train, draft)
    own = draft / "own.parquet"
    if not write_stream(own, accepted):
        return write_stream(train, read_stream(earlier / TRAIN)), None
    places = places_of(earlier / TRAIN, own)
    changes = Changes(added=places.rows) if places.rows else None
    return write_stream(train, merged(earlier / TRAIN, own, places)), changes


def _unpublished(surplus: Sequence[pl.DataFrame], train: Path) -> list[pl.DataFrame]:
    """The surplus without rows that the dataset holds: where healed rows have gone before them, they stay all the same."""
    theirs = pl.concat(surplus)["row_id"]
    held = pl.scan_parquet(train).filter(pl.col("row_id").is_in(theirs.implode())).select("row_id").collect()
    return [frame.filter(~pl.col("row_id").is_in(held["row_id"].implode())) for frame in surplus]


def _earlier(folder: Path | None, name: str, mine: pl.Series) -> Iterator[pl.DataFrame]:
    """What the dataset says of the rows that this run has nothing to say about."""
    if folder is not None:
        for frame in read_stream(folder / f"{name}.parquet"):
            yield frame.filter(~pl.col("row_id").is_in(mine.implode()))


def _ids_of(steps: Sequence[Table]) -> pl.Series:
    """The ids of all rows that a run has met."""
    frames = chain((table.read(["row_id"]) for table in steps), _beside(steps, "rejects"))
    ids = pl.concat([pl.DataFrame(schema={"row_id": pl.String}), *(frame.select("row_id") for frame in frames)])
    return ids["row_id"].unique()


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
