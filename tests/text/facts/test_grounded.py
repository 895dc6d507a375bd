"""Answers with evidence: read in four languages, and the quotations checked to stand where they are said to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Unusable
from tasks.text.facts.grounded import Grounded, answerable_of, grounded_of, quotes_in, says_not_stated
from tasks.text.facts.quotes import missing_part

PASSAGE = "The ferry from Rohuküla takes 75\nminutes. “A car” costs 9.60 euros — in winter, too."


@pytest.mark.parametrize(
    "quote",
    [
        "The ferry from Rohuküla takes 75 minutes.",
        'the ferry from rohuküla takes 75 minutes "a car"',
        "The ferry ... 75 minutes",
        "takes 75 minutes [...] in winter",
        "costs 9.60 euros - in winter",
    ],
)
def test_a_quotation_that_stands_there_is_found(quote: str) -> None:
    assert missing_part(quote, PASSAGE) is None


@pytest.mark.parametrize(
    ("quote", "likeness"),
    [
        ("The ferry from Rohuküla takes 57 minutes.", (0.9, 1.0)),
        ("75 minutes ... The ferry", (0.9, 1.01)),
        ("Nothing of this kind is anywhere", (0.0, 0.7)),
        ("...", (0.0, 0.0)),
    ],
)
def test_a_quotation_that_does_not_is_told_with_how_near_it_comes(quote: str, likeness: tuple[float, float]) -> None:
    missing = missing_part(quote, PASSAGE)
    assert missing is not None and likeness[0] <= missing.likeness <= likeness[1]


@given(st.text(alphabet="ab 水库1.,\n", min_size=1, max_size=60), st.data())
def test_every_run_of_words_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    parts = text.split()
    if not parts:
        return
    start = data.draw(st.integers(0, len(parts) - 1))
    quote = " ".join(parts[start : data.draw(st.integers(start + 1, len(parts)))])
    missing = missing_part(quote, text)
    assert missing is None or not any(map(str.isalnum, quote)) or "..." in quote


ANSWERS = {
    "English": (
        'Answer: It takes 75 minutes.\nEvidence: "takes 75 minutes"\nEvidence: "9.60 euros"',
        ("It takes 75 minutes.", ("takes 75 minutes", "9.60 euros")),
    ),
    "markdown": (
        '**Answer:** It takes\n75 minutes.\n\n**Evidence:** "takes 75 minutes"',
        ("It takes\n75 minutes.", ("takes 75 minutes",)),
    ),
    "two on a line": ('Answer: Yes.\nEvidence: "one two", "three four"', ("Yes.", ("one two", "three four"))),
    "marks inside": ('Answer: Yes.\nEvidence: He said "go" and went.', ("Yes.", ('He said "go" and went.',))),
    "a list": ('Answer: Yes.\nEvidence:\n"one two"', ("Yes.", ("one two",))),
    "none": ("Answer: That is not stated.\nEvidence: none", ("That is not stated.", ())),
    "Vietnamese": ("Trả lời: Mất 75 phút.\nBằng chứng: “mất 75 phút”", ("Mất 75 phút.", ("mất 75 phút",))),
    "Chinese": ("答案：建于1958年。\n依据：“水库建于1958年”", ("建于1958年。", ("水库建于1958年",))),
    "Japanese": ("回答：1958年です。\n根拠：「1958年に完成した」", ("1958年です。", ("1958年に完成した",))),
    "Japanese, none": ("Answer: 建設費は述べられていません。\nEvidence: なし", ("建設費は述べられていません。", ())),
}


@pytest.mark.parametrize(("text", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_with_its_evidence(text: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert grounded_of(text) == Grounded(*expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("It takes 75 minutes.", "no_evidence"), ('Evidence: "75 minutes"', "empty")],
)
def test_an_answer_without_either_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as error:
        grounded_of(text)
    assert error.value.reason == reason


def test_a_quotation_without_marks_is_all_of_it() -> None:
    assert quotes_in(" no marks here ") == ["no marks here"]


OPEN = {
    "en": [
        "The price is not stated; only the times are.",
        "The guide doesn't say who built it.",
        "There is no information about that.",
        "The passage does not mention a fare.",
    ],
    "vi": ["Giá vé không được nêu.", "Tài liệu không đề cập đến điều này.", "Đoạn văn chưa nói rõ ai đã xây."],
    "zh": ["文中没有说明票价。", "原文未提及建造者。", "票价没有写明，只写了班次。", "无法从中得知。"],
    "ja": [
        "運賃は述べられていません。",
        "建設者については書かれていない。",
        "その記載はありません。",
        "費用は示されておらず、期間だけが分かる。",
    ],
}
TOLD = [
    "It costs 5 euros.",
    "Giá vé là 5 đồng.",
    "票价五元。",
    "運賃は五百円です。",
    "Cars are not allowed on it.",
    "船は冬には出ません。",
    "冬天不开船。",
    "Mùa đông không có phà.",
]


@pytest.mark.parametrize("text", [text for texts in OPEN.values() for text in texts])
def test_an_answer_that_leaves_it_open_is_seen_as_one(text: str) -> None:
    assert says_not_stated(text)


@pytest.mark.parametrize("text", TOLD)
def test_an_answer_that_tells_is_not(text: str) -> None:
    assert not says_not_stated(text)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Reason: It says 75 minutes.\nAnswerable: yes", True),
        ("Reason: yes, it seems so, but the price is missing.\n**Answerable:** No.", False),
        ("no", False),
        ("Reason: 原文写了。\nAnswerable: 是", True),
        ("Reason: 書かれていない。\nAnswerable: いいえ", False),
        ("Reason: thiếu giá vé.\nAnswerable: không", False),
    ],
)
def test_a_verdict_is_the_last_word(text: str, verdict: bool) -> None:
    assert answerable_of(text) is verdict


def test_no_verdict_is_unusable() -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        answerable_of("Reason: hard to say.\nAnswerable: perhaps")
