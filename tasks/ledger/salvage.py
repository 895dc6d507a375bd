"""The rows of a SQLite file that SQLite refuses to read as a whole: leaf by leaf, each of them read by SQLite.

`stillroom ledger repair` reads with it. A row lies on a leaf of its table's tree, a long one goes on in a chain of pages;
a leaf needs nothing of the tree that leads to it. So, on a copy of the file, each leaf in turn is put into the place of
the root of a table that has this one page. A damaged page, also that of the schema or the tree's root, costs the rows on
it and no others, where a query over a range of rows would end with all rows lost. SQLite stops likewise at a damaged
place of the write-ahead log, without a word: here its other pages are put into the copy first. Both formats:
https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from tasks.ledger.database import completions

PAGE_BYTES = 4096  # SQLite's own choice, in every ledger
MOST_PAGES = 1 << 28  # a terabyte; a page with a higher number is none
ROOT = 2  # of the first table of a file: in a ledger a root too, so that no chain goes through it
LEAF = b"\x0d"
CHANGES_AT, PAGES_AT = 24, 28  # in the file's header
LOG_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
LOG_MAGIC = (0x377F0682, 0x377F0683)
SHORTEST_ROW_BYTES = 16

SalvagedEntry = tuple[int, tuple[Any, ...]]


def salvaged(file: BinaryIO, log: bytes, scratch: Path) -> Iterator[SalvagedEntry]:
    """(rowid, values) of every row on every leaf of a table, and one record without values: the highest rowid known.

    `scratch`: where the copy is made, in a folder of its own. A rowid that none can have is 0.
    """
    schema = _schema_of_one_table(scratch)
    with scratch.open("wb+", buffering=0) as copy:
        shutil.copyfileobj(file, copy)
        pages = -(-copy.tell() // PAGE_BYTES)
        behind = sorted(number for number in _apply(log, copy) if number > pages)
        most = (pages + len(behind)) * PAGE_BYTES // SHORTEST_ROW_BYTES
        yield min(most, _highest(scratch)), ()
        root = os.pread(copy.fileno(), PAGE_BYTES, (ROOT - 1) * PAGE_BYTES)
        os.pwrite(copy.fileno(), schema, 0)
        with closing(_opened(scratch)) as connection:
            for number in chain(range(ROOT, pages + 1), behind):
                at = (number - 1) * PAGE_BYTES
                page = root if number == ROOT else os.pread(copy.fileno(), PAGE_BYTES, at)
                if page.startswith(LEAF):
                    os.pwrite(copy.fileno(), page.ljust(PAGE_BYTES, b"\0"), (ROOT - 1) * PAGE_BYTES)
                    os.pwrite(copy.fileno(), struct.pack(">I", number), CHANGES_AT)  # so that SQLite reads it anew
                    yield from ((rowid if rowid <= most else 0, row) for rowid, row in _on_leaf(connection))
    scratch.unlink()


def log_is_cut(path: Path) -> bool:
    """Whether commits lie behind a damaged place of a file's write-ahead log: SQLite drops them without a word.

    A transaction that was never finished, as a killed process leaves it, is no damage.
    """
    log = log_of(path)
    cut = not _is_header(log)
    for _, commits, page in _frames(log):
        cut = cut or page is None
        if cut and commits:
            return True
    return False


def log_of(path: Path) -> bytes:
    """The write-ahead log of a file; nothing where there is none."""
    with suppress(FileNotFoundError):
        return log_path(path).read_bytes()
    return b""


def log_path(path: Path) -> Path:
    """Where the write-ahead log of a file lies, if there is one."""
    return path.with_name(path.name + "-wal")


def _on_leaf(connection: sqlite3.Connection) -> list[SalvagedEntry]:
    """The rows of the one leaf: all at once, or where that fails each by itself."""
    query = "SELECT rowid, * FROM leaf LIMIT ? OFFSET ?"
    rows, cells = [], 0
    with suppress(sqlite3.DatabaseError):
        [(cells,)] = connection.execute("SELECT count(*) FROM leaf")
        rows = connection.execute(query, (cells, 0)).fetchall()
    for cell in range(0 if rows else cells):
        with suppress(sqlite3.DatabaseError):
            rows += connection.execute(query, (1, cell)).fetchall()
    return [(row[0], row[1:]) for row in rows]


def _highest(file: Path) -> int:
    """The highest rowid that table or index knows, both where they can be read: rows are numbered without gaps."""
    highest = 0
    for query in ("SELECT rowid FROM completions ORDER BY rowid DESC LIMIT 1", "SELECT max(+rowid) FROM completions"):
        with suppress(sqlite3.DatabaseError, UnicodeDecodeError), closing(_opened(file)) as connection:
            highest = max([highest, *(rowid for (rowid,) in connection.execute(query) if rowid)])
    return highest


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")  # a good one is told from it later
    return connection


def _schema_of_one_table(place: Path) -> bytes:
    """The first page of a file with one table, of a ledger's columns; it does not say how many pages there are."""
    with closing(sqlite3.connect(place)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"CREATE TABLE leaf ({', '.join(completions.c.keys())})")
    page = bytearray(place.read_bytes()[:PAGE_BYTES])
    page[PAGES_AT : PAGES_AT + 4] = bytes(4)
    return bytes(page)


# The write-ahead log: frames, each a page of the file, with a checksum that runs through all of them.


def _apply(log: bytes, copy: BinaryIO) -> set[int]:
    """Put the pages of all commits into the copy, those on damaged frames left out. Returns which pages."""
    frames, applied = list(_frames(log)), set()
    while frames and not frames[-1][1]:
        frames.pop()
    for number, _, page in frames:
        if page is not None and 1 <= number <= min(frames[-1][1], MOST_PAGES):
            os.pwrite(copy.fileno(), page, (number - 1) * PAGE_BYTES)
            applied.add(number)
    return applied


def _frames(log: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """Each frame: which page it is; how many there are then, where a commit ends with it; the page, unless it is damaged.

    Frames of the log's earlier use have other salts. A frame behind a damaged one cannot be checked, and is taken.
    """
    known = _is_header(log)
    salts = log[16:24] if known else log[LOG_HEADER_BYTES + 8 : LOG_HEADER_BYTES + 16]
    sums = log[24:32]
    for at in range(LOG_HEADER_BYTES, len(log) - FRAME_BYTES + 1, FRAME_BYTES):
        head, page = log[at : at + FRAME_HEADER_BYTES], log[at + FRAME_HEADER_BYTES : at + FRAME_BYTES]
        ours = head[8:16] == salts
        whole = ours and (not known or _checksum(log[3], head[:8] + page, sums) == head[16:24])
        number, pages_then = struct.unpack(">II", head[:8])
        yield number, pages_then if ours else 0, page if whole else None
        sums, known = head[16:24], whole


def _is_header(log: bytes) -> bool:
    return log[:4] in (struct.pack(">I", magic) for magic in LOG_MAGIC) and _checksum(log[3], log[:24]) == log[24:32]


def _checksum(kind: int, data: bytes, before: bytes = bytes(8)) -> bytes:
    """The checksum of what came before, taken further. `kind`: the last byte of the log's first four."""
    first, second = struct.unpack(">II", before)
    words = iter(struct.unpack(f"{'>' if kind & 1 else '<'}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next(words) + first) & 0xFFFFFFFF
    return struct.pack(">II", first, second)
