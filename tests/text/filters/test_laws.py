"""What holds of every check, whatever the text."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.curate.filters import CHECKS, Filters
from tasks.text.filters.answer import CheckedAnswer
from tasks.text.filters.languages import Languages
from tasks.text.filters.length import Length
from tasks.text.filters.patterns import Patterns
from tasks.text.filters.repetition import Repetition, loops
from tests.text.filters.answers import Case, by_hand

ON: dict[str, Any] = {name: on for name in CHECKS if (on := getattr(Filters(), name))} | {
    "length": Length(max_words=10**9),
    **({"languages": Languages(codes=("en", "vi"))} if find_spec("py3langid") else {}),
    "instruction_length": Length(max_words=10**9),
    "patterns": Patterns(required=("(?s).*",), forbidden=("z{50}",)),
}
SIGNS = [
    "```",
    "`",
    "<|im_end|>",
    "<think>",
    "{",
    '"',
    "\\",
    "\n",
    "1. ",
    "**",
    ", ",
    ". ",
    "。",
    "!",
    "(",
    "$",
    "\ufffd",
    "😀",
    " ",
]
SAID = ["a", "the ", "步骤", "か", "한국", "г", "0", "User: ", "### Response:", "I'm sorry, I can't "]
PIECES = st.sampled_from([*SIGNS, *SAID])
TEXTS = st.lists(PIECES, max_size=60).map("".join)
LONG = 1_000_000
LONG_TEXTS = {
    "a letter": "a",
    "a word": "a ",
    "fences": "```\n",
    "code": "` ",
    "quotes": '"',
    "bullets": "*a ",
    "brackets": "(",
    "JSON": '{"a": [',
    "escapes": '{"\\',
    "sentences": "It is what it is. ",
    "Chinese": "他说的话很有道理。",
    "Chinese and English": "步a骤b",
    "Vietnamese": "Tôi không thể giúp bạn với việc này, ",
    "commas": ", ",
    "line breaks": "\n",
    "spaces": " ",
    "labels": "User: a\n",
    "headings": "### ",
    "numbers": "1. ",
    "LaTeX": "\\begin{a}\n",
    "openings": "<|",
    "stars": "**",
    "formulas": "$a",
    "rules": "_ ",
}


def said(case: Case) -> CheckedAnswer:
    return CheckedAnswer(case.answer, case.asked, case.asked)


@pytest.mark.parametrize("name", ON)
@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_a_check_says_a_reason_or_nothing_of_any_text(name: str, text: str, asked: str) -> None:
    verdict = CHECKS[name](CheckedAnswer(text, asked, asked), ON[name])
    assert verdict is None or (verdict[0].replace("_", "").isalpha() and verdict[0].islower() and verdict[1])
    assert verdict == CHECKS[name](CheckedAnswer(text, asked, asked), ON[name])


@pytest.mark.parametrize("name", [name for name in ON if name not in ("patterns", "unfinished")])
@given(TEXTS, TEXTS)
@settings(max_examples=40, deadline=None)
def test_blank_lines_around_an_answer_change_nothing(name: str, text: str, asked: str) -> None:
    text = text.strip()
    reasons = [
        verdict and verdict[0]
        for padded in (text, f"\n{text}\n\n")
        for verdict in [CHECKS[name](CheckedAnswer(padded, asked, asked), ON[name])]
    ]
    assert reasons[0] == reasons[1]


@pytest.mark.parametrize(
    "case",
    [one for one in by_hand("bad") if one.name in ("control_token", "loop", "unreadable", "foreign_script", "refusal")],
    ids=lambda case: f"{case.language} {case.asked[:20]}",
)
def test_a_good_end_does_not_mend_an_answer(case: Case) -> None:
    good = {"en": "That is all there is.", "vi": "Tất cả là như vậy.", "zh": "就是这样。", "ja": "以上です。"}
    mended = CheckedAnswer(f"{case.answer}\n\n{good[case.language]}", case.asked, case.asked)
    assert any(CHECKS[name](mended, ON[name]) for name in ("markup", "repetition", "scripts", "refusals"))


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(5, 9), st.lists(st.sampled_from("xyz"), max_size=20))
def test_a_loop_is_found_wherever_it_stands(unit: list[str], times: int, around: list[str]) -> None:
    unit = [*unit, "end"]
    text = [*around, *unit * times, *around]
    found = list(loops(text, Repetition(min_words=5)))
    assert len(unit) * times < 8 or any(len(loop) * count >= len(unit) * times for loop, count in found)


@given(st.permutations(list("abcdefghijklmnopqrstuvwxyz")))
def test_words_that_do_not_come_again_are_no_loop(said: list[str]) -> None:
    assert list(loops(said, Repetition(min_words=5))) == []


@pytest.mark.slow
@pytest.mark.parametrize("piece", LONG_TEXTS.values(), ids=LONG_TEXTS)
@pytest.mark.parametrize("end", ["", "the end, 步骤 (and"])
def test_the_time_of_a_check_grows_no_faster_than_the_text(piece: str, end: str) -> None:
    """A megabyte is done before the test's own limit; what is quadratic would take hours."""
    text = piece * (LONG // len(piece)) + end
    for name in ON:
        began = time.perf_counter()
        CHECKS[name](CheckedAnswer(text, "what is it?", "what is it?"), ON[name])
        print(f"{name}: {time.perf_counter() - began:.2f} s")
