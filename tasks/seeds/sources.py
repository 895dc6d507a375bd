"""Seeds from wherever the user has them, read in a stream.

    open_source("seeds.jsonl", columns={"instruction": "prompt"})

Takes .jsonl (.ndjson), .json, .csv, .tsv, .txt, .yaml (each also with .gz), .parquet, a folder that `load_dataset` or
`load_from_disk` of `datasets` opens, `hf:NAME[:CONFIG][@REVISION]`, or a list. Whatever is wrong with them is a
ConfigError of one line that names the place, or, where the run says so, a reject. It comes while reading; `check` reads
small sources through beforehand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from tasks.errors import ConfigError, did_you_mean
from tasks.seeds.batches import COMPOSED_ID, PEEK, Source, first_steps, row_shapes, sound_records, wrong_type
from tasks.seeds.columns import NAME_SEPARATOR, TEXTS, MisfitError, joined_columns, path_of, picked, shape_of
from tasks.seeds.documents.files import DOCUMENT_COLUMNS, document_reader, holds_documents
from tasks.seeds.known_formats import Reading, recognised, unused
from tasks.seeds.own_columns import INTERNAL, own_columns
from tasks.seeds.readers import BadRecord, Reader, list_reader, text_reader
from tasks.seeds.there import HUB_PREFIX, SEED_FORMS, path_there
from tasks.seeds.traces.conversation import TraceReading
from tasks.seeds.traces.files import TRACE_READ, trace_reader
from tasks.seeds.turns import unread_fields
from tasks.text.documents.chunks import Chunking

LISTED = 20  # columns named in an error


@dataclass(frozen=True)
class StepReads:
    """What the first step of a recipe reads of seeds beside what every step does.

    `chunking`: how documents are cut, None where it reads none. `columns`: ours, and what files call them. `traces`: how logs of
    agents are read, None where it takes other seeds.
    """

    chunking: Chunking | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    traces: TraceReading | None = None

    def columns_in(self, names: Collection[str]) -> dict[str, str]:
        """The columns among those of the file that the step reads, each by the likeliest of its names."""
        found = ((ours, next((one for one in known if one in names), None)) for ours, known in self.columns.items())
        return {ours: theirs for ours, theirs in found if theirs is not None}


NOTHING_MORE = StepReads()


def documents_in(spec: str | Path | list[Any] | Reader, step: StepReads) -> Reader | None:
    """A reader for documents, where the step reads them and the source is some; else None."""
    if step.chunking is None or isinstance(spec, list | Reader) or str(spec).startswith(HUB_PREFIX):
        return None
    path = path_there(str(spec))
    return document_reader(path, str(spec), step.chunking) if holds_documents(path) else None


def traces_in(spec: str | Path | list[Any] | Reader, step: StepReads) -> Reader | None:
    """A reader for logs of agents, where the step takes these; else None. Raises ConfigError for what is no file."""
    if step.traces is None or isinstance(spec, Reader):
        return None
    if isinstance(spec, list) or str(spec).startswith(HUB_PREFIX):
        raise ConfigError(
            "logs of agents are files", None, "give --seeds a file or a folder; `respond` takes other seeds"
        )
    return trace_reader(path_there(str(spec)), str(spec), step.traces)


def _begun(
    spec: str | Path | list[Any] | Reader,
    columns: Mapping[str, str] | None,
    split: str | None,
    reading: Reading,
    step: StepReads,
) -> tuple[Reader, Mapping[str, str] | None, Reading, bool]:
    """Who reads the source, which of its columns, and how; and whether it is files of which each may be faulty."""
    if (documents := documents_in(spec, step)) is not None:
        return documents, DOCUMENT_COLUMNS, replace(reading, bad="reject"), True
    if (logs := traces_in(spec, step)) is not None:
        return logs, TRACE_READ, replace(reading, bad="reject", answers=True), True
    as_text = set(columns or ()) <= set(TEXTS)
    reader = spec if isinstance(spec, Reader) else reader_of(spec, split, as_text=as_text)
    return reader, columns, reading, False


def open_source(
    spec: str | Path | list[Any] | Reader,
    *,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
    reading: Reading | None = None,
    keep: Sequence[str] = (),
    taken: Collection[str] = (),
    used: Collection[str] = (),
    step: StepReads = NOTHING_MORE,
) -> Source:
    """Seeds from a file, a folder, the Hub, a list, or whatever a reader reads.

    `columns`: our column -> the file's; only these are read. A dotted path leads into objects and lists
    (`instances.0.input`). Without it the columns the house knows are found by their names. `split`: of a folder or a
    dataset of the Hub; by default `train`, or the only one. `keep`: names of the user's own columns that go with the
    rows, "*" for all; `taken`: names that these may not have; `used`: names that are read beside
    the rows. `step`: what the first step reads beside what every step does. Raises ConfigError.
    """
    reader, columns, reading, of_files = _begun(spec, columns, split, reading or Reading(), step)
    peeked = Peek(reader, lenient=reading.bad == "reject")
    if not peeked.names:
        raise ConfigError("there are no seeds in it", reader.name, "give at least one")
    mapping = dict(columns or recognised(peeked.names, peeked.values, reading) | step.columns_in(peeked.names))
    mapping = mapping or _unrecognised(reader.name, peeked.names)
    paths = {ours: path_of(theirs, peeked.names) for ours, theirs in mapping.items()}
    for ours, theirs in mapping.items():
        _check_there(reader, peeked.names, ours, theirs, paths[ours])
    peek = peeked.records(first_steps(paths))
    if not peek:
        nothing = ConfigError("there are no seeds in it", f"{reader.name} has columns only", "give at least one row")
        raise _first_fault(reader, nothing) if of_files else nothing
    checked_by = {"reference": pl.String()} if reading.references and "reference" in mapping else {}
    kinds = {
        ours: checked_by.get(ours) or _kind(reader, peek, ours, theirs, paths[ours], reading.joined)
        for ours, theirs in mapping.items()
    }
    source = Source(reader, mapping, kinds, paths, not columns, frozenset(peeked.names), reading, {})
    read = {part for step in first_steps(paths) for part in step.split(NAME_SEPARATOR)}
    own = own_columns(reader, peeked.names, read, keep, taken)
    left = _unread(source, peeked.names, peek, {*keep, *used})
    return replace(source, own=own, shapes=row_shapes(source, peek), unused=_listed(left) if left else "")


def _unread(source: Source, names: Sequence[str], peek: Sequence[tuple[int, Any]], used: Collection[str]) -> list[str]:
    """The columns of the source, and the fields of its turns, that are in no row. `used`: what is read beside them."""
    unread = unused(names, first_steps(source.paths), source.columns, source.reading)
    of_turns = _unread_fields(source.paths.get("messages"), peek, source.reading)
    fields = sorted({f"{source.columns['messages']}.{field}" for field in of_turns})
    return [*(name for name in unread if not {name, "*"} & set(used)), *fields]


def _first_fault(reader: Reader, otherwise: ConfigError) -> ConfigError:
    """What is wrong with the first document that cannot be read."""
    records = (record for _, record in reader.records(0, None))
    return next((record.error for record in records if isinstance(record, BadRecord)), otherwise)


def first_record(spec: str | Path) -> dict[str, Any]:
    """The first record of a source as it stands there. Raises ConfigError where there is none."""
    reader = reader_of(spec, None, as_text=False)
    records = Peek(reader, lenient=False).records(())
    if not records:
        raise ConfigError("there is no row in it", reader.name, "give at least one")
    return records[0][1]


def _unread_fields(
    path: Sequence[str] | None, peek: Sequence[tuple[int, dict[str, Any]]], reading: Reading
) -> set[str]:
    """What the turns of the first conversations hold that is in no row."""
    talks = picked([record for _, record in peek], path) if path else []
    turns = [turn for talk in talks if type(talk) is list for turn in talk]
    return {field for turn in turns for field in unread_fields(turn, pools=reading.pools)}


class Peek:
    """The first records of a source, and its columns."""

    def __init__(self, reader: Reader, *, lenient: bool) -> None:
        self._reader, self._lenient = reader, lenient
        self._whole = [] if reader.header else self._read(None)
        found = (name for _, record in self._whole for name in record)
        self.names = list(reader.header() if reader.header else dict.fromkeys(found))

    def records(self, columns: Sequence[str]) -> list[tuple[int, dict[str, Any]]]:
        """The first records with their places, with these columns at least."""
        return self._whole or self._read(columns)

    def values(self, column: str) -> list[Any]:
        """The first values of a column."""
        return [record.get(column) for _, record in self.records([column])]

    def _read(self, columns: Sequence[str] | None) -> list[tuple[int, dict[str, Any]]]:
        return list(islice(sound_records(self._reader.records(0, columns), lenient=self._lenient), PEEK))


def _kind(
    reader: Reader, peek: Sequence[tuple[int, Any]], ours: str, theirs: str, path: Sequence[str], joined: bool
) -> pl.DataType:
    try:
        return shape_of(ours, picked([record for _, record in peek], path), joined=joined)
    except MisfitError as misfit:
        raise wrong_type(reader.at(peek[misfit.index][0]), ours, theirs, misfit) from misfit


def _unrecognised(name: str, names: Sequence[str]) -> dict[str, str]:
    fix = "say which holds the instruction: --column instruction=NAME"
    if len(names) == 1 and ";" in names[0]:
        fix = "separate the columns with commas, or with tabs in a .tsv"
    raise ConfigError("no column that we know", f"{name} has {_listed(names)}", fix)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(map(str, names[:LISTED])) + more


def _check_there(reader: Reader, names: Sequence[str], ours: str, theirs: str, path: Sequence[str]) -> None:
    """Raise ConfigError where the file has no such column, or nothing lies at the end of the path."""
    if ours in ("row_id", COMPOSED_ID, *INTERNAL):
        raise ConfigError(f"{ours} is made by the house", f"{ours}={theirs}", "call our column something else")
    if set(joined_columns(theirs, names)) <= set(names):
        return
    if reader.header is None or path[0] in names:
        # a rare key may come late; only a name that is nowhere costs a look at every record
        for _, record in sound_records(reader.records(0, [path[0]]), lenient=True):
            if (len(path) == 1 and path[0] in record) or picked([record], path) != [None]:
                return
    fix = did_you_mean(theirs, names, f"it has {_listed(names)}", at_least=0.6)
    raise ConfigError(f"unknown column for {ours}", f"{theirs} in {reader.name}", fix)


def reader_of(spec: str | Path | list[Any], split: str | None, *, as_text: bool) -> Reader:
    """Who reads a file, a folder, a dataset of the Hub or a list. What needs pyarrow is imported once there is something for it: a mistake is told sooner."""
    if isinstance(spec, list):
        return list_reader(spec, "the list of seeds")
    name = str(spec)
    if name.startswith(HUB_PREFIX):
        from tasks.seeds.folders import hub_reader

        return hub_reader(name, split)
    path = path_there(name)
    if path.is_dir():
        from tasks.seeds.folders import folder_reader

        return folder_reader(path, name, split, SEED_FORMS, as_text=as_text)
    if not path.stat().st_size:
        raise ConfigError("the file is empty", name, "give at least one seed")
    if path.suffix.lower() == ".parquet":
        from tasks.seeds.parquet_rows import parquet_reader

        return parquet_reader(path, name)
    reader = text_reader(path, name)
    if reader is None:
        raise ConfigError("unknown kind of file", name, SEED_FORMS)
    return reader
