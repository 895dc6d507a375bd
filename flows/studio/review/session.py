"""What a reviewer is at: who they are, which rows they go through and in which order. All of it stands in the URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from flows.studio.look.filters import Looked
from tasks.errors import ConfigError, did_you_mean
from tasks.publish.look.derived import DISAGREEMENT, MARGIN
from tasks.publish.look.query import RowQuery, query_of
from tasks.publish.look.view import View
from tasks.reviews.queue import QUEUE_ORDERS, SCORE_ORDER, QueueOrder, ReviewQueue, drawn_order
from tasks.storage.row_store import RowPlaces

OWN = ("by", "order", "overlap", "row", "flip", "named", "did")
AT_ONCE = 2_000
MOST_OVERLAP = 99


@dataclass(frozen=True)
class ReviewSession:
    """`row`: the one that is shown in place of the next; `flip`: sides the other way round; `named`: they have their names.

    `did`: what was just decided, to be said.
    """

    by: str
    queue: ReviewQueue
    query: RowQuery
    row: str = ""
    flip: bool = False
    named: bool = False
    did: str = ""

    @classmethod
    def of(cls, url: str) -> ReviewSession:
        """The session that the query of a URL says. Raises ConfigError."""
        pairs = parse_qsl(url, keep_blank_values=True)
        told = {key: value for key, value in pairs if key in OWN}
        order = told.get("order") or "random"
        if order not in QUEUE_ORDERS:
            raise ConfigError("no order of a queue", order, did_you_mean(order, QUEUE_ORDERS, ", ".join(QUEUE_ORDERS)))
        overlap = told.get("overlap") or "0"
        if not (overlap.isascii() and overlap.isdigit() and int(overlap) <= MOST_OVERLAP):
            raise ConfigError("overlap is a number of reviewers", overlap, f"0 (all of them) to {MOST_OVERLAP}")
        return cls(
            by=told.get("by", "").strip(),
            queue=ReviewQueue(next(one for one in QUEUE_ORDERS if one == order), int(overlap)),
            query=query_of(urlencode([(key, value) for key, value in pairs if key not in OWN])).on(1),
            row=told.get("row", ""),
            flip=told.get("flip") == "1",
            named=told.get("named") == "1",
            did=told.get("did", ""),
        )

    def url(self, **changes: Any) -> str:
        """The query of the same session, with changes; `row`, `flip` and `did` are only there where they are given."""
        told: dict[str, Any] = {
            "by": self.by,
            "order": self.queue.order,
            "overlap": self.queue.overlap or "",
            "named": "1" if self.named else "",
            **changes,
        }
        own = urlencode({key: value for key, value in told.items() if value})
        return "&".join(part for part in (own, self.query.url) if part)

    def next_row(self, looked: Looked, stand: Mapping[tuple[str, str], Sequence[Any]]) -> str | None:
        """The row that waits for the reviewer, None where none does."""
        waits: Callable[[str], bool] = self.queue.waits(self.by, stand)
        places = ordered(looked, self.queue.order)
        for start in range(0, len(places), AT_ONCE):
            for row_id in looked.view.ids_of(places[start : start + AT_ONCE]):
                if waits(row_id):
                    return row_id
        return None


def ordered(looked: Looked, order: QueueOrder) -> RowPlaces:
    """The places of the rows of a filter in the order of a queue."""
    view, query = looked.view, looked.query
    numbers = [one.column for one in view.number_columns]
    if order == "given":
        return view.places(query, looked.among)
    if order == "disagreement" and (DISAGREEMENT in numbers or MARGIN in numbers):
        by = DISAGREEMENT if DISAGREEMENT in numbers else MARGIN  # of a pair: the closer its scores
        return view.places(query.sorted_by(by, descending=by == DISAGREEMENT), looked.among)
    score = next((name for name in SCORE_ORDER if name in numbers), None)
    if order == "lowest" and score is not None:
        return view.places(query.sorted_by(score, descending=False), looked.among)
    is_left = np.zeros(view.rows, bool)
    is_left[view.places(query.sorted_by("", descending=False), looked.among)] = True
    drawn = _drawn_order_of(view)
    return drawn[is_left[drawn]]


@lru_cache(4)
def _drawn_order_of(view: View) -> RowPlaces:
    """The places of all rows in the order that is drawn from their ids."""
    return drawn_order(view.ids)
