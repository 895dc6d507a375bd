"""One long table as several Parquet files of a bounded size, named as `datasets` and the Hub name them.

    data/train.parquet                                      where all fits into one
    data/train-00000-of-00003.parquet, ...                  else

A file has all rows of a table up to its size, whatever frames they came in: equal rows give equal files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import polars as pl

from tasks.errors import ConfigError
from tasks.storage.tables import ROW_GROUP, regrouped

FILE_BYTES = 500_000_000
NAME = re.compile(r"(?P<table>\w+?)(-(?P<at>\d{5})-of-\d{5})?\.parquet")


class ShardWriter:
    """Writes the frames that it is given into files of at most `most_bytes`, named when the block ends.

    Frames have one schema. A table to which nothing was given has no file; one of frames without rows has one file.
    Memory is that of a row group.
    """

    def __init__(self, folder: Path, name: str, most_bytes: int = FILE_BYTES) -> None:
        self.folder, self.name, self.most_bytes, self.rows = folder, name, most_bytes, 0
        self._held: list[pl.DataFrame] = []
        self._height = 0
        self._files: list[Path] = []
        self._file: Any = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows at the end of the table."""
        self._held.append(frame)
        self._height += frame.height
        if self._height >= ROW_GROUP:
            groups = list(regrouped(self._held, ROW_GROUP))
            whole = groups if groups[-1].height == ROW_GROUP else groups[:-1]
            for group in whole:
                self._write_group(group)
            self._held = groups[len(whole) :] or [groups[-1].clear()]
            self._height = sum(part.height for part in self._held)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._held and (self._height or not self._files):
                self._write_group(pl.concat(self._held))
        finally:
            self._close()
        if kind is None:
            for at_, file in enumerate(self._files):
                file.rename(self.folder / shard_name(self.name, at_, len(self._files)))
        else:
            for file in self._files:
                file.unlink(missing_ok=True)

    def _write_group(self, group: pl.DataFrame) -> None:
        for part in _no_larger(group, self.most_bytes):
            data = part.to_arrow(compat_level=pl.CompatLevel.oldest())
            try:
                self._room_for(data)
                self._writer.write_table(data, row_group_size=ROW_GROUP)
            except OSError as error:
                said = error.strerror or error
                raise ConfigError("cannot write the dataset", f"{self.folder}: {said}", "free some space") from error
            self.rows += part.height

    def _room_for(self, data: Any) -> None:
        """Go on in a file that has room for so much: what it takes there is not known, but is no more than here."""
        import pyarrow.parquet as pq

        if self._file is not None and self._file.tell() + data.nbytes > self.most_bytes:
            self._close()
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f".{self.name}-{len(self._files)}"
            self._files.append(path)
            self._file = path.open("wb")
            self._writer = pq.ParquetWriter(self._file, data.schema, compression="zstd")

    def _close(self) -> None:
        writer, file, self._writer, self._file = self._writer, self._file, None, None
        with suppress(AttributeError):  # nothing was opened
            writer.close()
        with suppress(AttributeError):
            file.close()


def shard_name(name: str, at: int, files: int) -> str:
    """The name of a file of a table, counted from 0."""
    return f"{name}.parquet" if files == 1 else f"{name}-{at:05}-of-{files:05}.parquet"


def shard_files(folder: Path) -> dict[str, list[Path]]:
    """The files of each table in a folder, in order."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.parquet")):
        if (parts := NAME.fullmatch(file.name)) is not None:
            found.setdefault(parts["table"], []).append(file)
    return found


def write_shards(folder: Path, name: str, frames: Iterable[pl.DataFrame], most_bytes: int = FILE_BYTES) -> int:
    """Write frames of one schema as a table of files; the number of rows."""
    with ShardWriter(folder, name, most_bytes) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.rows


def _no_larger(group: pl.DataFrame, most_bytes: int) -> Iterator[pl.DataFrame]:
    """The rows in parts that take no more memory than that, at least one row in each."""
    if group.height < 2 or group.estimated_size() <= most_bytes:
        yield group
        return
    half = group.height // 2
    yield from _no_larger(group[:half], most_bytes)
    yield from _no_larger(group[half:], most_bytes)


class Sizes(NamedTuple):
    """Of some files: rows, bytes on disk, and bytes of their columns before compression."""

    rows: int
    on_disk: int
    memory: int


def sizes_of(files: Iterable[Path]) -> Sizes:
    """How much is in some files, by what their ends say."""
    import pyarrow.parquet as pq

    rows = on_disk = memory = 0
    for file in files:
        about = pq.read_metadata(file)
        rows += about.num_rows
        on_disk += file.stat().st_size
        memory += sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
    return Sizes(rows, on_disk, memory)
