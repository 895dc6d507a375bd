"""What decisions are good for besides the next revision: pairs of an edit and its original, pairs to measure judges by, seeds.

stillroom review datasets/demo-sft --export pairs.jsonl --for pairs          # trained on as preferences
stillroom review datasets/demo-dpo --export people.jsonl --for calibration   # stillroom judges people.jsonl --judge J
stillroom review datasets/demo-sft --export good.jsonl --for seeds           # stillroom sft --seeds good.jsonl
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tasks.publish.report.said import texts_of_row
from tasks.reviews.changes import changes_of
from tasks.reviews.decisions import Decision
from tasks.reviews.said import said_digest
from tasks.reviews.standing import ReviewOutcome, review_outcome_of

Decided = Iterable[tuple[str, Mapping[str, Any], Sequence[Decision]]]
"""The id of a row, the row as it is published, and what people have decided about it."""


def edit_pairs(decided: Decided) -> Iterator[dict[str, Any]]:
    """A preference pair for each answer that was written anew: the new one is chosen, the old one is rejected."""
    for row_id, row, made in decided:
        outcome = _fresh_outcome(row, made)
        if outcome.goes or not outcome.edits:
            continue
        before, after = texts_of_row(row), texts_of_row(_as_wanted(row, ReviewOutcome(edits=outcome.edits)))
        if before.answers and after.answers and before.answers[0] != after.answers[0]:
            yield _pair(row_id, after.before, after.answers[0][1], before.answers[0][1], "edited")


def people_pairs(decided: Decided) -> Iterator[dict[str, Any]]:
    """Pairs as people see them: of a pair that they preferred one side of, turned round or accepted, and of each edit."""
    for row_id, row, made in decided:
        outcome = _fresh_outcome(row, made)
        said = texts_of_row(row)
        sided = any(one.decision in ("prefer", "swap", "accept") for one in made)
        if len(said.answers) == 2 and sided and not (outcome.goes or outcome.edits):
            chosen, rejected = said.answers[::-1] if outcome.swapped else said.answers
            yield _pair(row_id, said.before, chosen[1], rejected[1], "preferred")
        else:
            yield from edit_pairs([(row_id, row, made)])


def good_rows(decided: Decided) -> Iterator[dict[str, Any]]:
    """Conversations that were accepted, as they were edited: seeds, and examples to show a model."""
    for _, row, made in decided:
        outcome = _fresh_outcome(row, made)
        if outcome.goes or not any(one.decision in ("accept", "edit") for one in made):
            continue
        said = texts_of_row(_as_wanted(row, outcome))
        if said.answers:
            yield {"messages": _turns([*said.before, said.answers[0]])}


def _fresh_outcome(row: Mapping[str, Any], made: Sequence[Decision]) -> ReviewOutcome:
    says = said_digest(row)
    return review_outcome_of([one for one in made if one.said == says], "majority", 1)


def _as_wanted(row: Mapping[str, Any], outcome: ReviewOutcome) -> dict[str, Any]:
    return {**row, **changes_of(row, outcome)}


def _pair(row_id: str, before: Sequence[tuple[str, str]], chosen: str, rejected: str, how: str) -> dict[str, Any]:
    return {
        "prompt": _turns(before),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "reviewed": how,
        "source_row": row_id,
    }


def _turns(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role or "user", "content": text} for role, text in turns]
