"""Records of a dataset that is there, whole and as they stand, beside the rows that the house reads in them.

    open_records("datasets/demo-sft").batches(1000)

What is curated is the dataset's own records: a record that stays is not changed, whatever format it is in. The rows are
how techniques, filters and sieves see it: an instruction with its answer, or a preference pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa

from tasks.column_types import MESSAGE
from tasks.columns import RECORD
from tasks.errors import ConfigError
from tasks.seeds.batches import PEEK, Records, Refused, Source, first_steps, sound_records
from tasks.seeds.known_formats import JOIN, PAIR, Reading, References
from tasks.seeds.own_columns import OwnColumns
from tasks.seeds.parquet_rows import decoder_of
from tasks.seeds.readers import Reader
from tasks.seeds.sources import open_source
from tasks.storage.digest import canonical, digest
from tasks.storage.tables import column_of

ROW_ID = re.compile(r"[0-9a-f]{32}")
LABEL, REFERENCE = "label", "reference"
ANSWERED = ("response", "messages")


@dataclass(frozen=True, slots=True)
class WholeBatch:
    """Some records: `frame`, a row for each with its whole `record`; `row_ids`, those that the dataset gives, None where
    it gives none; `digests`, of all that each holds; `refused`, those that became no row; `read` of them in all."""

    frame: pl.DataFrame
    row_ids: Sequence[str | None]
    digests: Sequence[str]
    refused: Sequence[Refused]
    read: int


@dataclass(frozen=True)
class WholeRecords:
    """A dataset that can be read again and again.

    `types`: of each column of its records; `as_text`: columns whose values have no type in common, kept as JSON.
    """

    source: Source
    types: Mapping[str, Any]
    as_text: frozenset[str]

    @property
    def is_paired(self) -> bool:
        """Whether a record is a preference pair."""
        return self.source.columns.get("responses") == JOIN.join(PAIR)

    @property
    def has_answers(self) -> bool:
        """Whether a record that holds no answer is a fault; of a list of prompts it is none."""
        return self.is_paired or any(ours in self.source.columns for ours in ANSWERED)

    @property
    def number_columns(self) -> frozenset[str]:
        """The columns of its records that hold numbers."""
        kinds = self.types.items()
        return frozenset(name for name, kind in kinds if pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def read(self, size: int | Iterator[int], *, start: int = 0, limit: int | None = None) -> Iterator[WholeBatch]:
        """Batches of at most `size` records (or of one size after the other), in order. Raises ConfigError as seeds do."""
        for batch in self.source.read(size, start=start, limit=limit):
            rows = _pairs(batch.frame) if self.is_paired else _answered(batch.frame, batch.records)
            if self.source.reading.references and REFERENCE in batch.frame.columns:
                rows = rows.with_columns(batch.frame[REFERENCE], _verifiers(batch.records))
            if self.source.reading.constraints and "constraints" in batch.frame.columns:
                rows = rows.with_columns(batch.frame["constraints"])
            frame = rows.with_columns(self._whole(batch.records))
            ids = [_own_id(record) for record in batch.records]
            digests = [digest("record", canonical(record)) for record in batch.records]
            yield WholeBatch(frame, ids, digests, batch.refused, batch.read)

    def check(self) -> None:
        """Read a small dataset through, so that its faults come to light before anything is done."""
        self.source.check()

    def _whole(self, records: Records) -> pl.Series:
        columns = [self._column(name, kind, records) for name, kind in self.types.items()]
        whole = pl.from_arrow(pa.table(columns, names=list(self.types)))
        assert isinstance(whole, pl.DataFrame)
        return whole.to_struct(RECORD)

    def _column(self, name: str, kind: Any, records: Records) -> Any:
        values = [record.get(name) for record in records]
        if name in self.as_text:
            values = [None if value is None else canonical(value).decode() for value in values]
        return pa.array(values, kind)


def open_records(
    spec: str | Path | list[Any] | Reader,
    *,
    columns: Mapping[str, str] | None = None,
    bad: Literal["refuse", "reject"] = "refuse",
    references: References = "",
    constraints: bool = False,
) -> WholeRecords:
    """The records of a file, a folder, a dataset of the Hub or a list. `columns`: our column -> the dataset's.

    `references`, `constraints`: as in `Reading`.

    Where the file does not say which types its columns have, it is read through once. Raises ConfigError.
    """
    source = open_source(
        spec, columns=columns, reading=Reading(bad=bad, references=references, constraints=constraints)
    )
    if "responses" in source.columns and source.columns["responses"] != JOIN.join(PAIR):
        fix = "give it to `stillroom dpo --instructions`, which pairs them"
        raise ConfigError("pools of responses are no rows to curate", source.name, fix)
    read = frozenset(source.names)
    source = replace(source, own=OwnColumns(read=read))  # of the records nothing else is kept: they are kept whole
    types = _types(source.reader, lenient=bad == "reject")
    mapped = set(first_steps(source.paths))
    as_text = {name for name, kind in types.items() if kind is None}
    for name in sorted(as_text & mapped):
        fix = "give each record the same kind of value"
        raise ConfigError("a column holds values of several kinds", f"{name} in {source.name}", fix)
    types = {name: kind or pa.string() for name, kind in types.items() if name != "row_id"}
    return WholeRecords(source, types, frozenset(as_text))


def _types(reader: Reader, *, lenient: bool) -> dict[str, Any]:
    """The arrow type of each column; None where its values have none in common."""
    schema = reader.schema() if reader.schema else None
    if schema is not None and not any(decoder_of(field.type) for field in schema):
        return {field.name: _stored(field.type) for field in schema}
    types: dict[str, Any] = {}
    sound = (record for _, record in sound_records(reader.records(0, None), lenient=lenient))
    while records := list(islice(sound, PEEK)):
        for name in dict.fromkeys(name for record in records for name in record):
            kind = _type_of([record.get(name) for record in records])
            types[name] = _common(types[name], kind) if name in types else kind
    return {name: kind if kind is None or _is_stored(kind) else None for name, kind in types.items()}


def _type_of(values: Sequence[Any]) -> Any:
    try:
        return pa.array(values).type
    except (pa.ArrowException, OverflowError, TypeError):
        return None


def _common(one: Any, other: Any) -> Any:
    """The type that has room for both; None where there is none."""
    if one is None or other is None:
        return None
    try:
        schemas = [pa.schema([("value", kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field("value").type
    except pa.ArrowException:
        return None


def _is_stored(kind: Any) -> bool:
    """Whether Parquet can hold a type: an object without a single field it cannot."""
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(_is_stored(field.type) for field in kind)
    return _is_stored(kind.value_type) if pa.types.is_list(kind) else True


def _stored(kind: Any) -> Any:
    """A type without the marks that say how it is packed: its values come as plain ones."""
    if isinstance(kind, pa.BaseExtensionType):
        return _stored(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _stored(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_stored(kind.value_type))
    return kind


def _own_id(record: Mapping[str, Any]) -> str | None:
    """The id that a dataset of ours gives. Raises ConfigError where something else has its name."""
    own = record.get("row_id")
    if own is not None and not (isinstance(own, str) and ROW_ID.fullmatch(own)):
        raise ConfigError(
            "row_id is the name of our ids, of 32 hex digits", repr(own), "call that column something else"
        )
    return own


def _answered(frame: pl.DataFrame, records: Records) -> pl.DataFrame:
    """Seeds as responses: what wrote each and its system prompt are known, "" where the record does not say."""
    drop = [
        name
        for name in frame.columns
        if name not in ("row_id", "instruction", "messages", "response", "system", "tools")
    ]
    rows = frame.drop(drop)
    if any(isinstance(record.get(LABEL), bool) for record in records):
        rows = _labelled(rows, [record.get(LABEL) is not False for record in records])
    if "response" not in rows.columns:
        return rows
    models = [record.get("response_model") for record in records]
    written = [model if isinstance(model, str) else "" for model in models]
    system = pl.col("system").fill_null("") if "system" in rows.columns else pl.lit("")
    return rows.with_columns(system.alias("system"), pl.Series("response_model", written, dtype=pl.String))


def _verifiers(records: Records) -> pl.Series:
    """What checks the answers of each, where the record says so."""
    named = [record.get("verifier") for record in records]
    return pl.Series("verifier", [name if isinstance(name, str) else None for name in named], dtype=pl.String)


def _labelled(rows: pl.DataFrame, good: Sequence[bool]) -> pl.DataFrame:
    """Rows of KTO: an answer that is marked as unwanted may be any."""
    if "response" not in rows.columns:
        return rows
    wanted = pl.Series(LABEL, good)
    return rows.with_columns(wanted, pl.when(wanted).then("response").alias("response"))


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """Seeds as pairs: what both sides answer, and each answer as a turn."""
    prompts, sides = [], {side: list[Any]() for side in PAIR}
    for row in frame.iter_rows(named=True):
        asked = row.get("messages") or [{"role": "user", "content": row.get("instruction")}]
        if row.get("system") and asked[0]["role"] != "system":
            asked = [{"role": "system", "content": row["system"]}, *asked]
        prompts.append([{"role": turn["role"], "content": turn["content"]} for turn in asked])
        given = row["responses"] if len(row["responses"] or ()) == len(PAIR) else [None] * len(PAIR)
        for side, response in zip(PAIR, given, strict=True):
            sides[side].append(response and [{"role": "assistant", "content": response["text"]}])
    talk = pl.List(MESSAGE)
    columns = [column_of(name, values, talk) for name, values in {"prompt": prompts, **sides}.items()]
    return frame.select("row_id").with_columns(columns)
