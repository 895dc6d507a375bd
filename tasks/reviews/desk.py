"""A dataset with the decisions about it: which rows they are about, as they are now, and decisions to be added.

desk = ReviewDesk(Path("datasets/demo-sft"))
desk.decide("anna", ["9f86..."], {"decision": "accept"})
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.publish.export import published_at
from tasks.publish.look.view import View, open_view
from tasks.reviews.agreement import ReviewFigures, figures_of_reviews
from tasks.reviews.decisions import Decision, Numbered, decision_of
from tasks.reviews.exchange.shared import Answers, AskedRow, asked_about, decisions_from
from tasks.reviews.journal import Journal
from tasks.reviews.said import said_digest
from tasks.reviews.standing import by_row, standing
from tasks.reviews.uses import Decided

AT_ONCE = 5_000
"""Rows that are read and decided about at a time."""


class ReviewDesk:
    """The decisions about one dataset. Raises ConfigError where there is none."""

    def __init__(self, dataset: Path) -> None:
        self.dataset, self.journal = dataset, Journal(dataset)
        published_at(dataset)

    def stand(self) -> Mapping[tuple[str, str], tuple[Numbered, ...]]:
        """What each reviewer says of each row."""
        return _stand_of(self.dataset.resolve(), self.journal.state)

    def rows(self, row_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of these rows that the dataset has, by id."""
        return self.view.records(row_ids)

    @property
    def view(self) -> View:
        """The rows of the newest revision."""
        return open_view(self.dataset)

    def decide(self, reviewer: str, row_ids: Iterable[str], told: Mapping[str, Any]) -> list[int]:
        """Decide the same about rows, all or none of them; the numbers of the decisions. Raises ConfigError for an unknown row."""
        wanted = list(dict.fromkeys(row_ids))
        made: list[Decision] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            rows = self.rows(some)
            if (missing := next((one for one in some if one not in rows), None)) is not None:
                raise ConfigError("no such row in the dataset", missing, "take a row_id of its rows")
            made += [
                decision_of({**told, "reviewer": reviewer, "about": one, "said": said_digest(rows[one])})
                for one in some
            ]
        return self.journal.add(made)

    def undo(self, reviewer: str) -> Numbered | None:
        """Take back the newest decision of a reviewer; which that was, None where there is none."""
        made = [one for one in self.journal.read() if one.decision.reviewer == reviewer]
        undone = {one.decision.undoes for one in made}
        last = next(
            (one for one in reversed(made) if one.decision.decision != "undo" and one.number not in undone), None
        )
        if last is None:
            return None
        told = {"decision": "undo", "undoes": last.number, "reviewer": reviewer}
        self.journal.add([decision_of({**told, "about": last.decision.about, "said": last.decision.said})])
        return last

    def figures(self) -> ReviewFigures:
        """How much was decided, and how far people agree with each other and with the judges."""
        stand = self.stand()
        return figures_of_reviews(stand, self.rows(sorted({about for _, about in stand})))

    def decided(self) -> Decided:
        """The rows that people have decided about and that are still there, in the order of their ids."""
        made = by_row(self.stand())
        rows = self.rows(sorted(made))
        return [(row_id, rows[row_id], [one.decision for one in made[row_id]]) for row_id in sorted(rows)]

    def asked(self) -> Iterator[AskedRow]:
        """All rows of the dataset with the decisions about each."""
        stand = self.stand()
        made: dict[str, list[Numbered]] = {}
        for (_, about), some in stand.items():
            made.setdefault(about, []).extend(some)
        view = self.view
        for start in range(0, view.rows, AT_ONCE):
            ids = view.ids_of(range(start, min(view.rows, start + AT_ONCE)))
            rows = view.records(ids)
            for row_id in ids:
                yield asked_about(row_id, rows[row_id], sorted(made.get(row_id, ()), key=lambda one: one.number))

    def bring(self, answers: Iterable[tuple[str, str, Answers]]) -> tuple[int, int]:
        """Add what was answered elsewhere: how many decisions are new, and how many answers are about no row that is there.

        What a reviewer has said already is not added again.
        """
        given = list(answers)
        rows = self.rows(sorted({row_id for row_id, _, _ in given}))
        told = {_as_asked_elsewhere(one.decision) for some in self.stand().values() for one in some}
        made: list[Decision] = []
        for row_id, reviewer, some in given:
            if row_id in rows:
                new = (
                    one
                    for one in decisions_from(reviewer, row_id, rows[row_id], some)
                    if _as_asked_elsewhere(one) not in told
                )
                made += new
        self.journal.add(made)
        return len(made), sum(row_id not in rows for row_id, _, _ in given)

    @property
    def is_paired(self) -> bool:
        """Whether the rows are preference pairs."""
        return {"chosen", "rejected"} <= self.view.store.columns.keys()


def _as_asked_elsewhere(one: Decision) -> Decision:
    """A decision as another tool knows it: sides may be shown the other way round there, and a swap prefers the other side."""
    is_swap = one.decision == "swap"
    told: dict[str, Any] = {"decision": "prefer", "preferred": "rejected"} if is_swap else {}
    return one.model_copy(update={"left": None, **told})


@lru_cache(8)
def _stand_of(dataset: Path, _state: tuple[object, ...]) -> Mapping[tuple[str, str], tuple[Numbered, ...]]:
    return standing(Journal(dataset).read())
