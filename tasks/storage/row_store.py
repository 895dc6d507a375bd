"""Rows that are looked up by their place: an Arrow file that is mapped into memory, not read.

A page of 50 rows, scattered over a million, touches those rows alone; Parquet would unpack 50 row groups for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.storage.files import atomically

RowPlaces = NDArray[np.int64]
"""Places of rows, from 0 on."""
FIRST_SEARCHED, MOST_SEARCHED = 8_192, 131_072
"""Rows that are searched at once: few at first, since a common text is found soon."""
DENSE = 16
"""Of so many rows one has to be searched for all of them to be: that is faster than to copy the texts of those that do."""


class RowStore:
    """The rows of one table. `height`: how many; `columns`: their types."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.path = path
        self._file = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batches = [self._file.get_batch(at) for at in range(self._file.num_record_batches)]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        self.height = int(self._starts[-1])
        self.columns = dict(pl.scan_ipc(path).collect_schema())

    @classmethod
    def write(cls, path: Path, rows: pl.LazyFrame) -> RowStore:
        """Write rows, in a stream, and open them. The file is there whole or not at all."""
        with atomically(path) as temporary:
            rows.sink_ipc(
                temporary,
                compression="uncompressed",
                maintain_order=True,
                compat_level=pl.CompatLevel.oldest(),  # pyarrow cannot take rows of views of strings
            )
        return cls(path)

    def read(self, columns: Sequence[str | pl.Expr]) -> pl.DataFrame:
        """Some columns of all rows, or what is made of them."""
        return pl.scan_ipc(self.path).select(columns).collect()

    def take(self, places: Sequence[int], without: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """The rows in these places, in this order. Raises IndexError where one is beyond the last."""
        names = [name for name in self._file.schema.names if name not in without]
        found = []
        for place in places:
            at, within = self._where(place)
            found.append(self._batches[at].select(names).slice(within, 1).to_pylist()[0])
        return found

    def holding(self, text: str, column: str, places: RowPlaces) -> Iterator[tuple[RowPlaces, int]]:
        """Those of these places whose column holds a text, letter by letter, in their order, and how many are searched so far."""
        import pyarrow as pa

        size, done = FIRST_SEARCHED, 0
        while done < len(places):
            some = places[done : done + size]
            order = np.argsort(some, kind="stable")
            ordered, hits = some[order], np.zeros(len(some), bool)
            for at, first, last in self._parts(ordered):
                within = ordered[first:last] - self._starts[at]
                held = self._batches[at].column(column)
                span = int(within[-1] - within[0]) + 1
                is_dense = span <= DENSE * len(within)
                part = held.slice(within[0], span) if is_dense else held.take(pa.array(within))
                texts = pl.Series(part)  # polars searches ten times as fast as pyarrow
                found = texts.str.contains(text, literal=True).fill_null(False).to_numpy()
                hits[order[first:last]] = found[within - within[0]] if is_dense else found
            done += len(some)
            size = min(MOST_SEARCHED, size * 2)
            yield some[hits], done

    def _parts(self, ordered: RowPlaces) -> Iterator[tuple[int, int, int]]:
        """Of ascending places those in each batch: the batch, and where they begin and end."""
        ends = np.searchsorted(ordered, self._starts)
        for at, (first, last) in enumerate(pairwise(ends)):
            if last > first:
                yield at, int(first), int(last)

    def _where(self, place: int) -> tuple[int, int]:
        if not 0 <= place < self.height:
            raise IndexError(place)
        at = int(np.searchsorted(self._starts, place, side="right")) - 1
        return at, int(place - self._starts[at])


def stored_rows(path: Path, fingerprint: str, rows: Callable[[], pl.LazyFrame]) -> RowStore:
    """The store in a place, written anew where it is none of these rows. `fingerprint`: what tells them from others."""
    mark = path.with_suffix(".of")
    if not (path.exists() and mark.exists() and mark.read_text(encoding="utf-8") == fingerprint):
        mark.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        RowStore.write(path, rows())
        with atomically(mark) as temporary:
            temporary.write_text(fingerprint, encoding="utf-8")
    return RowStore(path)
