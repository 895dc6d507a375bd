"""Control tokens in what a user says: a server that renders the chat template reads `<|im_end|>` there as the end of the turn.

What is sent is neutralised: a word joiner (U+2060, which shows nothing) stands inside the token. What is published
never has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tasks.models.answers.tokens import CONTROL, may_hold_control
from tasks.models.base import Message

JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Neutral:
    """Messages as they are sent, and the tokens that were neutralised in them."""

    messages: tuple[Message, ...]
    tokens: frozenset[str] = field(default_factory=frozenset)

    def restored(self, text: str) -> str:
        """A text in which the model repeats what it was told, as the user had said it."""
        if JOINER in text:
            for token in self.tokens:
                text = text.replace(joined(token), token)
        return text


def control_tokens_in(
    messages: Iterable[Message], special: Callable[[], Sequence[str]] | None = None
) -> frozenset[str]:
    """The control tokens in what is said to a model: `special` are its own, where they are known, else any family's."""
    found: set[str] = set()
    for message in messages:
        text = message["content"]
        if not isinstance(text, str):
            continue
        if special is None:
            found |= set(CONTROL.findall(text)) if may_hold_control(text) else set()
        elif "<" in text or "[" in text:
            found |= set(_any_of(tuple(special())).findall(text))
    return frozenset(found - {""})


def neutralised(messages: tuple[Message, ...], tokens: frozenset[str]) -> Neutral:
    """The messages with a word joiner in each of these tokens."""
    pattern = _any_of(tuple(sorted(tokens, key=len, reverse=True)))
    sent = tuple(
        Message(**{**message, "content": pattern.sub(lambda found: joined(found[0]), message["content"])})
        for message in messages
    )
    return Neutral(sent, tokens)


def joined(token: str) -> str:
    """A token that is none any more."""
    return token[:1] + JOINER + token[1:]


@lru_cache(maxsize=64)
def _any_of(tokens: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, tokens)) or r"(?!)")
