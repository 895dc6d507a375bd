"""Which row a reviewer is shown next: those on which judges disagree, those with the lowest scores, or any, each once.

    waits = ReviewQueue("disagreement", overlap=2).waits("anna", stand)

The order is the same for the same dataset: whoever stops goes on where they stopped, since rows that they have decided about
are left out. `overlap`: a row is for so many reviewers; 0: for each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np

from tasks.storage.digest import digest
from tasks.storage.row_store import RowPlaces

QueueOrder = Literal["disagreement", "lowest", "random", "given"]
QUEUE_ORDERS: tuple[QueueOrder, ...] = get_args(QueueOrder)
SCORE_ORDER = ("score", "score_chosen", "rubric_score", "reward")


@dataclass(frozen=True)
class ReviewQueue:
    """How rows wait. `given`: in the order of the filter that they were chosen by."""

    order: QueueOrder = "random"
    overlap: int = 0

    def waits(self, reviewer: str, stand: Mapping[tuple[str, str], Sequence[Any]]) -> Callable[[str], bool]:
        """Says of a row whether it waits for a reviewer."""
        seen = Counter(about for name, about in stand if name != reviewer)
        done = {about for name, about in stand if name == reviewer}
        return lambda row_id: row_id not in done and not (self.overlap and seen[row_id] >= self.overlap)


def drawn_order(row_ids: Iterable[str]) -> RowPlaces:
    """The places of rows in an order drawn from their ids alone."""
    drawn = b"".join(blake2b(row_id.encode(), digest_size=8, key=b"review order").digest() for row_id in row_ids)
    return np.argsort(np.frombuffer(drawn, ">u8"), kind="stable").astype(np.int64)


def left_side(row_id: str, reviewer: str) -> Literal["chosen", "rejected"]:
    """Which side of a pair a reviewer is shown on the left: drawn, so that neither position nor name says which is which."""
    return "chosen" if int(digest("left side", row_id, reviewer)[0], 16) % 2 else "rejected"
