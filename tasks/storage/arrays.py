"""Arrays on disk: one that grows at its end, and numbers in sorted runs that are looked up. Memory is that of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_MERGED = 1 << 22  # entries of a run that is still merged: 100 MB at work
Keys = NDArray[np.uint64]
RowNumbers = NDArray[np.int64]


class GrowingArray:
    """An array of one type in a file, which grows at its end. It begins empty."""

    def __init__(self, path: Path, dtype: Any) -> None:
        self._path, self._dtype = path, np.dtype(dtype)
        self._size, self._mapped = 0, np.zeros(0, self._dtype)
        path.write_bytes(b"")

    def __len__(self) -> int:
        return self._size

    def append(self, values: NDArray[Any]) -> None:
        """Write values behind those that are there."""
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(values, self._dtype).tobytes())
        self._size += len(values)

    def read(self) -> NDArray[Any]:
        """All values, as they lie on the disk."""
        if self._size != len(self._mapped):
            self._mapped = np.memmap(self._path, self._dtype, "r", shape=(self._size,))
        return self._mapped


class GrowingTexts:
    """Texts in files, which grow at their end and are looked up by their places. There is none to begin with."""

    def __init__(self, folder: Path, name: str) -> None:
        self._letters = GrowingArray(folder / name, np.uint8)
        self._ends = GrowingArray(folder / f"{name}_ends", np.int64)
        self._ends.append(np.zeros(1, np.int64))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, texts: Sequence[str]) -> None:
        """Write texts behind those that are there."""
        written = [text.encode(errors="surrogatepass") for text in texts]
        self._ends.append(np.cumsum(list(map(len, written)), dtype=np.int64) + len(self._letters))
        self._letters.append(np.frombuffer(b"".join(written), np.uint8))

    def at(self, place: int) -> str:
        """The text in a place."""
        start, end = self._ends.read()[place : place + 2]
        return self._letters.read()[start:end].tobytes().decode(errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class _Run:
    number: int
    keys: Keys
    rows: RowNumbers
    size: int


class SortedRuns:
    """RowNumbers by keys. Keys are added in batches and lie in sorted runs; small runs are merged, so that there are few."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs, self._written = folder, list[_Run](), 0

    def add(self, keys: Keys, rows: RowNumbers, size: int | None = None) -> None:
        """Add a row for each key. RowNumbers added later come later under a key.

        `size`: how many are added in all, where these are a part of them and the rest lies elsewhere: runs are merged by
        that, so that what is found of a key does not depend on where it lies.
        """
        if not (size := len(keys) if size is None else size):
            return
        run = self._write(keys, rows, size)
        while self._runs and self._runs[-1].size <= min(2 * run.size, MOST_MERGED):
            last = self._runs.pop()
            both = np.concatenate([last.keys, run.keys]), np.concatenate([last.rows, run.rows])
            merged = self._write(*both, last.size + run.size)
            for old in (last, run):
                for part in ("keys", "rows"):
                    self._path(old.number, part).unlink()
            run = merged
        self._runs.append(run)

    def find(self, keys: Keys, most: int) -> tuple[RowNumbers, RowNumbers]:
        """The rows that have one of these keys: positions of keys and rows, aligned; of a run the first `most` a key."""
        order = np.argsort(keys, kind="stable")
        wanted = keys[order]
        positions, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for run in self._runs:
            first = np.searchsorted(run.keys, wanted)
            last = np.searchsorted(run.keys, wanted, "right")
            counts = np.minimum(last - first, most)
            has = np.flatnonzero(counts)
            counts = counts[has]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            positions.append(np.repeat(order[has], counts))
            rows.append(run.rows[np.repeat(first[has], counts) + within])
        return np.concatenate(positions), np.concatenate(rows)

    def _write(self, keys: Keys, rows: RowNumbers, size: int) -> _Run:
        order = np.argsort(keys, kind="stable")
        self._written += 1
        parts = {"keys": keys[order], "rows": rows[order]}
        for part, values in parts.items():
            np.save(self._path(self._written, part), values)
        there = {part: np.load(self._path(self._written, part), "r" if len(keys) else None) for part in parts}
        return _Run(self._written, there["keys"], there["rows"], size)

    def _path(self, number: int, part: str) -> Path:
        return self._folder / f"{number}.{part}.npy"
