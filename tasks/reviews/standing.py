"""Which decisions stand, and what they come to for a row that several people have looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from tasks.reviews.decisions import Decision, DecisionKind, Numbered, TextEdit

CountRule = Literal["any", "majority", "all"]
KINDS: Mapping[DecisionKind, str] = {
    "accept": "verdict",
    "reject": "verdict",
    "skip": "verdict",
    "rate": "rating",
    "edit": "text",
    "prefer": "side",
    "swap": "side",
}
"""What a decision is about: of one kind the newest counts."""
TAKES_BACK = ("text", "side")


def standing(decisions: Iterable[Numbered]) -> dict[tuple[str, str], tuple[Numbered, ...]]:
    """What each reviewer says of each row: of a kind of decision the newest that is not undone, the oldest first.

    A rating, an edit, a preference and a verdict stand side by side; whoever edits a row, or says which side is better, has
    taken it back that they threw it out or skipped it.
    """
    made: defaultdict[tuple[str, str], list[Numbered]] = defaultdict(list)
    for one in decisions:
        told = one.decision
        key = told.reviewer, told.about
        if told.decision == "undo":
            made[key] = [other for other in made[key] if other.number != told.undoes]
        else:
            made[key].append(one)
    return {key: _standing(found) for key, found in made.items() if found}


def _standing(made: Sequence[Numbered]) -> tuple[Numbered, ...]:
    newest: dict[str, Numbered] = {}
    for one in made:
        kind = KINDS[one.decision.decision]
        if kind in TAKES_BACK and "verdict" in newest and newest["verdict"].decision.decision != "accept":
            del newest["verdict"]
        newest[kind] = one
    return tuple(sorted(newest.values(), key=lambda one: one.number))


def by_row(stand: Mapping[tuple[str, str], Sequence[Numbered]]) -> dict[str, list[Numbered]]:
    """The standing decisions about each row, without those that skip it, the oldest first."""
    found: defaultdict[str, list[Numbered]] = defaultdict(list)
    for (_, about), some in stand.items():
        found[about] += [one for one in some if one.decision.decision != "skip"]
    return {about: sorted(some, key=lambda one: one.number) for about, some in found.items() if some}


@dataclass(frozen=True)
class ReviewOutcome:
    """What people have decided about a row. `goes`: it is thrown out, and why; else it stays, with `edits`, or `swapped`."""

    goes: str = ""
    edits: tuple[TextEdit, ...] = ()
    swapped: bool = False

    @property
    def changes(self) -> bool:
        """Whether the row stays and is another then."""
        return not self.goes and bool(self.edits or self.swapped)


def review_outcome_of(decisions: Sequence[Decision], rule: CountRule, least_rating: int) -> ReviewOutcome:
    """What decisions about one row come to. `rule`: how many of those who decided have to throw it out.

    Ratings count by their mean: below `least_rating` whoever rated is against the row. Where as many are for a row as against
    it, it stays. Of several edits the newest counts.
    """
    by_reviewer: defaultdict[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        by_reviewer[one.reviewer].append(one)
    ratings = [one.rating for one in decisions if one.rating is not None]
    too_low = bool(ratings) and fmean(ratings) < least_rating
    against = [why for some in by_reviewer.values() if (why := _against(some, too_low=too_low))]
    most = {"any": 1, "majority": len(by_reviewer) // 2 + 1, "all": len(by_reviewer)}[rule]
    if by_reviewer and len(against) >= most:
        return ReviewOutcome(goes=f"{len(against)} of {len(by_reviewer)}: {', '.join(sorted(set(against)))}")
    swaps = sum(one.decision == "swap" or one.preferred == "rejected" for one in decisions)
    keeps = sum(one.preferred == "chosen" for one in decisions)
    edits = next((one.edits for one in reversed(decisions) if one.decision == "edit"), ())
    return ReviewOutcome(edits=edits, swapped=swaps > keeps)


def _against(made: Sequence[Decision], *, too_low: bool) -> str:
    """Why a reviewer throws a row out; "" where they do not."""
    for one in made:
        if one.decision == "reject":
            return "reject"
        if one.preferred == "tie":
            return "tie"
    return "rated too low" if too_low and any(one.rating is not None for one in made) else ""
