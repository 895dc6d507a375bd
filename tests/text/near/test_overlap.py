"""Passages are found in texts in whatever dress, and texts that only share phrases with them are left alone."""

from __future__ import annotations

import unicodedata

import pytest

from tasks.text.near.overlap import Passages, without_accents

LONG = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends "
    "every day with four. How much does she make every day at the farmers' market?"
)
SHORT = "Explain depth first search with a snippet of Python code."
TINY = "Prove the Pythagorean theorem."
FIVE = "Who painted the Mona Lisa?"
CHINESE = "今天的天气非常好，我们一起去公园里散步看花，然后回家做饭吃，晚上再看一部电影，最后早点上床睡觉休息。"
VIETNAMESE = "Hãy giải thích cho học sinh lớp năm vì sao bầu trời có màu xanh vào ban ngày."
PASSAGES = (LONG, SHORT, TINY, FIVE, CHINESE, VIETNAMESE)


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        (LONG.upper(), LONG),
        (f"Please help me with this:\n\n{LONG}\n\nThanks, I need it by Monday.", LONG),
        (LONG.replace(".", " -- ").replace("'", "’"), LONG),
        (LONG.replace("muffins", "bread"), LONG),
        (LONG.replace("breakfast", "lunch").replace("friends", "neighbours"), LONG),
        (SHORT.replace("search", "traversal"), SHORT),
        (f"My teacher said: {SHORT.replace('Python', 'Java')} I do not know how.", SHORT),
        ("prove the pythagorean theorem", TINY),
        (f"Answer this: {FIVE.lower()} And when?", FIVE),
        (CHINESE.replace("公园", "学校"), CHINESE),
        (f"老师说：{CHINESE}谢谢。", CHINESE),
        (unicodedata.normalize("NFD", VIETNAMESE), VIETNAMESE),
        ("Hay giai thich cho hoc sinh lop nam vi sao bau troi co mau xanh vao ban ngay.", VIETNAMESE),
        (LONG.replace("muffins", "müffins").replace("day", "dày"), LONG),
    ],
)
def test_a_passage_is_found(text: str, passage: str) -> None:
    [found] = Passages(PASSAGES).found_in([text])
    assert found is not None
    assert PASSAGES[found.passage] == passage
    assert 0.5 < found.share <= 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!",
        "She eats three for breakfast every morning and bakes bread.",
        "Janet's ducks lay 16 eggs per day. She sells them all to the one baker in town for a dollar.",
        "Explain breadth first search.",
        "Write a snippet of Python code with a loop.",
        "I want you to prove the Pythagorean theorem in three ways.",
        "Who painted the Last Supper?",
        "今天的天气非常好，适合在家里读一本关于历史的书。",
    ],
)
def test_a_phrase_in_common_is_no_copy(text: str) -> None:
    assert Passages(PASSAGES).found_in([text]) == [None]


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Café Ελλάδα чай Đông Á", "Cafe Ελλαδα чаи Dong A"),
        ("ガラス か゚", "ガラス か゚"),
        ("हिन्दी ภาษาไทย 한국어", "हिन्दी ภาษาไทย 한국어"),
        ("ascii", "ascii"),
    ],
    ids=["accents", "kana", "vowel signs and syllables", "none"],
)
def test_trap_accents_go_and_what_makes_another_letter_stays(text: str, bare: str) -> None:
    assert without_accents(text) == bare
    assert without_accents(unicodedata.normalize("NFD", text)) == bare


def test_trap_a_text_of_fewer_than_ten_words_is_found_all_the_same() -> None:
    """Ten words in a row alone, which is how it is mostly done, never find it."""
    asked = "Name the capital city of France in one word."
    assert len(asked.split()) == 9
    assert Passages([asked]).found_in([f"Hello. {asked} Thanks!", "Name the largest city of Spain."])[1] is None
    assert Passages([asked]).found_in([f"Hello. {asked} Thanks!"]) != [None]


def test_the_share_is_of_the_passages_words() -> None:
    half = " ".join(LONG.split()[:20])
    [found] = Passages([LONG], share=0.3).found_in([half])
    assert found is not None
    assert found.share == pytest.approx(20 / 34, abs=0.06)
    assert Passages([LONG], share=0.7).found_in([half]) == [None]


def test_texts_at_once_are_found_as_alone() -> None:
    texts = [LONG, "", SHORT, "nothing of it", TINY, CHINESE]
    passages = Passages(PASSAGES)
    assert passages.found_in(texts) == [passages.found_in([text])[0] for text in texts]
    assert Passages([]).found_in(texts) == [None] * len(texts)
    assert Passages(["", "?"]).found_in(texts) == [None] * len(texts)
