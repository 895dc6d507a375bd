"""What a chat template shows of each turn, and where: found in the text that it wrote.

What it shows of a turn may be the content as it is, without the spaces around it, without its reasoning, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

PLAIN_FIELDS = ("role", "content", "train")
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*(.*)", re.DOTALL)
How = Literal["same", "stripped", "changed", "gone"]
Reasoning = Literal["none", "kept", "dropped"]


@dataclass(frozen=True, slots=True)
class TurnShown:
    """One turn. `start` and `stop`: where its content stands in the text, in characters, equal where it does not."""

    role: str
    start: int
    stop: int
    how: How
    reasoning: Reasoning = "none"


def turns_shown(text: str, turns: Sequence[Mapping[str, Any]], frame: Sequence[str] | None = None) -> list[TurnShown]:
    """What of each turn stands in the text. `frame`: what the template writes around contents, where that is known.

    Without a frame a content is looked for behind the turn before it, so that one which says what the template says of
    itself ("user") may be found there.
    """
    return _framed(text, turns, frame) or _searched(text, turns)


def content_of(turn: Mapping[str, Any]) -> str:
    """The words of a turn; of typed parts, those that are text."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def is_only_words(turn: Mapping[str, Any]) -> bool:
    """Whether there is nothing but words in a turn, of which some are no reasoning."""
    if any(key not in PLAIN_FIELDS and value is not None for key, value in turn.items()):
        return False
    content = turn.get("content")
    return isinstance(content, str) and bool(content.strip()) and "<think>" not in content


def reasoning_of(turn: Mapping[str, Any]) -> str:
    """The reasoning of a turn, from a field of its own or from the beginning of its content."""
    given = next(
        (turn[name] for name in REASONING_FIELDS if isinstance(turn.get(name), str) and turn[name].strip()), ""
    )
    found = THOUGHT.fullmatch(content_of(turn))
    return given or (found[1] if found else "")


def _framed(text: str, turns: Sequence[Mapping[str, Any]], frame: Sequence[str] | None) -> list[TurnShown] | None:
    """Contents between what stands around them; None where the text is another than that."""
    if frame is None or len(frame) != len(turns) + 1 or not text.startswith(frame[0]):
        return None
    at, shown = len(frame[0]), list[TurnShown]()
    for turn, after in zip(turns, frame[1:], strict=True):
        content = content_of(turn)
        for said in dict.fromkeys((content, content.strip(), content.lstrip(), content.rstrip())):
            if text.startswith(said + after, at):
                break
        else:
            return None
        shown.append(TurnShown(turn["role"], at, at + len(said), "same" if said == content else "stripped"))
        at += len(said) + len(after)
    return shown if at == len(text) else None


def _searched(text: str, turns: Sequence[Mapping[str, Any]]) -> list[TurnShown]:
    at, shown = 0, list[TurnShown]()
    for turn in turns:
        found = _found(text, at, turn)
        shown.append(found)
        at = max(at, found.stop)
    return shown


def _found(text: str, at: int, turn: Mapping[str, Any]) -> TurnShown:
    role, content, thought = turn["role"], content_of(turn), reasoning_of(turn).strip()
    thought_at = text.find(thought, at) if thought else -1
    reasoning: Reasoning = "none" if not thought else "kept" if thought_at >= 0 else "dropped"
    after = at if thought_at < 0 else thought_at + len(thought)
    answer = THOUGHT.fullmatch(content)
    pieces: list[tuple[str, How]] = [(content, "same"), (content.strip(), "stripped")]
    if answer:
        pieces += [(answer[2].strip(), "changed")]
        after = at if (text.find(content.strip(), at)) >= 0 else after
    for piece, how in pieces:
        if not piece:
            return TurnShown(role, after, after, "same", reasoning)
        start = text.find(piece, after)
        if start < 0:
            start = text.find(piece)  # a template may put the system's words behind the user's
        if start >= 0:
            return TurnShown(role, start, start + len(piece), how, reasoning)
    return TurnShown(role, at, at, "gone", reasoning)


def around(text: str, sentinels: Sequence[str]) -> list[str] | None:
    """What stands around sentinels that a template was given as contents; None where one is missing or out of its place."""
    frame, rest = list[str](), text
    for sentinel in sentinels:
        before, found, rest = rest.partition(sentinel)
        if not found:
            return None
        frame.append(before)
    return [*frame, rest]
