"""The one place that decides whether a completion is an answer (law 10), for new ones and those on record alike.

What is refused is `Unusable`, by reason: `truncated`, `content_filter`, `tool_call`, `cut_off` (it is not known to have
ended), `prompt_cut` (the server did not read all that was asked), `empty`, `further_turns` (the model went on as the
user), `control_tokens`. An end-of-turn token that a server left in the text ends it there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from tasks.errors import Filtered, Unusable
from tasks.models.answers import tokens
from tasks.models.answers.counted import request_texts
from tasks.models.answers.prompt_cut import FIX, is_cut
from tasks.models.base import Completion, Request

OF_TODAY = frozenset({"tool_call", "cut_off", "prompt_cut", "empty", "further_turns", "control_tokens"})
"""What earlier versions took for answers."""
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)  # where a token is quoted
INVISIBLE = frozenset("\u2800\u3164\u115f\u1160\uffa0")  # letters and signs that show nothing
SENTENCE_ENDS = ".!?…。！？；．｡‼⁇⁈⁉؟۔।॥။។።"
"""Of all scripts that have signs of their own for it."""
CLOSING = "\"'”’»›)]*`」』）】》〉"
GLUED = re.compile(
    rf"(?:[{SENTENCE_ENDS}][{re.escape(CLOSING)}]*|```|[)\]}}」』）】])assistant(?:\n\n|\n*\Z)"
)  # a stripped header between two turns
TURNS = re.compile(
    r"^(?:user|human)[ \t]*$.+?^(?:assistant|model)[ \t]*$|^assistant[ \t]*$.+?^assistant[ \t]*$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The text of an answer, and what was lost on the way, where something was."""

    text: str
    loss: Filtered | None = None


def accept(
    request: Request, completion: Completion, *, truncated_too: bool = False, count: Callable[[str], int] | None = None
) -> Accepted:
    """The answer in a completion. Raises Unusable where there is none.

    `truncated_too`: one that stopped for length is wanted all the same. `count` counts the tokens of a text as the
    model does, where that is known.
    """
    if cut := is_cut(request, completion.prompt_tokens, count):
        raise Unusable("prompt_cut", f"{cut}: {FIX}", raw=completion.text)
    _refuse_unended(completion, truncated_too)
    text = completion.text
    if request.messages is None:  # raw text is continued, and its parser knows what it may be
        return Accepted(text)
    loss = None
    if tokens.may_hold_control(text):
        text, loss = _ended(text, request)
    if "tool" in text or "function" in text or "[TOOL" in text or "<" in text[:8]:
        _refuse_tool_call(text)
    if text and not _is_seen(text):
        raise Unusable("empty", "nothing that can be seen", raw=completion.text)
    if "assistant" in text and (found := _outside_code(GLUED, text) or _outside_code(TURNS, text)):
        raise Unusable(
            "further_turns", f"the model went on as the next turn at {found[0][-40:]!r}", raw=completion.text
        )
    return Accepted(text, loss)


def is_final(loss: Unusable, paid: bool, earlier: bool) -> bool:
    """Whether another attempt would come to the same. On record it may be of a time when something else was the case.

    `paid`: the model was asked just now; `earlier`: the attempt is one of those before a retry.
    """
    if loss.reason == "content_filter":
        return paid or not earlier
    return loss.reason == "truncated" or (loss.reason == "prompt_cut" and paid)


def _refuse_unended(completion: Completion, truncated_too: bool) -> None:
    """Law 4: a completion that did not end by itself is no answer."""
    finish, raw = completion.finish_reason, completion.text
    if finish == "length" and not truncated_too:
        which = "" if not completion.reasoning else "the answer " if raw.strip() else "the reasoning "
        raise Unusable("truncated", f"{which}stopped after {completion.completion_tokens} tokens", raw=raw)
    if finish == "content_filter":
        raise Unusable("content_filter", completion.finish_word or "", raw=raw)
    if finish == "tool_calls":
        raise Unusable("tool_call", "the model calls a tool, and none was offered", raw=raw)
    if finish == "cut_off":
        raise Unusable("cut_off", f"it ended with {completion.finish_word!r}", raw=raw)


def _ended(text: str, request: Request) -> tuple[str, Filtered | None]:
    """The text up to where its turn ends. Raises Unusable for tokens that no answer has."""
    loss = None
    quoted = {found[0] for said in request_texts(request) for found in tokens.CONTROL.finditer(said)}
    if (end := _outside_code(tokens.END, text)) and end[0] not in quoted:
        behind = text[end.end() :].strip()
        loss = Filtered(
            "end_token", f"cut at {end[0]}" + (f", {len(behind)} characters behind it" if behind else ""), raw=text
        )
        text = text[: end.start()].rstrip()
        if not text:
            raise Unusable("empty", f"nothing before {end[0]}", raw=loss.raw)
    if (left := _outside_code(tokens.CONTROL, text)) and left[0] not in quoted:
        raise Unusable("control_tokens", left[0], raw=text)
    return text, loss


def _refuse_tool_call(text: str) -> None:
    if (found := tokens.CALL.match(text)) or (found := _outside_code(tokens.CALL_AT_THE_END, text)):
        raise Unusable("tool_call", f"the model calls a tool, and none was offered: {found[0].strip()[:40]}", raw=text)


def _outside_code(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match that is not quoted as code."""
    code: list[tuple[int, int]] | None = None
    for found in pattern.finditer(text):
        if code is None:
            code = [span.span() for span in CODE.finditer(text)]
        if not any(start < found.end() - 1 < end for start, end in code):
            return found
    return None


def _is_seen(text: str) -> bool:
    """Whether any character of a text shows. Nearly always the first one does."""
    return any(unicodedata.category(c)[0] not in "CZM" and c not in INVISIBLE for c in text)
