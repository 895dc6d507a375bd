"""Records of text files, one by one with their places: JSON lines, a JSON list, CSV, plain lines, YAML, an inline list.

A reader stops at the first thing it cannot read, with one line that names the place. Only YAML and inline lists, which
people write by hand, are held in memory whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson
import yaml

from tasks.errors import ConfigError
from tasks.seeds.json_list import json_items, no_number
from tasks.seeds.kinds import described
from tasks.storage.digest import canonical, digest
from tasks.text.reading.json_text import exact_json


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be read while those after it can: what is wrong with it, and its text."""

    error: ConfigError
    raw: str


Record = dict[str, Any] | BadRecord
Placed = Iterator[tuple[int, Record]]  # a record after its place, counted from 1
LineMarks = set[tuple[int, int, int]]
"""Records before a line of a file, bytes before it, and lines before it."""
MARKED = 1_000  # records between two marks
LONGEST_CELL = 1 << 24  # characters; more than that is a quote that was never closed
NOT_NUMBERS = re.compile(rb"NaN|Infinity")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Reader:
    """Where records come from.

    `name`: as the user gave it. `place`: what a record is counted in: line, row or item. `size` in bytes, None where it
    is not known. `records(start, columns)`: the records after the first `start`, with these columns at least (all where
    None). `content`: digest of what is read. `header`: the columns, None where they may differ between records. `at_row`: the place in words, where several files are read as one.
    `schema`: the columns as arrow has them, None where only reading tells their types.
    """

    name: str
    place: str
    size: int | None
    records: Callable[[int, Sequence[str] | None], Placed]
    content: Callable[[], str]
    header: Callable[[], Sequence[str]] | None = None
    at_row: Callable[[int], str] | None = None
    schema: Callable[[], Any] | None = None

    def at(self, number: int) -> str:
        """The place in words: `seeds.jsonl line 17`."""
        return self.at_row(number) if self.at_row else f"{self.name} {self.place} {number}"


def text_reader(path: Path, name: str) -> Reader | None:
    """A reader for a text file by its extension (.gz may follow it), None where the extension is not known."""
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if kind == ".json" and not _holds_a_list(path, name):
        kind = ".jsonl"  # many are called .json that hold JSON lines
    read = READERS.get(kind)
    if read is None:
        return None

    marks: LineMarks = set()

    def records(start: int, _: Sequence[str] | None) -> Placed:
        if read is _json_lines and path.suffix.lower() != ".gz":
            return _json_lines(path, name, start, marks)
        return read(path, name, start)

    def header() -> Sequence[str]:
        return next(_rows(path, name), (0, []))[1]

    return Reader(
        name=name,
        place="item" if kind in (".json", ".yaml", ".yml") else "line",
        size=path.stat().st_size,
        records=records,
        content=lambda: bytes_of(path, name),
        header=header if kind in (".csv", ".tsv") else None,
    )


def list_reader(items: Sequence[Any], name: str) -> Reader:
    """A reader for a list: strings are instructions, mappings are records."""

    def records(start: int, _: Sequence[str] | None) -> Placed:
        return _items(enumerate(items, 1), name, start)

    return Reader(name=name, place="item", size=0, records=records, content=lambda: digest(canonical(items)))


def bytes_of(path: Path, name: str) -> str:
    """The digest of a file's bytes, read in a stream."""
    with _explained(name), path.open("rb") as file:
        return file_digest(file, "blake2b").hexdigest()[:32]


def short_error(error: BaseException) -> str:
    """An error in one line that is not too long."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 200 else f"{line[:199]}…"


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError("the file is damaged", f"{name}: {error}", "pack it with gzip again") from error
    except OSError as error:
        what = f"{name}: {error.strerror or error}"
        raise ConfigError("cannot read the file", what, "see to its permissions") from error


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it ends in .gz. Raises ConfigError where it cannot be read."""
    with _explained(name):
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as packed, io.BufferedReader(packed, 1 << 20) as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file


@contextmanager
def _decoded(path: Path, name: str) -> Iterator[IO[str]]:
    """The text of a file, its line ends as they are."""
    with _opened(path, name) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        try:
            yield text
        except UnicodeDecodeError as error:
            raise _first_not_utf8(path, name) from error


def _first_not_utf8(path: Path, name: str) -> ConfigError:
    """Says where the first byte is that does not belong; a decoder of chunks cannot tell the line."""
    with _opened(path, name) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return _not_utf8(f"{name} line {number}", line, error)
    raise AssertionError(f"{name} was not UTF-8 a moment ago")


def _not_utf8(where: str, line: bytes, error: UnicodeDecodeError) -> ConfigError:
    what = f"{where}: byte {error.start + 1} of the line is 0x{line[error.start]:02x}"
    return ConfigError("not UTF-8", what, "save the file as UTF-8")


def _lines(path: Path, name: str, start: int) -> Placed:
    with _decoded(path, name) as text:
        filled = ((number, line.rstrip("\r\n")) for number, line in enumerate(text, 1) if not line.isspace())
        for number, line in islice(filled, start, None):
            yield number, {"instruction": line}


def _json_lines(path: Path, name: str, start: int, marks: LineMarks | None = None) -> Placed:
    """`marks`: where records begin, of a file that can be entered anywhere; more are put there on the way."""
    record, place, first = max((mark for mark in tuple(marks or ()) if mark[0] <= start), default=(0, 0, 0))
    with _opened(path, name) as file:
        file.seek(place)
        for number, line in enumerate(file, first + 1):
            text = line.removeprefix(BOM) if number == 1 else line
            is_record = bool(text.strip())
            if is_record:
                if marks is not None and record % MARKED == 0:
                    marks.add((record, place, number - 1))
                record += 1
            place += len(line)
            if is_record and record > start:
                yield number, _json_record(text, f"{name} line {number}")


def _json_record(line: bytes, where: str) -> Record:
    try:
        record = exact_json(line)
    except orjson.JSONDecodeError as error:
        try:
            record = loose_json(line, where.partition(" line ")[0])
        except ValueError:
            return BadRecord(_malformed(where, line, error), line.decode(errors="replace"))
    if type(record) is dict:
        return record
    return _not_a_record(where, record, "{...} on each line; lists go into a .json file")


def loose_json(line: bytes, name: str) -> Any:
    """JSON in which a number may be NaN or Infinity, as Python and pandas write it: null, and told. Raises ValueError."""
    if not NOT_NUMBERS.search(line):
        raise ValueError("nothing loose in it")
    return json.loads(line, parse_constant=no_number(name))


def _malformed(where: str, line: bytes, error: orjson.JSONDecodeError) -> ConfigError:
    try:
        line.decode()
    except UnicodeDecodeError as undecodable:
        return _not_utf8(where, line, undecodable)
    hint = "mend or delete that line"
    if line.strip() in (b"{", b"["):
        hint = "give each record one line, or put a list of records into a .json file"
    return ConfigError("malformed JSON", f"{where}: {error.msg} at character {error.pos + 1}", hint)


def _holds_a_list(path: Path, name: str) -> bool:
    with _opened(path, name) as file:
        return file.read(1 << 16).removeprefix(BOM).lstrip().startswith(b"[")  # all of it may stand in one line


def _json_list(path: Path, name: str, start: int) -> Placed:
    with _decoded(path, name) as text:
        yield from _items(enumerate(json_items(text, name), 1), name, start)


def _items(items: Iterator[tuple[int, Any]], name: str, start: int) -> Placed:
    for number, item in islice(items, start, None):
        record = {"instruction": item} if isinstance(item, str) else item
        if not isinstance(record, dict):
            record = _not_a_record(f"{name} item {number}", record, "a text (in quotes) or a mapping")
        yield number, record


def _not_a_record(where: str, value: Any, expected: str) -> BadRecord:
    error = ConfigError("not a record", f"{where}: {described(value)}", f"expected {expected}")
    return BadRecord(error, json.dumps(value, default=str))


def _cells(path: Path, name: str, start: int) -> Placed:
    rows = _rows(path, name)
    _, header = next(rows, (0, []))
    repeated = [column for column, times in Counter(header).items() if column and times > 1]
    if repeated:
        what = f"{name}: {repeated[0]}"
        raise ConfigError("a column stands twice in the header", what, "give each column its own name")
    for number, row in islice(rows, start, None):
        if len(row) != len(header):
            where = f"{name} line {number}: {len(row)} cells, the header has {len(header)}"
            error = ConfigError("a ragged row", where, "put cells that hold the separator or a quote in quotes")
            yield number, BadRecord(error, json.dumps(row, ensure_ascii=False))
            continue
        yield number, dict(zip(header, row, strict=True))


def _rows(path: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV or TSV that are not blank, each with the line on which it begins."""
    delimiter = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))  # of the process; only ever raised
    with _decoded(path, name) as text:
        reader, begins = csv.reader(text, delimiter=delimiter, strict=True), 1
        try:
            for row in reader:
                if row:
                    yield begins, row
                begins = reader.line_num + 1
        except csv.Error as error:
            reason = str(error)
            if "end of data" in reason or "field limit" in reason:
                reason = "a quote is not closed"
            raise ConfigError("a malformed row", f"{name} line {begins}: {reason}", "mend its quotes") from error


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise yaml.constructor.ConstructorError(problem=f"the key {key} stands twice", problem_mark=mark)
        return super().construct_mapping(node, deep)


def _yaml(path: Path, name: str, start: int) -> Placed:
    with _decoded(path, name) as text:
        try:
            items = yaml.load(text.read(), _Loader)
        except yaml.YAMLError as error:
            raise ConfigError("malformed YAML", f"{name}{_mark(error)}", "mend that line") from error
    if items is not None and not isinstance(items, list):
        fix = "write one instruction a line, each after `- `"
        raise ConfigError("the YAML is not a list", f"{name}: {described(items)}", fix)
    yield from _items(enumerate(items or [], 1), name, start)


def _mark(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    line = f" line {mark.line + 1}" if mark is not None else ""
    return f"{line}: {problem or ' '.join(str(error).split())}"


READERS: dict[str, Callable[[Path, str, int], Placed]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_list,
    ".csv": _cells,
    ".tsv": _cells,
    ".txt": _lines,
    ".yaml": _yaml,
    ".yml": _yaml,
}
