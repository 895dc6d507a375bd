from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import pytest

from tasks.errors import Unusable
from tasks.text.wrong_language import parsed_in_language, wrong_answer, wrong_instruction
from tests.text.test_language_id import WRITTEN

pytestmark = pytest.mark.skipif(find_spec("py3langid") is None, reason="needs the extra language")
QUESTIONS = {
    "en": "Explain how water moves between the sea, the air and the land.",
    "vi": "Hãy giải thích nước di chuyển giữa biển, không khí và đất liền như thế nào.",
    "zh": "请解释水如何在海洋、大气和陆地之间移动，并举一个例子。",
    "ja": "水が海と大気と陸の間をどのように移動するのか説明してください。",
}
TRANSLATIONS = {
    "en": "Translate this sentence into French: The sea is wide and the wind is cold today.",
    "vi": "Dịch câu sau sang tiếng Pháp: Biển rộng và hôm nay gió lạnh.",
    "zh": "把这句话翻译成法语：大海很宽阔，今天的风很冷。",
    "ja": "次の文をフランス語に訳してください。海は広く、今日は風が冷たいです。",
}


@pytest.mark.parametrize("language", QUESTIONS)
def test_an_answer_is_right_in_its_rows_language_and_in_its_questions(language: str) -> None:
    for other in QUESTIONS:
        assert wrong_answer(WRITTEN[language], language, QUESTIONS[other]) is None
        assert wrong_answer(WRITTEN[language], other, QUESTIONS[language]) is None
    assert wrong_answer(WRITTEN["fr"], language, QUESTIONS[language]) == f"fr, not {language}"


@pytest.mark.parametrize("language", QUESTIONS)
@pytest.mark.parametrize("other", QUESTIONS)
def test_an_answer_that_falls_into_another_language_is_wrong(language: str, other: str) -> None:
    """As SmolLM2 does, whatever language it is asked in: a line of it, then English."""
    answer = f"{WRITTEN[language]}\n\n{WRITTEN[other]}"
    told = wrong_answer(answer, language, QUESTIONS[language])
    assert told is None if language == other else (told or "").startswith(f"{other}, not {language}")


def test_a_line_in_another_language_may_be_of_what_was_asked_or_code() -> None:
    line = WRITTEN["fr"]
    assert wrong_answer(f"{WRITTEN['en']}\n{line}", "en", f"{QUESTIONS['en']}\n{line}") is None
    assert wrong_answer(f"{WRITTEN['en']}\n```\n{line}\n```", "en", QUESTIONS["en"]) is None
    assert wrong_answer(f"{WRITTEN['en']}\n{line[:30]}", "en", QUESTIONS["en"]) is None


@pytest.mark.parametrize("language", QUESTIONS)
@pytest.mark.parametrize("other", QUESTIONS)
def test_an_instruction_is_right_in_its_rows_language_alone(language: str, other: str) -> None:
    expected = None if language == other else f"{other}, not {language}"
    assert wrong_instruction(QUESTIONS[other], language) == expected


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_what_is_asked_for_in_another_language_may_be_in_it(language: str) -> None:
    asked = TRANSLATIONS[language]
    assert wrong_instruction(asked, language) is None
    assert wrong_answer(WRITTEN["fr"], language, asked) is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("vi", "Dịch câu sau sang tiếng Việt: The quick brown fox jumps over the lazy dog and then runs away again."),
        ("zh", "请把下面的英文翻译成中文：The quick brown fox jumps over the lazy dog and then runs away."),
        ("ja", "次の英文を日本語に翻訳してください。The quick brown fox jumps over the lazy dog and then runs away."),
        ("en", "What does this Vietnamese sentence mean? Hôm nay trời nhiều mây và có mưa rào vào buổi chiều tối."),
    ],
)
def test_an_instruction_may_quote_what_is_to_be_translated(language: str, text: str) -> None:
    assert wrong_instruction(text, language) is None


def test_an_instruction_that_names_a_language_in_the_wrong_one_is_wrong() -> None:
    assert wrong_instruction("Explain how the French Revolution began and who took part in it.", "vi") == "en, not vi"


def test_words_that_only_look_like_the_name_of_a_language_excuse_nothing() -> None:
    for asked in (
        "Dịch vụ ngân hàng là gì?",
        "Dung dịch muối ăn là gì?",
        "小学语文课怎么上？",
        "申し訳ない気持ちとは？",
    ):
        assert wrong_answer(WRITTEN["fr"], "en", asked) is not None


def test_a_parsed_text_in_the_wrong_language_is_unusable() -> None:
    wrong = partial(wrong_answer, language="vi", asked=QUESTIONS["vi"])
    assert parsed_in_language(str.strip, wrong, f" {WRITTEN['vi']} ") == WRITTEN["vi"]
    with pytest.raises(Unusable, match="wrong_language: fr, not vi"):
        parsed_in_language(str.strip, wrong, WRITTEN["fr"])
