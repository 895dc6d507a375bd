"""From the last tables of a run to a dataset folder that `datasets.load_dataset(DIR)` opens.

`data/train.parquet` holds what a trainer takes, where there are more splits or more than a file of 500 MB `data/` has a file
for each; `rejects`, `losses` and `provenance` lie beside it, and the card, whose `configs` name the files of each split so that
nothing else joins one, is written last. A run makes the whole dataset, or its rows join those that are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from filecmp import cmp
from itertools import chain
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType

import polars as pl

from tasks.columns import CONSTRAINT_COLUMNS, DIALOGUE_COLUMNS, FOUND_COLUMNS, KEPT_COLUMNS
from tasks.errors import ConfigError
from tasks.publish.brought_along import counted
from tasks.publish.changes import Changes, changes_between, id_column
from tasks.publish.derive import Derived, write_derived
from tasks.publish.merge import columns_of_both, merged, places_of
from tasks.publish.own_columns import types_of, unpacked, with_language
from tasks.publish.processed_seeds import unsettled, write_seeds
from tasks.publish.revisions import DATA, SEEDS_FILE, all_data_files, data_files, every_data_file
from tasks.publish.splits import NO_SPLITS, TRAIN_SPLIT, parted
from tasks.publish.turns import as_messages
from tasks.storage.files import write_atomically
from tasks.storage.shard_files import ShardWriter, shard_files, write_shards
from tasks.storage.tables import PROVENANCE, REJECTS, Table, encoded, height_of, read_stream, with_all_of, write_stream

BESIDE = {"rejects": REJECTS, "losses": REJECTS, "provenance": PROVENANCE}
OWN_COLUMNS = ("row_id", "messages", "tools", "response_model", "operations", *CONSTRAINT_COLUMNS, *DIALOGUE_COLUMNS)


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


def conversations(responses: pl.DataFrame, more: Sequence[str] = ()) -> pl.DataFrame:
    """Responses as conversations (`schemas.Conversations`): the system prompt, the user's turns and the answer.

    `more`: columns that the recipe's rows are published with.

    The responses have passed their own schema. pandera is not asked again: a night that changes nothing does without it.
    """
    shaped = as_messages(responses)
    if not (shaped["messages"].list.len().fill_null(0) >= 2).all():
        raise AssertionError("responses that are no conversations")
    return shaped.select([c for c in (*OWN_COLUMNS, *more, *FOUND_COLUMNS, KEPT_COLUMNS) if c in shaped.columns])


@dataclass(frozen=True)
class PublishInput:
    """What a run hands over. `last`: its tables of rows, in order, `shape`: what a trainer takes of each, `most`: of so
    many rows; `seeds`: the tables that it began with, `blank`: which hold nothing; `steps`: all its tables; `keep`: the
    user's own columns that the dataset has too; `mixed`: it has the language of each row as well; `splits`: the
    share of each; `derived`: further formats;
    `selection`: how the rows were chosen, in one line, "" where they were not."""

    last: Sequence[Table]
    shape: Callable[[pl.DataFrame], pl.DataFrame]
    most: int | None
    seeds: Sequence[Table]
    blank: bool
    steps: Sequence[Table]
    keep: Sequence[str] = ()
    mixed: bool = False
    splits: Mapping[str, float] = field(default_factory=lambda: dict(NO_SPLITS))
    derived: Derived | None = None
    selection: str = ""

    def shaped(self, surplus: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What a trainer takes of the first `most` rows, with their languages and the user's own columns where any are kept.

        Rejects for the rows after those are added to `surplus`.
        """
        types = types_of((table.read() for table in self.last), self.keep) if self.keep else {}
        left = self.most
        for table in self.last:
            frame = table.read()
            if left is not None:
                surplus.append(_surplus(frame[left:]))
                frame = frame[:left]
                left -= frame.height
            rows = unpacked(frame, types) if types else frame.drop(KEPT_COLUMNS, strict=False)
            made = self.shape(with_language(rows) if self.mixed else rows)
            yield made.unnest(KEPT_COLUMNS) if KEPT_COLUMNS in made.columns else made


@dataclass(frozen=True)
class PublishResult:
    """What is in a dataset's files: counts of rows and rejects, what `changed` (None: nothing), seeds not done with.

    `brought_along`: how many `answers` the run hands over, and how many of them have what is no part of an answer.
    `left_out`: of each format that cannot say all rows, how many it leaves out, by reason.
    """

    rows: int
    rejects: int
    changes: Changes | None
    unsettled: frozenset[str]
    brought_along: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def write_dataset(
    draft: Path,
    run: PublishInput,
    before: Path | None,
    *,
    joins: bool,
    splits_before: Mapping[str, float] = MappingProxyType(NO_SPLITS),
) -> PublishResult:
    """Write the accepted rows (the first `most`) and everything about the others into a folder.

    `before`: the folder with the dataset as it is, `splits_before`: how it was split; `joins`: its rows stay, and those of
    the run join them.
    """
    earlier = before if joins else None
    surplus: list[pl.DataFrame] = []
    brought = Counter[str]()
    accepted = counted(run.shaped(surplus), brought)
    same_splits = dict(splits_before) == dict(run.splits)
    rows, changes = _write_rows(draft, accepted, earlier, run.splits, same_splits=same_splits)
    if earlier is None:
        changes = changes_between(all_data_files(before) if before else None, all_data_files(draft), draft)
    if earlier is not None and any(frame.height for frame in surplus):
        surplus = _unpublished(surplus, all_data_files(earlier))
    rejects = _write_beside(draft, run.steps, earlier, surplus)
    left_out = write_derived(draft, run.derived) if run.derived else {}
    if changes is None and before is not None and not _same_files(draft, before):
        changes = Changes()  # of the rows none, but they lie in other files, or are given in other formats
    surplus_ids = {row_id for frame in surplus for row_id in frame["row_id"]}
    cut = surplus_ids or any(table.pending for table in run.steps)
    open_seeds = unsettled(run.seeds, run.steps, run.last, surplus_ids) if cut else set()
    write_seeds(
        draft / SEEDS_FILE, () if run.blank else run.seeds, open_seeds, earlier / SEEDS_FILE if earlier else None
    )
    told = dict(sorted(brought.items()))
    return PublishResult(rows, rejects, changes, frozenset(open_seeds), told, left_out)


def _write_beside(draft: Path, steps: Sequence[Table], earlier: Path | None, surplus: Sequence[pl.DataFrame]) -> int:
    """Write the rejects, losses and provenance; how many rejects there are."""
    mine = _ids_of(steps) if earlier else pl.Series(dtype=pl.String)
    counts = {}
    for name, schema in BESIDE.items():
        more = surplus if name == "rejects" else ()
        frames = chain([pl.DataFrame(schema=schema)], _earlier(earlier, name, mine), _beside(steps, name), more)
        counts[name] = write_stream(draft / f"{name}.parquet", frames)
    return counts["rejects"]


def _write_rows(
    draft: Path,
    accepted: Iterable[pl.DataFrame],
    earlier: Path | None,
    splits: Mapping[str, float],
    *,
    same_splits: bool,
) -> tuple[int, Changes | None]:
    """Write the rows of the dataset; how many they are, and what the run adds to those of `earlier`."""
    there = data_files(earlier) if earlier else {}
    if not there:
        return _write_splits(draft / DATA, accepted, splits), None
    own, before = draft / "own", draft / "before"
    _write_splits(own, accepted, splits)
    if not same_splits:
        _write_splits(before, read_stream(*chain.from_iterable(there.values())), splits)
        there = shard_files(before)
    added = sum(_join(draft / DATA, name, there.get(name, []), shard_files(own)) for name in splits)
    _drop_empty(draft / DATA)
    for folder in (own, before):
        rmtree(folder, ignore_errors=True)
    return height_of(*all_data_files(draft)), Changes(added=added) if added else None


def _write_splits(folder: Path, frames: Iterable[pl.DataFrame], splits: Mapping[str, float]) -> int:
    """Write rows into the files of their splits; how many. A split without a row has no file, but for the one of none."""
    with ExitStack() as open_files:
        writers = {name: open_files.enter_context(ShardWriter(folder, name)) for name in splits}
        for frame in frames:
            for name, part in parted(frame, splits).items():
                writers[name].write(part)
    _drop_empty(folder)
    return sum(writer.rows for writer in writers.values())


def _drop_empty(folder: Path) -> None:
    """Remove the file of a split without a row, which `datasets` does not open; of a table of no rows one stays."""
    splits = shard_files(folder)
    rows = sum(height_of(*files) for files in splits.values())
    for name, files in splits.items():
        if not rows and name == TRAIN_SPLIT:
            write_atomically(
                files[0], encoded(pl.read_parquet(files[0]))
            )  # `datasets` cannot stream an empty row group
        elif not height_of(*files):
            files[0].unlink()


def _join(data: Path, split: str, earlier: Sequence[Path], own: Mapping[str, Sequence[Path]]) -> int:
    """Write the rows of a split: those that are there, and those of the run; how many join.

    All splits get the columns of both, whether a row of the run is in them or not.
    """
    mine = own.get(split, [])
    any_of_mine = next(iter(own.values()), None)
    if not earlier or any_of_mine is None:
        write_shards(data, split, read_stream(*(earlier or mine)))
        return 0 if earlier else height_of(*mine)
    columns = columns_of_both(earlier[0], any_of_mine[0])
    places = places_of(earlier, mine)
    joining = places.rows
    write_shards(data, split, merged(earlier, mine, places, columns))
    return joining


def _same_files(draft: Path, before: Path) -> bool:
    """Whether rows that did not change lie in the same files. Formats made of them may be others all the same."""
    names = [sorted(file.relative_to(folder) for file in every_data_file(folder)) for folder in (draft, before)]
    made = (name for name in names[0] if len(name.parts) > 2)
    return names[0] == names[1] and all(cmp(draft / name, before / name, shallow=False) for name in made)


def _unpublished(surplus: Sequence[pl.DataFrame], rows: Sequence[Path]) -> list[pl.DataFrame]:
    """The surplus without rows that the dataset holds: where healed rows have gone before them, they stay all the same."""
    theirs = pl.concat(surplus)["row_id"]
    held = pl.scan_parquet(list(rows))
    column = id_column(held.collect_schema())
    if column is None:  # a format whose rows have no ids
        return list(surplus)
    there = held.filter(pl.col(column).is_in(theirs.implode())).select(column).collect()[column]
    return [frame.filter(~pl.col("row_id").is_in(there.implode())) for frame in surplus]


def _earlier(folder: Path | None, name: str, mine: pl.Series) -> Iterator[pl.DataFrame]:
    """What the dataset says of the rows that this run has nothing to say about."""
    if folder is not None:
        for frame in read_stream(folder / f"{name}.parquet"):
            yield with_all_of(frame.filter(~pl.col("row_id").is_in(mine.implode())), BESIDE[name])


def _ids_of(steps: Sequence[Table]) -> pl.Series:
    """The ids of all rows that a run has met."""
    frames = chain((table.read(["row_id"]) for table in steps), _beside(steps, "rejects"))
    ids = pl.concat([pl.DataFrame(schema={"row_id": pl.String}), *(frame.select("row_id") for frame in frames)])
    return ids["row_id"].unique()


def _beside(steps: Sequence[Table], name: str) -> Iterator[pl.DataFrame]:
    found = (frame for table in steps if (frame := table.read_beside(name)) is not None)
    return (with_all_of(frame, BESIDE[name]) for frame in found)


def _surplus(frame: pl.DataFrame) -> pl.DataFrame:
    records = [
        (row_id, "filtered", "surplus", "more rows than were asked for", "publish", 0, None, None)
        for row_id in frame["row_id"]
    ]
    return pl.DataFrame(records, schema=REJECTS, orient="row")
