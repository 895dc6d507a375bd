"""Seeds from wherever the user has them, read in a stream.

    open_source("seeds.jsonl", columns={"instruction": "prompt"})

Takes .jsonl (.ndjson), .json, .csv, .tsv, .txt, .yaml (each also with .gz), .parquet, a folder that `load_dataset` or
`load_from_disk` of `datasets` opens, `hf:NAME[:CONFIG][@REVISION]`, or a list. Whatever is wrong with them is a
ConfigError of one line that names the place. It comes while reading; `check` reads small sources through beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.engine.digest import canonical, digest
from tasks.engine.home import home
from tasks.engine.readers import Placed, Reader, bytes_of, list_reader, text_reader
from tasks.engine.seed_columns import (
    RECOGNISED,
    SEPARATOR,
    MisfitError,
    near,
    parts_of,
    path_of,
    picked,
    recognised,
    shape_of,
    shaped,
    speechless,
)
from tasks.errors import ConfigError

PEEK = 1000  # records that tell the columns and their types
CHECKED_BYTES = 64 * 2**20  # sources up to this size are read through before a run
ARROW_ROWS = 1000  # rows decoded at a time
LISTED = 20  # columns named in an error
CONFIG = "a dataset with several configs is hf:NAME:CONFIG"
MEND = "mend it, or give the one file that holds the seeds"
KNOWN = "seeds may be .jsonl, .json, .csv, .tsv, .txt, .yaml, .parquet, a folder, or hf:NAME"
HUB = re.compile(r"hf:(?P<name>[^:@\s]+)(:(?P<config>[^@\s]+))?(@(?P<revision>\S+))?")
Records = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Source:
    """Seeds that can be read again and again.

    `columns`: our column -> the file's. `shapes`: their types. `paths`: the way to each within a record. `found`:
    whether they were recognised by their names rather than given.
    """

    reader: Reader
    columns: Mapping[str, str]
    shapes: Mapping[str, pl.DataType]
    paths: Mapping[str, tuple[str, ...]]
    found: bool

    @property
    def name(self) -> str:
        """The source as the user gave it."""
        return self.reader.name

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the content and of the columns read from it. Reads the file once, when first asked for."""
        return digest("source", self.reader.content(), canonical(self.columns))

    def batches(self, size: int | Iterator[int], *, start: int = 0, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Frames of `size` rows (or of one size after the other), in order, from row `start`, `limit` rows in all.

        They have our columns. Raises ConfigError at the first row that cannot be used.
        """
        sizes = repeat(size) if isinstance(size, int) else size
        records = islice(self.reader.records(start, _first_steps(self.paths)), limit)
        while chunk := list(islice(records, next(sizes))):
            yield self._frame([number for number, _ in chunk], [record for _, record in chunk])

    def check(self) -> None:
        """Read the whole source through, so that its faults come to light before anything is paid for.

        Sources over 64 MiB and those on the Hub are not: their faults end the run when it comes to them.
        """
        if self.reader.size is not None and self.reader.size <= CHECKED_BYTES:
            for _ in self.batches(ARROW_ROWS):
                pass

    def _frame(self, numbers: Sequence[int], records: Records) -> pl.DataFrame:
        if self.found and self.reader.header is None:
            self._refuse_latecomers(numbers, records)
        values = {ours: self._values(ours, numbers, records) for ours in self.columns}
        if fault := speechless(values):
            index, what = fault
            column = self.columns.get("instruction", self.columns.get("messages", ", ".join(self.columns.values())))
            raise ConfigError(
                what, self._where(numbers[index], column), "give each seed something to ask, or delete it"
            )
        return pl.DataFrame([self._series(ours, values[ours], numbers) for ours in self.columns])

    def _values(self, ours: str, numbers: Sequence[int], records: Records) -> Sequence[Any]:
        try:
            return shaped(ours, self.shapes[ours], picked(records, self.paths[ours]))
        except MisfitError as misfit:
            raise _wrong_type(self.reader.at(numbers[misfit.index]), ours, self.columns[ours], misfit) from misfit

    def _series(self, ours: str, values: Sequence[Any], numbers: Sequence[int]) -> pl.Series:
        shape = self.shapes[ours]
        try:
            if not shape.is_nested():
                return pl.Series(ours, values, shape)
            # by way of arrow: polars itself takes 20 times as long over lists of structs
            return pl.Series(ours, pa.array(values, pl.Series(dtype=shape).to_arrow().type))
        except UnicodeEncodeError as error:
            index = next(index for index, value in enumerate(values) if not _encodes(value))
            where = self._where(numbers[index], self.columns[ours])
            raise ConfigError("half a surrogate pair in a text", where, "mend that character") from error

    def _where(self, number: int, column: str) -> str:
        return f"{self.reader.at(number)}, column {column}"

    def _refuse_latecomers(self, numbers: Sequence[int], records: Records) -> None:
        """A column of ours that the first records did not have would be left out silently."""
        late = RECOGNISED.keys() - set(self.columns.values())
        for number, record in zip(numbers, records, strict=True):
            if not late.isdisjoint(record):
                column = min(late.intersection(record))
                options = {**self.columns, column: column}
                fix = " ".join(f"--column {ours}={theirs}" for ours, theirs in options.items())
                what = f"a column that the first {PEEK} rows do not have"
                raise ConfigError(what, f"{self.reader.at(number)}: {column}", f"say what to read: {fix}")


def open_source(
    spec: str | Path | list[Any], *, columns: Mapping[str, str] | None = None, split: str | None = None
) -> Source:
    """Seeds from a file, a folder, the Hub or a list.

    `columns`: our column -> the file's; only these are read. A dotted path leads into objects and lists
    (`instances.0.input`). Without it the columns the house knows are found by their names. `split`: of a folder or a
    dataset of the Hub; by default `train`, or the only one. Raises ConfigError.
    """
    reader = _reader_of(spec, split)
    peek = [] if reader.header else list(islice(reader.records(0, None), PEEK))
    names = list(reader.header() if reader.header else dict.fromkeys(name for _, record in peek for name in record))
    if not names:
        raise ConfigError("there are no seeds in it", reader.name, "give at least one")
    mapping = dict(columns or recognised(names)) or _unrecognised(reader.name, names)
    paths = {ours: path_of(theirs, names) for ours, theirs in mapping.items()}
    for ours, theirs in mapping.items():
        _check_there(reader, names, ours, theirs, paths[ours])
    peek = peek or list(islice(reader.records(0, _first_steps(paths)), PEEK))
    if not peek:
        raise ConfigError("there are no seeds in it", f"{reader.name} has columns only", "give at least one row")
    shapes = {ours: _shape(reader, peek, ours, theirs, paths[ours]) for ours, theirs in mapping.items()}
    return Source(reader, mapping, shapes, paths, found=not columns)


def _first_steps(paths: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted({column for path in paths.values() for column in path[0].split(SEPARATOR)})


def _shape(reader: Reader, peek: Sequence[tuple[int, Any]], ours: str, theirs: str, path: Sequence[str]) -> pl.DataType:
    try:
        return shape_of(ours, picked([record for _, record in peek], path))
    except MisfitError as misfit:
        raise _wrong_type(reader.at(peek[misfit.index][0]), ours, theirs, misfit) from misfit


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
        for _, record in reader.records(0, [path[0]]):
            if (len(path) == 1 and path[0] in record) or picked([record], path) != [None]:
                return
    fix = near(theirs, names, f"it has {_listed(names)}")
    raise ConfigError(f"unknown column for {ours}", f"{theirs} in {reader.name}", fix)


def _wrong_type(at: str, ours: str, theirs: str, misfit: MisfitError) -> ConfigError:
    fix = f"{ours} must be {misfit.expected}; mend it or map another column"
    return ConfigError("a seed of the wrong type", f"{at}, column {theirs}: {misfit.found}", fix)


def _encodes(value: Any) -> bool:
    try:
        canonical(value)
    except TypeError:
        return False
    return True


def _reader_of(spec: str | Path | list[Any], split: str | None) -> Reader:
    if isinstance(spec, list):
        return list_reader(spec, "the list of seeds")
    name = str(spec)
    if name.startswith("hf:"):
        return _hub_reader(name, split)
    path = Path(name).expanduser()
    try:
        is_folder, size = path.is_dir(), path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, name) from error
    except OSError as error:
        raise ConfigError("cannot read the seeds", f"{name}: {error.strerror}", "see to its permissions") from error
    if is_folder:
        return _folder_reader(path, name, split)
    if not size:
        raise ConfigError("the file is empty", name, "give at least one seed")
    reader = _parquet_reader(path, name) if path.suffix.lower() == ".parquet" else text_reader(path, name)
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


def _parquet_reader(path: Path, name: str) -> Reader:
    with _parquet(path, name) as file:
        header = file.schema_arrow.names

    def records(start: int, columns: Sequence[str] | None) -> Placed:
        with _parquet(path, name) as file:
            row, groups = 0, list(range(file.num_row_groups))
            while groups and row + file.metadata.row_group(groups[0]).num_rows <= start:
                row += file.metadata.row_group(groups.pop(0)).num_rows
            for batch in file.iter_batches(ARROW_ROWS, row_groups=groups, columns=columns):
                yield from _arrow_rows(batch, row, start)
                row += batch.num_rows

    return Reader(name, "row", path.stat().st_size, records, lambda: bytes_of(path, name), lambda: header)


@contextmanager
def _parquet(path: Path, name: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ConfigError("cannot read the Parquet file", f"{name}: {_line(error)}", "write it again") from error


def _arrow_rows(batch: Any, first: int, start: int) -> Placed:
    """The rows of a batch or table whose first is row `first` of the source (from 0), those before `start` left out."""
    skipped = max(0, start - first)
    yield from enumerate(batch.slice(skipped).to_pylist(), first + skipped + 1)


def _folder_reader(path: Path, name: str, split: str | None) -> Reader:
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if not files:
        raise ConfigError("the folder is empty", name, KNOWN)
    saved = (path / "dataset_dict.json").exists() or (path / "state.json").exists()
    dataset = _dataset(name, split, path=str(path), saved=saved)

    def content() -> str:
        parts = ((file.relative_to(path).as_posix(), bytes_of(file, name)) for file in files)
        return digest(split or "", *(part for pair in parts for part in pair))

    return _dataset_reader(dataset, name, sum(file.stat().st_size for file in files), content)


def _hub_reader(name: str, split: str | None) -> Reader:
    parts = HUB.fullmatch(name)
    if parts is None:
        raise ConfigError("not a dataset of the Hub", name, "write hf:NAME, hf:NAME:CONFIG or hf:NAME@REVISION")
    from huggingface_hub import HfApi

    try:  # one quick request first: where there is no network, `datasets` goes on trying for half a minute
        commit = HfApi().dataset_info(parts["name"], revision=parts["revision"], timeout=20).sha or ""
    except Exception as error:  # the client lets through whatever its network library raises
        fix = "see to the name and the network, or give a file or folder"
        raise ConfigError("cannot reach the dataset on the Hub", f"{name}: {_line(error)}", fix) from error
    dataset = _dataset(name, split, path=parts["name"], config=parts["config"], revision=commit)
    return _dataset_reader(
        dataset, name, None, lambda: digest(parts["name"], parts["config"] or "", commit, split or "")
    )


def _dataset(name: str, split: str | None, *, path: str, saved: bool = False, config: str | None = None,
             revision: str | None = None) -> Any:  # fmt: skip
    """One split as a dataset of `datasets`: streaming, except that one saved to disk is mapped into memory."""
    import datasets

    with _dataset_faults("not a dataset that can be opened", name, KNOWN if revision is None else CONFIG):
        if saved:
            splits = datasets.load_from_disk(path)
        else:
            cache = str(home() / "huggingface")  # a stream caches nothing but takes a lock there
            splits = datasets.load_dataset(path, config, revision=revision, streaming=True, cache_dir=cache)
    if not isinstance(splits, dict):
        return splits
    chosen = split or (next(iter(splits)) if len(splits) == 1 else "train")
    if chosen not in splits:
        raise ConfigError("no such split", f"{chosen} in {name}", f"it has {', '.join(splits)}")
    return splits[chosen]


@contextmanager
def _dataset_faults(what: str, name: str, fix: str) -> Iterator[None]:
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException, DatasetsError) as error:
        raise ConfigError(what, f"{name}: {_line(error)}", fix) from error


def _dataset_reader(dataset: Any, name: str, size: int | None, content: Callable[[], str]) -> Reader:
    def records(start: int, columns: Sequence[str] | None) -> Placed:
        chosen = dataset.select_columns(columns) if columns else dataset
        if hasattr(dataset, "__len__") and start >= len(dataset):
            return  # where a stream is merely at its end, a dataset on disk objects
        row = start
        with _dataset_faults("cannot read the dataset", name, MEND):
            for table in chosen.skip(start).with_format("arrow").iter(ARROW_ROWS):
                yield from _arrow_rows(table, row, start)
                row += table.num_rows

    def header() -> list[str]:
        with _dataset_faults("cannot read the dataset", name, MEND):
            return list(dataset.column_names or next(iter(dataset), {}))

    return Reader(name, "row", size, records, content, header)


def _line(error: BaseException) -> str:
    """An error in one line that is not too long."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 200 else f"{line[:199]}…"
