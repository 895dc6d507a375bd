"""An answer that says what a prompt of ours says: the engine refuses it where it asks, this looks at rows from anywhere.

What the conversation had said before may be repeated.
"""

from __future__ import annotations

import hashlib
from functools import cache

from pydantic import Field

from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.leaks import own_runs, runs_in
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.words import is_spaceless


class Leaking(CheckSettings):
    """Answers that repeat a prompt."""

    min_words: int = Field(
        12, ge=6, description="words in a row of one of our prompts that are a leak; two Han characters are one"
    )


def leaks_prompt(answer: CheckedAnswer, settings: Leaking) -> Refusal | None:
    """Refuse an answer with so many words in a row of our prompts, in any of their languages (prompt_leak)."""
    if prompt_runs().isdisjoint(runs_in(answer.words)):
        return None
    leaked, weight = list[tuple[str, ...]](), 0.0
    for run in runs_in(answer.words):
        if run not in prompt_runs() or run in answer.told_runs:
            leaked, weight = [], 0.0
            continue
        leaked.append(run)
        weight += _weight(run[-1:] if weight else run)
        if weight >= settings.min_words:
            words = " ".join([*leaked[0], *(one[-1] for one in leaked[1:])])
            return "prompt_leak", f"{words!r}, limit {settings.min_words} words"
    return None


def _weight(run: tuple[str, ...]) -> float:
    return sum(0.5 if is_spaceless(word[0]) else 1 for word in run)


@cache
def prompt_runs() -> frozenset[tuple[str, ...]]:
    """Every six words in a row of the fixed texts of our prompts."""
    every = [Prompts(FULL, language) for language in languages_of(FULL)]
    return frozenset().union(*(own_runs(name, prompts) for prompts in every for name in prompts.names()))


@cache
def prompts_digest() -> str:
    """The digest of the prompts that answers are compared with."""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted((PROMPTS / FULL).rglob("*.j2")):
        state.update(path.read_bytes())
    return state.hexdigest()
