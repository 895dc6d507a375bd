"""What belongs to a chat template and not to an answer: control tokens, labels of turns, thoughts that do not close, signs
that no decoder could read.

What stands in code, and what the conversation had said before, stays: a question may be about `<|im_end|>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pydantic import Field

from tasks.models.answers.families import KNOWN
from tasks.models.answers.tokens import CONTROL, may_hold_control
from tasks.patterns import pattern
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc

EXERCISE = pattern(
    r"^[ \t]*#{2,4}[ \t]*(?:instructions?|responses?|input|output|human|user|assistant)[ \t]*(?:\d+[ \t]*)?[:：][ \t]*$"
    r"|^[ \t]*#{2,4}[ \t]*(?:instruction|response|human|assistant):[ \t]*\S",
    re.IGNORECASE | re.MULTILINE,
)
LABEL = pattern(
    rf"[\s*_#【\[]*(?:(?:response|answer|{either('response')})[ \t]*[#＃]?[ \t]*\d{{1,2}}|{either('nth_response').replace('N', '[0-9一二三]')}"
    rf"|{either('assistant_label', EVERY)})[*_】\]]*[ \t]*[:：]",
    re.IGNORECASE,
)
USER = pattern(rf"^[*_# \t]{{0,6}}(?:{either('user_label', EVERY)})[*_ ]{{0,3}}[:：]", re.IGNORECASE | re.MULTILINE)
ASSISTANT = pattern(
    rf"^[*_# \t]{{0,6}}(?:{either('assistant_label', EVERY)}|ai|bot|gpt)[*_ ]{{0,3}}[:：]", re.IGNORECASE | re.MULTILINE
)
SEVERAL = pattern(either("says_several", EVERY), re.IGNORECASE)
SEVERAL_QUESTIONS = pattern(r"[?？][^?？]+[?？]|^[ \t(（]*(?:2|二|b)[.)、）]", re.IGNORECASE | re.MULTILINE)
OF_A_TALK = pattern(rf"{either('of_an_ai', EVERY)}|{either('words_of_another', EVERY)}", re.IGNORECASE)
THOUGHTS = tuple(
    (block.opening, block.closing) for block in KNOWN.blocks if re.fullmatch(r"[<\[][\w:]+[>\]]", block.opening)
)
UNREADABLE = pattern("[\ufffd\x00-\x08\x0b\x0e-\x1f]")


class Markup(CheckSettings):
    """Answers with what belongs to a chat template."""

    labels: bool = Field(True, description='labels of turns too: "### Response:", "Response 1:", a turn of the user')
    unreadable: int | None = Field(
        0, ge=0, description="most signs that are none (U+FFFD, control characters); empty: no limit"
    )


def leaks_markup(answer: CheckedAnswer, settings: Markup) -> Refusal | None:
    """Refuse control tokens (control_token), open thoughts (open_thought), labels (turn_label) and unreadable signs."""
    text = answer.prose
    if found := _new(_tokens(text), answer.told):
        return "control_token", found
    for opening, closing in THOUGHTS if "<" in text or "[" in text else ():
        if text.count(opening) != text.count(closing) and opening not in answer.told and closing not in answer.told:
            return "open_thought", f"{text.count(opening)} {opening}, {text.count(closing)} {closing}"
    limit, count = settings.unreadable, len(UNREADABLE.findall(text))
    if limit is not None and count > limit and not UNREADABLE.search(answer.told):
        return "unreadable", f"{count} signs, at most {limit}"
    return _labels(answer, text) if settings.labels and (":" in text or "：" in text) else None


def _tokens(text: str) -> Iterable[str]:
    return CONTROL.findall(text) if may_hold_control(text) else ()


def _new(found: Iterable[str], told: str) -> str | None:
    """The first that nobody had said before."""
    return next((one for one in found if one.strip() not in told), None)


def _labels(answer: CheckedAnswer, text: str) -> Refusal | None:
    """A label of an exercise, one before the answer, or a next turn of the user with an answer to it. All have a colon."""
    if found := _new((one[0] for one in EXERCISE.finditer(text)), answer.told):
        return "turn_label", found.strip()
    label = LABEL.match(text)
    if label and label[0].strip() not in answer.told and not _asks(answer, SEVERAL, SEVERAL_QUESTIONS, OF_A_TALK):
        return "turn_label", label[0].strip()
    return _next_turn(answer, text)


def _asks(answer: CheckedAnswer, *kinds: re.Pattern[str]) -> bool:
    """Whether what was told asks for one of these."""
    asked = nfc(answer.told)
    return any(kind.search(asked) for kind in kinds)


def _next_turn(answer: CheckedAnswer, text: str) -> Refusal | None:
    turns = list(_turns(text))
    if len(turns) < 2 or turns[0][0] == 0 or _asks(answer, OF_A_TALK):
        return None
    (_, first, _), (_, second, _) = turns[:2]
    if (first, second) == ("user", "assistant"):
        return "turn_label", f"{turns[0][2]} and {turns[1][2]}"
    return None


def _turns(text: str) -> Iterator[tuple[int, str, str]]:
    """Where labelled turns begin, whose they are, and how they are called."""
    found = [(one.start(), "user", one[0].strip()) for one in USER.finditer(text)]
    yield from sorted([*found, *((one.start(), "assistant", one[0].strip()) for one in ASSISTANT.finditer(text))])
