"""Control tokens in what a user says: a server that renders the chat template reads `<|im_end|>` there as the end of the turn.

What is sent is neutralised, in turns, in calls of tools and in the tools that are offered: a word joiner (U+2060, which
shows nothing) stands inside the token. What is published never has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from tasks.models.answers.tokens import CONTROL, may_hold_control
from tasks.models.base import Message

JOINER = "\u2060"
ARGUMENTS = "arguments"  # of a call: JSON as text


@dataclass(frozen=True, slots=True)
class Neutral:
    """Messages and tools as they are sent, and the tokens that were neutralised in them."""

    messages: tuple[Message, ...]
    tools: str | None = None
    tokens: frozenset[str] = field(default_factory=frozenset)

    def restored(self, text: str) -> str:
        """A text in which the model repeats what it was told, as the user had said it."""
        if JOINER in text:
            for token in self.tokens:
                text = text.replace(joined(token), token)
        return text


def control_tokens_in(
    messages: Iterable[Message], tools: str | None = None, special: Callable[[], Sequence[str]] | None = None
) -> frozenset[str]:
    """The control tokens in what is said to a model: `special` are its own, where they are known, else any family's."""
    texts = _texts([*messages, *([] if tools is None else [_read(tools)])])
    if special is None:
        return frozenset(token for text in texts if may_hold_control(text) for token in CONTROL.findall(text))
    if not (held := [text for text in texts if "<" in text or "[" in text]):
        return frozenset()
    pattern = _any_of(tuple(special()))
    return frozenset(token for text in held for token in pattern.findall(text))


def neutralised(messages: tuple[Message, ...], tools: str | None, tokens: frozenset[str]) -> Neutral:
    """Messages and tools with a word joiner in each of these tokens."""
    change = partial(_any_of(tuple(sorted(tokens, key=len, reverse=True))).sub, lambda found: joined(found[0]))
    sent = tuple(_changed(message, change) for message in messages)
    return Neutral(sent, None if tools is None else _in_json(tools, change), tokens)


def _texts(said: Any) -> Iterator[str]:
    """Every text that a server may read, names of fields and what stands in arguments too."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for name, value in said.items():
            yield name
            yield from _texts(_read(value) if name == ARGUMENTS else value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts(value)


def _changed(said: Any, change: Callable[[str], str]) -> Any:
    """The same with every such text changed."""
    if isinstance(said, str):
        return change(said)
    if isinstance(said, dict):
        return {
            change(name): _in_json(value, change) if name == ARGUMENTS else _changed(value, change)
            for name, value in said.items()
        }
    return [_changed(value, change) for value in said] if isinstance(said, list) else said


def _in_json(text: Any, change: Callable[[str], str]) -> Any:
    """A text of JSON with the texts in it changed: it may spell a token in escapes, which a server reads."""
    value = _read(text)
    changed = _changed(value, change)
    if changed == value:
        return text
    return changed if value is text else json.dumps(changed, ensure_ascii=False)


def _read(text: Any) -> Any:
    """What a text of JSON says; itself where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def joined(token: str) -> str:
    """A token that is none any more."""
    return token[:1] + JOINER + token[1:]


@lru_cache(maxsize=64)
def _any_of(tokens: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, tokens)) or r"(?!)")
