"""Rows out of a SQLite file that SQLite itself refuses to read: page by page, without the tree that joins the pages.

`stillroom ledger repair` reads with it. A row is on a leaf page, long ones go on in a chain of overflow pages; each leaf
tells by itself where its rows are, so that a damaged page costs the rows on it and no others. The write-ahead log is
read in the same way, also where SQLite would stop at a damaged frame: a row of the ledger is never changed, so every
image of its page is as good as the last. The format: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

MAGIC = b"SQLite format 3\0"
WAL_MAGIC = (0x377F0682, 0x377F0683)
USUAL_PAGE_BYTES = 4096
FIRST_PAGE_HEADER_BYTES = 100
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF = 0x02, 0x0A, 0x0D
INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
SHORTEST_ROW_BYTES = 16
PAGE_BEGINNINGS = {0x00, 0x02, 0x05, 0x0A, 0x0D}  # overflow (a page number follows), and the four kinds of tree page
PAGES_LOOKED_AT = 1000

ByteOrder = Literal["<", ">"]
Record = tuple[int, tuple[Any, ...]]


class BrokenCell(ValueError):
    """What is there is no row."""


class PageFile:
    """A SQLite file and its write-ahead log, as pages. A context: the files are open within it."""

    def __init__(self, path: Path) -> None:
        self._main = _mapped(path)
        self._wal = _mapped(path.with_name(path.name + "-wal"))
        self.page_bytes = self._page_size()  # a ledger reserves nothing at the end of a page
        self._main_pages = -(-len(self._main) // self.page_bytes)  # the last one may be cut
        self._frames = self._current_frames()

    def __enter__(self) -> PageFile:
        return self

    def __exit__(self, *_error: object) -> None:
        for file in (self._main, self._wal):
            if isinstance(file, mmap.mmap):
                file.close()

    @property
    def most_rows(self) -> int:
        """No more rows than this fit into the files: a higher number is none."""
        return (len(self._main) + len(self._wal)) // SHORTEST_ROW_BYTES

    def rows(self) -> Iterator[Record]:
        """(rowid, values) of every row on every leaf of a table; a row may come more than once."""
        for page, start in self._images():
            if page[start : start + 1] == bytes([TABLE_LEAF]):
                for cell in self._cells(page, start, 8):
                    try:
                        payload_bytes, at = _varint(page, cell)
                        rowid, at = _varint(page, at)
                        yield rowid, _values(self._payload(page, at, payload_bytes))
                    except (BrokenCell, IndexError, struct.error):
                        continue

    def index_entries(self) -> Iterator[tuple[Any, ...]]:
        """The values of every entry on every page of an index: a second witness of which rows there were."""
        for page, start in self._images():
            kind = page[start] if start < len(page) else 0
            if kind in (INDEX_LEAF, INDEX_INTERIOR):
                inner = kind == INDEX_INTERIOR
                for cell in self._cells(page, start, 12 if inner else 8):
                    try:
                        entry_bytes, at = _varint(page, cell + 4 * inner)
                        yield _values(page[at : at + entry_bytes])
                    except (BrokenCell, IndexError, struct.error):
                        continue

    def _images(self) -> Iterator[tuple[bytes, int]]:
        """Every page there is, and where its header begins: those of the file, then those of the log, in order."""
        for number in range(1, self._main_pages + 1):
            yield self._main_page(number), FIRST_PAGE_HEADER_BYTES if number == 1 else 0
        step = FRAME_HEADER_BYTES + self.page_bytes
        for at in range(WAL_HEADER_BYTES, len(self._wal) - FRAME_HEADER_BYTES, step):
            number = int.from_bytes(self._wal[at : at + 4], "big")
            page = self._wal[at + FRAME_HEADER_BYTES : at + step]
            yield page, FIRST_PAGE_HEADER_BYTES if number == 1 else 0

    def _main_page(self, number: int) -> bytes:
        return self._main[(number - 1) * self.page_bytes : number * self.page_bytes]

    def _page(self, number: int) -> bytes:
        """The newest image of a page."""
        at = self._frames.get(number)
        if at is None:
            return self._main_page(number) if number >= 1 else b""
        return self._wal[at : at + self.page_bytes]

    def _cells(self, page: bytes, start: int, header_bytes: int) -> Iterator[int]:
        """Where the cells of a page begin."""
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        first = start + header_bytes
        count = min(count, (self.page_bytes - first) // 2)
        for at in range(first, first + 2 * count, 2):
            cell = int.from_bytes(page[at : at + 2], "big")
            if first <= cell < self.page_bytes:
                yield cell

    def _payload(self, page: bytes, at: int, payload_bytes: int) -> bytes:
        """What a cell of a table holds, its overflow pages included."""
        most = self.page_bytes - 35
        if payload_bytes > len(self._main) + len(self._wal) or payload_bytes < SHORTEST_ROW_BYTES:
            raise BrokenCell
        if payload_bytes <= most:
            return page[at : at + payload_bytes]
        least = (self.page_bytes - 12) * 32 // 255 - 23
        local = least + (payload_bytes - least) % (self.page_bytes - 4)
        local = local if local <= most else least
        parts, left = [page[at : at + local]], payload_bytes - local
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        while left > 0:
            more = self._page(following)
            if len(more) < 4:
                raise BrokenCell
            parts.append(more[4 : min(self.page_bytes, 4 + left)])
            left -= self.page_bytes - 4
            following = int.from_bytes(more[:4], "big")
        if following != 0:  # a chain ends with its row: this one has been written over
            raise BrokenCell
        return b"".join(parts)

    def _page_size(self) -> int:
        """Bytes of a page: what the file or the log says, or the usual, whichever the pages look like.

        Both headers may be damaged themselves. With too small a page most begin in the middle of some text; with too
        large a one as many begin well as with the right one: of equals the smallest.
        """
        said = int.from_bytes(self._main[16:18], "big"), int.from_bytes(self._wal[8:12], "big")
        sizes = {65536 if size == 1 else size for size in said}
        return max(sorted({USUAL_PAGE_BYTES} | set(filter(_is_page_size, sizes))), key=self._well_begun)

    def _well_begun(self, page_bytes: int) -> float:
        """The share of pages of this size, of some that lie all over the file, that begin as pages do."""
        file, header_bytes, step = self._main, 0, page_bytes
        if not file:
            file, header_bytes, step = self._wal, WAL_HEADER_BYTES + FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + page_bytes
        starts = range(header_bytes + (step if file is self._main else 0), len(file), step)
        looked_at = starts[:: max(1, len(starts) // PAGES_LOOKED_AT)]
        return sum(file[at] in PAGE_BEGINNINGS for at in looked_at) / max(1, len(looked_at))

    def _current_frames(self) -> dict[int, int]:
        """Where in the log the newest image of each page lies. Frames of the log's earlier use have other salts."""
        frames: dict[int, int] = {}
        step = FRAME_HEADER_BYTES + self.page_bytes
        salts = self._wal[16:24]
        if int.from_bytes(self._wal[:4], "big") not in WAL_MAGIC:
            salts = self._wal[WAL_HEADER_BYTES + 8 : WAL_HEADER_BYTES + 16]
        for at in range(WAL_HEADER_BYTES, len(self._wal) - step + 1, step):
            if self._wal[at + 8 : at + 16] == salts:
                frames[int.from_bytes(self._wal[at : at + 4], "big")] = at + FRAME_HEADER_BYTES
        return frames


def log_is_cut(path: Path) -> bool:
    """Whether commits lie behind a damaged place of a file's write-ahead log: SQLite drops them without a word.

    A transaction that was never finished, as a killed process leaves it, is no damage.
    """
    wal = path.with_name(path.name + "-wal")
    log = wal.read_bytes() if wal.exists() else b""
    if not log:
        return False
    order: ByteOrder = ">" if log[3] & 1 else "<"
    sums = _checksum(log[:24], (0, 0), order)
    if int.from_bytes(log[:4], "big") not in WAL_MAGIC or struct.pack(">II", *sums) != log[24:32]:
        return True
    step, whole = FRAME_HEADER_BYTES + int.from_bytes(log[8:12], "big"), True
    for at in range(WAL_HEADER_BYTES, len(log) - step + 1, step):
        if log[at + 8 : at + 16] != log[16:24]:  # what follows is left from the log's earlier use
            whole = False
            continue
        if whole:
            sums = _checksum(log[at : at + 8], sums, order)
            sums = _checksum(log[at + FRAME_HEADER_BYTES : at + step], sums, order)
            whole = struct.pack(">II", *sums) == log[at + 16 : at + 24]
        commits = log[at + 4 : at + 8] != bytes(4)
        if commits and not whole:
            return True
    return False


def _checksum(data: bytes, sums: tuple[int, int], order: ByteOrder) -> tuple[int, int]:
    """The log's running checksum, taken further over some bytes."""
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next(words) + first) & 0xFFFFFFFF
    return first, second


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A file's bytes, read as they are needed; none where there is no such file."""
    if not path.is_file() or path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65536 and size & (size - 1) == 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, big-endian, seven bits a byte and eight of the ninth; and where it ends."""
    value = 0
    for position in range(at, at + 8):
        value = value << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            return value, position + 1
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >> 63 else value), at + 9


def _values(payload: bytes) -> tuple[Any, ...]:
    """The values of a record: first their types, then they themselves. Raises BrokenCell where that does not fit."""
    header_bytes, at = _varint(payload, 0)
    if not at <= header_bytes <= len(payload):
        raise BrokenCell
    values, position = [], header_bytes
    while at < header_bytes:
        kind, at = _varint(payload, at)
        value, position = _value(payload, kind, position)
        values.append(value)
    if at != header_bytes or position != len(payload):
        raise BrokenCell
    return tuple(values)


def _value(payload: bytes, kind: int, at: int) -> tuple[Any, int]:
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), at
    if kind in INTEGER_BYTES:
        end = at + INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack(">d", payload[at : at + 8])[0], at + 8
    if kind < 12:
        raise BrokenCell
    end = at + (kind - 12) // 2
    if end > len(payload):
        raise BrokenCell
    value = payload[at:end]
    if kind % 2 == 0:
        return value, end
    try:
        return value.decode(), end
    except UnicodeDecodeError:
        raise BrokenCell from None
