"""People have the last word: rows that they threw out go, those that they wrote anew or turned round are as they want them.

    stillroom revise datasets/demo-sft
    stillroom curate datasets/demo-sft --out datasets/reviewed --set curate.by_review.dataset=datasets/demo-sft

Rows are thrown out after all that compares rows, so that no near copy takes the place of one, and before `rows` counts:
a recipe goes on until it has as many as it was asked for. A decision holds for what the row said then: where the row says
something else by now, it is told and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from tasks.engine.ask import Models
from tasks.engine.row import Loss, Row
from tasks.engine.sieve import SieveParams
from tasks.engine.technique import technique
from tasks.errors import ConfigError
from tasks.notices import tell
from tasks.reviews.changes import changes_of
from tasks.reviews.decisions import HIGHEST_RATE, LOWEST_RATE, Decision
from tasks.reviews.said import said_digest
from tasks.reviews.standing import CountRule, by_row, review_outcome_of, standing
from tasks.storage.digest import canonical, digest

if TYPE_CHECKING:
    import polars as pl

    from tasks.storage.tables import Table

NAME = REASON = "by_review"
EDIT_STEP = "edit_by_review"
MOST_EDITS = 100
"""Of one row, one upon the other."""


def _absolute(told: str) -> str:
    return str(Path(told).expanduser().absolute())


class ByReview(SieveParams):
    """Which decisions of people are taken up, and how several about one row are counted."""

    dataset: Annotated[str, AfterValidator(_absolute)] = Field(
        description="the folder of the dataset that they reviewed"
    )
    rule: CountRule = Field(
        "majority", description="how many of those who decided about a row have to throw it out: any, majority or all"
    )
    least_rating: int = Field(
        LOWEST_RATE, ge=LOWEST_RATE, le=HIGHEST_RATE, description="mean rating below which a row goes; 1: none does"
    )

    @property
    def files_digest(self) -> str:
        """Of the decisions."""
        told = {about: [one.model_dump(mode="json") for one in some] for about, some in self.decisions.items()}
        return digest(canonical(told))

    @property
    def decisions(self) -> Mapping[str, Sequence[Decision]]:
        """Those that stand, by the row that they are about, the oldest first."""
        from tasks.reviews.journal import Journal

        dataset = Path(self.dataset)
        return _read(dataset, Journal(dataset).state)

    def check(self) -> None:
        """Raise ConfigError where nobody has decided anything."""
        if not self.decisions:
            fix = "look at it in `stillroom studio`, or bring decisions with `stillroom review DATASET --import FILE`"
            raise ConfigError("nobody has decided about rows of this dataset", self.dataset, fix)

    def open(self, home: Path) -> ReviewSieve:  # noqa: ARG002 - every sieve has a home
        """The sieve for the rows that go."""
        return ReviewSieve(self)

    def followed(self, row: Row) -> tuple[Row, str, int]:
        """A row as people want it, why it goes ("": it stays), and how many decisions are about what it does not say any more.

        An edited row is a child, about which there may be decisions again.
        """
        current, stale = row, 0
        known = self.decisions
        for _ in range(MOST_EDITS):
            made = known.get(current.row_id, ())
            says = said_digest(current) if made else ""
            fresh = [one for one in made if one.said == says]
            stale += len(made) - len(fresh)
            outcome = review_outcome_of(fresh, self.rule, self.least_rating)
            if outcome.goes:
                return current, outcome.goes, stale
            if not outcome.changes:
                break
            child = current.child(**changes_of(current, outcome))
            current = replace(child, parents=(row.row_id,), technique=row.technique)
        return current, "", stale


class ReviewSieve:
    """Implements `Sieve`: rows that people threw out, as they are or as they were edited."""

    name = NAME

    def __init__(self, params: ByReview) -> None:
        self._params, self._stale = params, 0

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows that stay are compared with none."""

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """Those rows of a table that go."""
        gone = {}
        for row in frame.filter(frame["row_id"].is_in(list(self._params.decisions))).iter_rows(named=True):
            _, goes, stale = self._params.followed(Row(row["row_id"], row, technique=EDIT_STEP))
            self._stale += stale
            if goes:
                gone[row["row_id"]] = Loss("filtered", REASON, goes)
        return gone

    def close(self) -> None:
        """Tell of decisions that did not count."""
        if self._stale:
            tell(f"{NAME}: {self._stale:,} decisions are about rows that say something else by now, and do not count")


@technique(reads="Rows", writes="Rows")
async def edit_by_review(row: Row, models: Models, params: ByReview) -> list[Row]:  # noqa: ARG001 - every technique has models
    """A row as people want it: a child with their text, or with its sides changed over, else the row itself. Asks no model."""
    wanted, _, _ = params.followed(row)
    return [row.kept() if wanted is row else wanted]


def has_edits(params: ByReview, table: Table) -> bool:
    """Whether a table has rows that people have written anew or turned round."""
    changed = [
        about
        for about, made in params.decisions.items()
        if review_outcome_of(made, params.rule, params.least_rating).changes
    ]
    return bool(changed) and bool(table.read(["row_id"])["row_id"].is_in(changed).any())


@lru_cache(4)
def _read(dataset: Path, _state: tuple[object, ...]) -> Mapping[str, Sequence[Decision]]:
    from tasks.reviews.journal import Journal

    found = by_row(standing(Journal(dataset).read()))
    return {about: [one.decision for one in some] for about, some in sorted(found.items())}
