"""Seeds from wherever the user has them, read in a stream.

    open_source("seeds.jsonl", columns={"instruction": "prompt"})

Takes .jsonl (.ndjson), .json, .csv, .tsv, .txt, .yaml (each also with .gz), .parquet, a folder that `load_dataset` or
`load_from_disk` of `datasets` opens, `hf:NAME[:CONFIG][@REVISION]`, or a list. Whatever is wrong with them is a
ConfigError of one line that names the place, or, where the run says so, a reject. It comes while reading; `check` reads
small sources through beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.folders import folder_reader, hub_reader
from tasks.engine.parquet_rows import parquet_reader
from tasks.engine.readers import Reader, list_reader, text_reader
from tasks.engine.seed_batches import PEEK, Source, first_steps, row_shapes, sound_records, wrong_type
from tasks.engine.seed_columns import TEXTS, MisfitError, near, parts_of, path_of, picked, shape_of
from tasks.errors import ConfigError
from tasks.seeds.known_formats import Reading, recognised, unused
from tasks.seeds.turns import unread_fields

LISTED = 20  # columns named in an error
KNOWN = "seeds may be .jsonl, .json, .csv, .tsv, .txt, .yaml, .parquet, a folder, or hf:NAME"


def open_source(
    spec: str | Path | list[Any],
    *,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
    reading: Reading | None = None,
) -> Source:
    """Seeds from a file, a folder, the Hub or a list.

    `columns`: our column -> the file's; only these are read. A dotted path leads into objects and lists
    (`instances.0.input`). Without it the columns the house knows are found by their names. `split`: of a folder or a
    dataset of the Hub; by default `train`, or the only one. Raises ConfigError.
    """
    reading = reading or Reading()
    reader = _reader_of(spec, split, as_text=set(columns or ()) <= set(TEXTS))
    peeked = Peek(reader, lenient=reading.bad == "reject")
    if not peeked.names:
        raise ConfigError("there are no seeds in it", reader.name, "give at least one")
    mapping = dict(columns or recognised(peeked.names, peeked.values, reading)) or _unrecognised(
        reader.name, peeked.names
    )
    paths = {ours: path_of(theirs, peeked.names) for ours, theirs in mapping.items()}
    for ours, theirs in mapping.items():
        _check_there(reader, peeked.names, ours, theirs, paths[ours])
    peek = peeked.records(first_steps(paths))
    if not peek:
        raise ConfigError("there are no seeds in it", f"{reader.name} has columns only", "give at least one row")
    kinds = {ours: _kind(reader, peek, ours, theirs, paths[ours], reading.joined) for ours, theirs in mapping.items()}
    source = Source(reader, mapping, kinds, paths, not columns, frozenset(peeked.names), reading, {})
    left = unused(peeked.names, first_steps(paths), mapping, reading)
    left += sorted({f"{mapping['messages']}.{field}" for field in _unread_fields(paths.get("messages"), peek)})
    return replace(source, shapes=row_shapes(source, peek), unused=_listed(left) if left else "")


def _unread_fields(path: Sequence[str] | None, peek: Sequence[tuple[int, dict[str, Any]]]) -> set[str]:
    """What the turns of the first conversations hold that is in no row."""
    talks = picked([record for _, record in peek], path) if path else []
    return {field for talk in talks if type(talk) is list for turn in talk for field in unread_fields(turn)}


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
    if ours == "row_id":
        raise ConfigError("row_id is made by the house", f"row_id={theirs}", "call our column something else")
    if set(parts_of(theirs, names)) <= set(names):
        return
    if reader.header is None or path[0] in names:
        # a rare key may come late; only a name that is nowhere costs a look at every record
        for _, record in sound_records(reader.records(0, [path[0]]), lenient=True):
            if (len(path) == 1 and path[0] in record) or picked([record], path) != [None]:
                return
    fix = near(theirs, names, f"it has {_listed(names)}")
    raise ConfigError(f"unknown column for {ours}", f"{theirs} in {reader.name}", fix)


def _reader_of(spec: str | Path | list[Any], split: str | None, *, as_text: bool) -> Reader:
    if isinstance(spec, list):
        return list_reader(spec, "the list of seeds")
    name = str(spec)
    if name.startswith("hf:"):
        return hub_reader(name, split)
    path = Path(name).expanduser()
    try:
        is_folder, size = path.is_dir(), path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, name) from error
    except OSError as error:
        raise ConfigError("cannot read the seeds", f"{name}: {error.strerror}", "see to its permissions") from error
    if is_folder:
        return folder_reader(path, name, split, KNOWN, as_text=as_text)
    if not size:
        raise ConfigError("the file is empty", name, "give at least one seed")
    reader = parquet_reader(path, name) if path.suffix.lower() == ".parquet" else text_reader(path, name)
    if reader is None:
        raise ConfigError("unknown kind of file", name, KNOWN)
    return reader


def _missing(path: Path, name: str) -> ConfigError:
    """Says which part of the path is not there, and what its folder has that is called nearly so."""
    what = "no such file"
    while not path.parent.is_dir():
        path, what = path.parent, f"no folder {path.parent.name}"
    if path.exists():
        return ConfigError(f"{path.name} is a file, not a folder", name, f"give {path}")
    return ConfigError(what, name, near(path.name, (other.name for other in path.parent.iterdir()), KNOWN))
