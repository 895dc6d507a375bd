"""The answer format of a model, read from its own chat template.

    derive(tokenizer).blocks[0]        # Block(opening="<think>", closing="</think>")

The template renders conversations with sentinels for question, reasoning and answer; what stands between them is the
format. A checkpoint that ships a `response_template` (transformers 5.13) is parsed by that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.errors import ConfigError
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat, Block
from tasks.models.answers.rendering import TOKEN, rendered
from tasks.models.base import ChatTemplate

ASKED, THOUGHT, SAID = "ASKED0b7d5ae1ASKED", "THOUGHT0b7d5ae1THOUGHT", "SAID0b7d5ae1SAID"
EARLIER = ({"role": "user", "content": "first"}, {"role": "assistant", "content": "EARLIER0b7d5ae1EARLIER"})
FIELDS = ("reasoning_content", "reasoning", "thinking")  # of a message; a template reads one of them
SHOWING: tuple[dict[str, Any], ...] = ({}, {"enable_thinking": True, "thinking": True})
ODD_TOKENS = r"\[e~\[|\]~!?b[\[\]]|〈\|[^〉\s]*\|〉"  # MiniMax-M2, Laguna


@dataclass(frozen=True, slots=True)
class Shown:
    """What a template writes around the parts of an assistant's turn, from the end of the user's words on.

    `before` ends where the reasoning begins, or the answer where there is no reasoning; `between` stands between the
    two, `after` behind the answer. `prompt` is what the template writes for a model that is to answer.
    """

    prompt: str
    before: str
    between: str
    after: str


def derive(tokenizer: ChatTemplate) -> AnswerFormat:
    """The answer format of a tokenizer's chat template, laid over the formats that are known of all families.

    A template that renders no answered turn (one for tools alone, say) tells nothing: `ends` is empty then.
    """
    marks = _marks(tokenizer)
    try:
        plain = _shown(tokenizer, {}, None)
    except ConfigError:
        return _with_own_parser(replace(KNOWN, ends=()), tokenizer)
    reasoned = _with_reasoning(tokenizer)
    derived = _without_reasoning(marks, plain) if reasoned is None else _laid_over(marks, plain, reasoned)
    ends = _ends(tokenizer, marks, plain, derived)
    return _with_own_parser(replace(derived, ends=ends, prompt=plain.prompt), tokenizer)


def _shown(tokenizer: ChatTemplate, variables: Mapping[str, Any], field: str | None) -> Shown:
    """What stands around the parts of the last turn of two, its reasoning in `field` of the message."""
    answer = {"role": "assistant", "content": SAID} | ({field: THOUGHT} if field else {})
    asked = [*EARLIER, {"role": "user", "content": ASKED}]
    prompt = rendered(tokenizer, asked, variables=variables).rpartition(ASKED)[2]
    whole = rendered(tokenizer, [*asked, answer], add_generation_prompt=False, variables=variables)
    before, found, after = whole.rpartition(ASKED)[2].partition(SAID)
    if not found:
        raise ConfigError("the chat template drops what the assistant says", prompt, "choose another model")
    opening, thought, between = before.partition(THOUGHT)
    return Shown(prompt, opening, between if thought else "", after)


def _with_reasoning(tokenizer: ChatTemplate) -> Shown | None:
    """The first rendering that shows reasoning before the answer."""
    for variables in SHOWING:
        for field in FIELDS:
            try:
                shown = _shown(tokenizer, variables, field)
            except ConfigError:
                continue
            if shown.between.strip():
                return shown
    return None


def _without_reasoning(marks: re.Pattern[str], plain: Shown) -> AnswerFormat:
    """The known formats, and the mark that this template sets before an answer."""
    direct = _direct(marks, plain)
    opened = direct and not any(block.closing in direct for block in KNOWN.blocks)
    return replace(KNOWN, openings=(direct, *KNOWN.openings)) if opened else KNOWN


def _laid_over(marks: re.Pattern[str], plain: Shown, shown: Shown) -> AnswerFormat:
    """The known formats, and before them the one that a rendering with reasoning shows."""
    opening, closing = _opening(marks, shown), _first_group(marks, shown.between)
    rest = shown.between.strip()[len(closing) :].lstrip()
    restart = _last_group(marks, plain.prompt[: _common(marks, plain.prompt, plain.before)])
    restarts = (restart,) if restart and rest.startswith(restart) else ()
    rest = rest.removeprefix(restart).lstrip() if restarts else rest
    openings = tuple(dict.fromkeys(text for text in (rest, _direct(marks, plain)) if text and closing not in text))
    closings = (_first_group(marks, plain.after),) if openings and plain.after.strip() else ()
    written = " ".join((opening, closing, *restarts, *openings))
    block = Block(opening, closing, bare=closing not in KNOWN.ends, sure=bool(marks.search(opening)))
    return replace(
        KNOWN,
        blocks=(block, *(other for other in KNOWN.blocks if other.opening != opening)),
        openings=(*openings, *KNOWN.openings),
        closings=(*closings, *KNOWN.closings),
        restarts=(*restarts, *KNOWN.restarts),
        inside=frozenset(marks.findall(written)),
        source="chat_template",
    )


def _opening(marks: re.Pattern[str], shown: Shown) -> str:
    """What opens the reasoning: in the turn, else only in the prompt, else the last mark that both have."""
    common = _common(marks, shown.before, shown.prompt)
    own, prompted = shown.before[common:].strip(), shown.prompt[common:].strip()
    return own or prompted or _last_mark(marks, shown.before)


def _direct(marks: re.Pattern[str], plain: Shown) -> str:
    """What a turn without reasoning begins with, after the prompt."""
    direct = plain.before[_common(marks, plain.prompt, plain.before) :]
    return direct.strip() if marks.search(direct) else direct.lstrip()


def _ends(tokenizer: ChatTemplate, marks: re.Pattern[str], plain: Shown, derived: AnswerFormat) -> tuple[str, ...]:
    """What ends a turn: the marks after an answer, those that open another turn, the tokenizer's own."""
    whole = rendered(tokenizer, [*EARLIER, {"role": "user", "content": ASKED}], add_generation_prompt=False)
    another = whole.rpartition(EARLIER[-1]["content"])[2].partition(ASKED)[0]
    within = {mark for block in derived.blocks for mark in marks.findall(block.opening + " " + block.closing)}
    prompted = [mark for mark in marks.findall(plain.prompt) if mark not in within]
    own = [getattr(tokenizer, name, None) for name in ("eos_token", "bos_token")]
    found = [*marks.findall(plain.after), *marks.findall(another), *prompted, *own]
    return tuple(dict.fromkeys(mark for mark in found if mark))


def _marks(tokenizer: ChatTemplate) -> re.Pattern[str]:
    """What looks like a token around or inside a turn, or is one of this tokenizer."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    known = sorted({token.content for token in added if token.content.strip()}, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, known), TOKEN.pattern, ODD_TOKENS]))


def _common(marks: re.Pattern[str], one: str, other: str) -> int:
    """How long a beginning two texts share, without a mark that is cut."""
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    for text in (one, other):
        length = min((m.start() for m in marks.finditer(text) if m.start() < length < m.end()), default=length)
    return length


def _first_group(marks: re.Pattern[str], text: str) -> str:
    """What a text begins with: a mark, or two with a name between them; else all before the first mark."""
    text = text.strip()
    named = re.match(rf"(?:{marks.pattern})(?:[a-z_]+(?:{marks.pattern}))?", text)
    if named:
        return named[0]
    mark = marks.search(text)
    return text[: mark.start() if mark else None].strip()


def _last_mark(marks: re.Pattern[str], text: str) -> str:
    """The mark that a text ends with, with its name before it where it has one: <|open|>think<|sep|>."""
    found = [*re.finditer(rf"(?:(?:{marks.pattern})[a-z_]+)?(?:{marks.pattern})", text)]
    return found[-1][0] if found else ""


def _last_group(marks: re.Pattern[str], text: str) -> str:
    """The last mark of a text and what follows it: <|start|>assistant."""
    found = [*marks.finditer(text)]
    return text[found[-1].start() :].strip() if found else ""


def _with_own_parser(derived: AnswerFormat, tokenizer: Any) -> AnswerFormat:
    if getattr(tokenizer, "response_template", None) is None:
        return derived

    def own(text: str, prompt: str) -> Mapping[str, Any]:
        message: Mapping[str, Any] = tokenizer.parse_response(text, prefix=prompt)
        return message

    return replace(derived, own=own, source="response_template")
