"""Records of a source as rows: their ids, the rows that known formats make of them, and those that become none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, repeat
from typing import Any

import polars as pl

from tasks.column_types import message_type
from tasks.engine.row import seed_row_ids
from tasks.errors import ConfigError, Filtered
from tasks.seeds.columns import NAME_SEPARATOR, SHAPES, MisfitError, picked, shaped, speechless
from tasks.seeds.known_formats import (
    JOIN,
    PAIR,
    Reading,
    blank_is_nothing,
    is_composed,
    reference_text,
    row_of,
    settled,
    tests_text,
)
from tasks.seeds.own_columns import OwnColumns
from tasks.seeds.readers import BadRecord, Reader, Record
from tasks.seeds.turns import identifying
from tasks.storage.digest import canonical, digest

PEEK = 1000  # records that tell the columns and their types
CHECKED_BYTES = 64 * 2**20  # sources up to this size are read through before a run
READ_AT_ONCE = 1000
RAW_CHARS = 2000  # of a refused record, for its reject
COMPOSED_ID = "composed_id"
Records = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that became no row: why, and what it held. Its id is the digest of that."""

    row_id: str
    reason: str
    detail: str
    held: str


@dataclass(frozen=True, slots=True)
class SeedBatch:
    """Some records of a source: `frame`, their rows with `row_id`, and those `refused`; `read` of them in all.

    `records`: what became the rows of the frame, as it stands in the source.
    The frame has the user's own columns as JSON too, and `composed_id`: the id of a seed in NFC, of one that is not.
    """

    frame: pl.DataFrame
    refused: Sequence[Refused]
    read: int
    records: Records = ()

    @property
    def same_ids(self) -> list[str]:
        """For each row what tells it from others: its id, as it would be in NFC."""
        return self.frame.select(pl.coalesce(COMPOSED_ID, "row_id")).to_series().to_list()


@dataclass(frozen=True)
class Source:
    """Seeds that can be read again and again.

    `columns`: our column -> the file's. `kinds`: their types. `paths`: the way to each within a record. `found`:
    whether they were recognised by their names rather than given. `names`: the columns of the first records. `shapes`:
    the columns of its rows and their types. `unused`: what stands in the first records and is in no row, in words.
    """

    reader: Reader
    columns: Mapping[str, str]
    kinds: Mapping[str, pl.DataType]
    paths: Mapping[str, tuple[str, ...]]
    found: bool
    names: frozenset[str]
    reading: Reading
    shapes: Mapping[str, pl.DataType]
    unused: str = ""
    own: OwnColumns = field(default_factory=OwnColumns)

    @property
    def name(self) -> str:
        """The source as the user gave it."""
        return self.reader.name

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the content and of the columns read from it. Reads the file once, when first asked for."""
        return digest("source", self.reader.content(), canonical(self.columns))

    @cached_property
    def composition(self) -> str:
        """How rows are made of the columns; "" where these are the rows as they stand."""
        return canonical(self.reading.told).decode() if is_composed(self.columns) else ""

    def batches(self, size: int | Iterator[int], *, start: int = 0, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Frames of at most `size` rows (or of one size after the other) with our columns, in order, of the `limit` records from record `start` on.

        Raises ConfigError at the first record that cannot be read, unless such ones are rejects.
        """
        for batch in self.read(size, start=start, limit=limit):
            yield batch.frame.drop("row_id", COMPOSED_ID, *self.own.columns)

    def read(self, size: int | Iterator[int], *, start: int = 0, limit: int | None = None) -> Iterator[SeedBatch]:
        """As `batches`, with the ids of the rows and the records that were refused."""
        sizes = repeat(size) if isinstance(size, int) else size
        wanted = sorted({*first_steps(self.paths), *(self.names - self.own.left_out)})
        records = islice(self.reader.records(start, wanted), limit)
        while chunk := list(islice(records, next(sizes))):
            yield self._batch(chunk)

    def check(self, look: Callable[[Mapping[str, Any], str], None] | None = None) -> None:
        """Read the whole source through, so that its faults come to light before anything is paid for.

        `look`: is shown each row, and the name of the source. Sources over 64 MiB and those on the Hub are not read: their
        faults end the run when it comes to them.
        """
        if self.reader.size is not None and self.reader.size <= CHECKED_BYTES:
            for frame in self.batches(READ_AT_ONCE):
                if look is not None:
                    for row in frame.iter_rows(named=True):
                        look(row, self.name)

    def _batch(self, chunk: Sequence[tuple[int, Record]]) -> SeedBatch:
        refused: list[Refused] = []
        try:
            sound = list(sound_records(chunk, lenient=False))
            rows, owned = self._rows(sound), [self._owned(*placed) for placed in sound]
            records = [record for _, record in sound]
        except (ConfigError, Filtered):
            rows, owned, records = [], [], []
            for number, record in chunk:  # one by one, so that the good ones among them go on
                made = self._one(number, record)
                if isinstance(made, Refused):
                    refused.append(made)
                else:
                    rows.append(made[0])
                    owned.append(made[1])
                    records += [record] if isinstance(record, dict) else []
        columns = [self._series(ours, [row.get(ours) for _, row in rows]) for ours in self.shapes]
        ids = pl.Series("row_id", [row_id for row_id, _ in rows], dtype=pl.String)
        columns.append(pl.Series(COMPOSED_ID, [row.get(COMPOSED_ID) for _, row in rows], dtype=pl.String))
        for at, name in enumerate(self.own.columns):
            columns.append(pl.Series(name, [texts[at] for texts in owned], dtype=pl.String))
        return SeedBatch(pl.DataFrame([ids, *columns]), refused, len(chunk), records)

    def _owned(self, number: int, record: Mapping[str, Any]) -> tuple[str | None, ...]:
        return self.own.texts(record, self.reader.at(number) if self.own.keep else "")

    def _one(self, number: int, record: Record) -> tuple[tuple[str, dict[str, Any]], tuple[str | None, ...]] | Refused:
        """The row of one record with its id and what is the user's own, or why there is none.

        Raises ConfigError where that ends the run.
        """
        try:
            if isinstance(record, BadRecord):
                raise record.error
            return self._rows([(number, record)])[0], self._owned(number, record)
        except Filtered as refusal:
            held = {ours: picked([record], path)[0] for ours, path in self.paths.items()}  # type: ignore[list-item]
            return _refused(
                refusal.reason, f"{self.reader.at(number)}: {refusal.detail}", json.dumps(held, default=str)
            )
        except ConfigError as error:
            if self.reading.bad == "refuse":
                raise
            held_text = record.raw if isinstance(record, BadRecord) else json.dumps(record, default=str)
            return _refused("bad_seed", f"{error.what}: {error.value}", held_text)

    def _rows(self, records: Sequence[tuple[int, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
        """The row of each record, after its id. Raises ConfigError, or Filtered, at the first that there is none of."""
        numbers, held = [number for number, _ in records], [record for _, record in records]
        if self.found and self.reader.header is None:
            self._refuse_latecomers(numbers, held)
        seeds = self.seeds(records)
        if self.composition or any(
            type(seed.get(ours)) is list for seed in seeds for ours in ("instruction", "response")
        ):
            return [self._composed(number, seed) for number, seed in zip(numbers, seeds, strict=True)]
        return [self._identified(number, seed, seed) for number, seed in zip(numbers, seeds, strict=True)]

    def seeds(self, records: Sequence[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
        """The values of each record under our names. Raises ConfigError, or Filtered, at the first that has not got them."""
        numbers, held = [number for number, _ in records], [record for _, record in records]
        values = {ours: self._values(ours, numbers, held) for ours in self.columns}
        if fault := speechless(values):
            index, what = fault
            column = self.columns.get("instruction", self.columns.get("messages", ", ".join(self.columns.values())))
            raise ConfigError(
                what, self._where(numbers[index], column), "give each seed something to ask, or delete it"
            )
        return [dict(zip(values, one, strict=True)) for one in zip(*values.values(), strict=True)]

    def composed(self, seed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a record's id is made of, and its row. Raises Filtered where there is none."""
        values = settled(seed, self.columns)
        return values, row_of(values, self.reading, pair=self.columns.get("responses") == JOIN.join(PAIR))

    def _composed(self, number: int, seed: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        values, row = self.composed(seed)
        late = next((ours for ours, value in row.items() if not _fits(value, ours, self.shapes)), None)
        if late is not None:
            what = f"a kind of {late} that the first {PEEK} rows do not have"
            raise ConfigError(what, self.reader.at(number), "put a row of its kind among the first ones")
        return self._identified(number, values, row)

    def _identified(self, number: int, seed: Mapping[str, Any], row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The id of a seed, and its row with the id that it would have in NFC, where it is not."""
        mapped = {ours: _identifying(ours, value) for ours, value in seed.items() if value is not None}
        try:
            row_id, composed = seed_row_ids(mapped)
            return row_id, row if composed == row_id else row | {COMPOSED_ID: composed}
        except TypeError as error:
            ours = next(ours for ours, value in seed.items() if not _encodes(value))
            where = self._where(number, self.columns.get(ours, ours))
            raise ConfigError("half a surrogate pair in a text", where, "mend that character") from error

    def _values(self, ours: str, numbers: Sequence[int], records: Records) -> Sequence[Any]:
        theirs = self.columns[ours]
        if ours == "reference" and self.reading.references:
            as_text = tests_text if self.reading.references == "tests" else reference_text
            return [as_text(value) for value in picked(records, self.paths[ours])]
        try:
            values = shaped(ours, self.kinds[ours], picked(records, self.paths[ours]))
        except MisfitError as misfit:
            raise wrong_type(self.reader.at(numbers[misfit.index]), ours, theirs, misfit) from misfit
        if self.found and blank_is_nothing(ours, theirs):
            return [None if type(value) is str and not value.strip() else value for value in values]
        return values

    def _series(self, ours: str, values: Sequence[Any]) -> pl.Series:
        shape = self.shapes[ours]
        if not shape.is_nested():
            return pl.Series(ours, values, shape)
        import pyarrow as pa

        # by way of arrow: polars itself takes 20 times as long over lists of structs
        return pl.Series(ours, pa.array(values, pl.Series(dtype=shape).to_arrow().type))

    def _where(self, number: int, column: str) -> str:
        return f"{self.reader.at(number)}, column {column}"

    def _refuse_latecomers(self, numbers: Sequence[int], records: Records) -> None:
        """A column of ours that the first records did not have would be left out silently."""
        wanted = {
            name: ours for ours, names in self.reading.wanted.items() for name in names if ours not in self.columns
        }
        late = wanted.keys() - self.names
        for number, record in zip(numbers, records, strict=True):
            if not late.isdisjoint(record):
                column = min(late.intersection(record))
                options = {**self.columns, wanted[column]: column}
                fix = " ".join(f"--column {ours}={theirs}" for ours, theirs in options.items())
                what = f"a column that the first {PEEK} rows do not have"
                raise ConfigError(what, f"{self.reader.at(number)}: {column}", f"say what to read: {fix}")


def _readable(source: Source, placed: tuple[int, dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return source.seeds([placed])[0]
    except (ConfigError, Filtered):
        return None  # it is told of when the record is read


def _composable(source: Source, seed: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return source.composed(seed)[1]
    except Filtered:
        return None


def row_shapes(source: Source, peek: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, pl.DataType]:
    """The columns of the rows: those that are read as they stand, or what the first records are made into."""
    seeds = [seed for one in peek if (seed := _readable(source, one)) is not None]
    lists = any(type(seed.get(ours)) is list for seed in seeds for ours in ("instruction", "response"))
    if not (lists or is_composed(source.columns)):
        return dict(source.kinds)
    made = [row for seed in seeds if (row := _composable(source, seed)) is not None]
    turns = [turn for row in made for turn in row.get("messages") or ()]
    fields = {field for turn in turns for field in turn} | ({"tool_calls"} if "tools" in source.columns else set())
    there = set(source.columns) | ({"messages"} if turns or "history" in source.columns else set())
    if there & {"messages", "responses"}:
        there |= {"instruction", "response"}
    there -= {"input", "history"} if source.reading.joined else set()
    there -= set() if source.reading.answers else {"response"}
    shapes = {**SHAPES, **source.kinds, "messages": pl.List(message_type(fields))}
    return {ours: shape for ours, shape in shapes.items() if ours in there}


def _fits(value: Any, ours: str, shapes: Mapping[str, pl.DataType]) -> bool:
    """Whether the rows have room for a value: for its column, and for the fields of a conversation's turns."""
    if value is None or ours not in shapes:
        return value is None
    if ours != "messages":
        return True
    fields = {field.name for field in shapes["messages"].inner.fields}  # type: ignore[attr-defined]
    return all(fields.issuperset(turn) for turn in value)


def _refused(reason: str, detail: str, held: str) -> Refused:
    return Refused(digest("refused", reason, held), reason, detail, held[:RAW_CHARS])


def _identifying(ours: str, value: Any) -> Any:
    """What of a value the row's id is made of."""
    is_talk = ours in ("messages", "history") and type(value) is list
    return [identifying(turn) for turn in value] if is_talk else value


def _encodes(value: Any) -> bool:
    try:
        canonical(value)
    except TypeError:
        return False
    return True


def sound_records(records: Iterable[tuple[int, Record]], *, lenient: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records that can be read. Raises the error of one that cannot, unless `lenient`."""
    for number, record in records:
        if not isinstance(record, BadRecord):
            yield number, record
        elif not lenient:
            raise record.error


def first_steps(paths: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns of the file that the ways begin with."""
    return sorted({column for path in paths.values() for column in path[0].split(NAME_SEPARATOR)})


def wrong_type(at: str, ours: str, theirs: str, misfit: MisfitError) -> ConfigError:
    """The error for a value of the wrong kind."""
    fix = f"{ours} must be {misfit.expected}; mend it or map another column"
    return ConfigError("a seed of the wrong type", f"{at}, column {theirs}: {misfit.found}", fix)
