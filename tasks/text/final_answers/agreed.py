"""The answer that most of several solutions give (self-consistency, arXiv:2203.11171)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tasks.text.final_answers.compare import is_same_answer
from tasks.text.final_answers.cut import final_answer
from tasks.text.final_answers.symbolic import TooHardError


class Votes(NamedTuple):
    """The answer with the most votes, None where two have as many; how many it has; and all that were found, in words."""

    answer: str | None
    votes: int
    figure: str


def agreed_answer(solutions: Sequence[str], language: str = "") -> Votes:
    """What most solutions give as their final answer, however they write it. Blocks: call it in a thread."""
    groups: list[list[str]] = []
    for found in filter(None, map(final_answer, solutions)):
        same = next((group for group in groups if _is_same(group[0], found, language)), None)
        if same is None:
            groups.append([found])
        else:
            same.append(found)
    groups.sort(key=len, reverse=True)  # stable: of equal ones the first that was found
    unmarked = len(solutions) - sum(map(len, groups))
    said = [f"{len(group)} say {group[0]}" for group in groups[:4]] + ([f"{unmarked} mark none"] if unmarked else [])
    if not groups or (len(groups) > 1 and len(groups[0]) == len(groups[1])):
        return Votes(None, len(groups[0]) if groups else 0, ", ".join(said))
    return Votes(min(groups[0], key=lambda text: (len(text), text)), len(groups[0]), ", ".join(said))


def _is_same(one: str, other: str, language: str) -> bool:
    try:
        return bool(is_same_answer(one, other, language))
    except TooHardError:
        return False
