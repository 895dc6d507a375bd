"""The filters of Self-Instruct, words and likeness in Vietnamese, Chinese and Japanese."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.instructions import (
    BLACKLIST,
    EVERY_BLACKLIST,
    blacklist_refusal,
    length_refusal,
    start_refusal,
    unfinished_refusal,
    unseen_text_refusal,
)
from tasks.text.languages import BESIDE_ENGLISH, EVERY
from tasks.text.languages.language import Language
from tasks.text.rouge import Pool, rouge_l
from tasks.text.words import word_count, words

VIETNAMESE = "Hãy giải thích vì sao tiếng Việt có sáu thanh điệu."
DECOMPOSED = unicodedata.normalize("NFD", VIETNAMESE)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("请描述下面的图片。", "图片"),
        ("画一只猫。", "画一"),
        ("打开这个文件并总结。", "文件"),
        ("写一首关于海的诗。", None),
        ("计划一次旅行。", None),
        ("Mô tả hình ảnh bên dưới.", "hình ảnh"),
        ("Vẽ một con mèo.", "vẽ"),
        ("Mở tệp này ra.", "tệp"),
        (unicodedata.normalize("NFD", "Vẽ một con mèo."), "vẽ"),
        ("Vẻ đẹp của Hà Nội là gì?", None),
        ("Viết một bài thơ về biển.", None),
        ("次の画像を説明してください。", "画像"),
        ("グラフを書いてください。", "グラフ"),
        ("海についての詩を書いてください。", None),
        ("Describe the image below.", "image"),
        ("Describe the imagery.", None),
    ],
)
def test_what_text_cannot_answer_is_refused_in_every_language(text: str, word: str | None) -> None:
    refusal = blacklist_refusal(text, EVERY_BLACKLIST)
    assert (refusal.detail if refusal else None) == word


def test_english_words_are_found_first_and_are_the_default() -> None:
    assert EVERY_BLACKLIST[: len(BLACKLIST)] == BLACKLIST
    assert all(word.isascii() for word in BLACKLIST)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("写一个程序，把数字排序。", "write_a_program"),
        ("编写一个程序来排序。", "write_a_program"),
        ("Viết một chương trình sắp xếp số.", "write_a_program"),
        (unicodedata.normalize("NFD", "Viết một chương trình sắp xếp số."), "write_a_program"),
        ("プログラムを書いてください。", "write_a_program"),
        ("解释怎样写一个程序。", None),
        ("。怎样排序？", "starts_with_punctuation"),
        ("、それは何ですか。", "starts_with_punctuation"),
        ("：说出三种水果。", "starts_with_punctuation"),
        ("「桜」の由来は？", None),
        ("《红楼梦》的作者是谁？", None),
        ("“对不起”用英语怎么说？", None),
    ],
)
def test_what_an_instruction_may_not_begin_with(text: str, reason: str | None) -> None:
    refusal = start_refusal(text, ascii_only=False)
    assert (refusal.reason if refusal else None) == reason


@pytest.mark.parametrize(
    "text", ["请总结以下内容：", "梨，桃，", "梨、", "等等……", "次の文章を要約：", "Tóm tắt đoạn sau:"]
)
def test_an_unfinished_text_is_refused(text: str) -> None:
    assert unfinished_refusal(text) is not None


@pytest.mark.parametrize("text", ["请总结这段话。", "なぜですか？", "Vì sao vậy?"])
def test_a_finished_text_is_kept(text: str) -> None:
    assert unfinished_refusal(text) is None


@pytest.mark.parametrize(
    ("text", "count"), [(VIETNAMESE, 11), (DECOMPOSED, 11), ("说出三种水果。", 6), ("果物は三つ。", 5)]
)
def test_length_is_counted_as_its_readers_do(text: str, count: int) -> None:
    assert word_count(text) == count
    assert length_refusal(text, count, count) is None


def test_vietnamese_is_the_same_composed_and_decomposed() -> None:
    assert DECOMPOSED != VIETNAMESE
    assert words(DECOMPOSED) == words(VIETNAMESE)
    assert rouge_l(DECOMPOSED, VIETNAMESE) == 1
    similar = Pool([VIETNAMESE]).most_similar(DECOMPOSED)
    assert similar is not None and similar.score == 1


def test_a_tone_makes_another_word() -> None:
    assert rouge_l("ma má mà mả mã mạ", "ma ma ma ma ma ma") == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("a", "b", "score"),
    [
        ("说出三种水果。", "说出五种水果！", 5 / 6),
        ("猫はなぜ喉を鳴らすのですか？", "犬はなぜ喉を鳴らすのですか？", 12 / 13),
        ("用Python写一个函数", "用Java写一个函数", 6 / 7),
        ("ｶﾀｶﾅで書いて", "カタカナで書いて", 1),
        ("１２個の卵", "12個の卵", 1),
    ],
)
def test_where_there_are_no_spaces_likeness_is_by_character(a: str, b: str, score: float) -> None:
    assert rouge_l(a, b) == pytest.approx(score)


OPTIONAL = {"nth_item", "nth_response", "numerals", "scale_before", "rating_is", "after_verdict", "is_spaceless"}
OPTIONAL |= {
    "number_words",
    "multipliers",
    "scales",
    "marked_name",
}  # numbers in words, names between marks: not everywhere
PLAIN = {"code", "name", "stop_words", "sentence_ends", "numerals"}


@pytest.mark.parametrize("language", BESIDE_ENGLISH, ids=lambda language: language.code)
def test_a_language_says_all_that_is_looked_for(language: Language) -> None:
    said = dataclasses.asdict(language)
    assert [name for name, value in said.items() if not value and name not in OPTIONAL] == []


@pytest.mark.parametrize("language", EVERY, ids=lambda language: language.code)
def test_the_words_of_a_language_are_composed_and_no_pattern_matches_nothing(language: Language) -> None:
    for name, value in dataclasses.asdict(language).items():
        if isinstance(value, bool):
            continue
        texts = [value] if isinstance(value, str) else [text for one in value for text in one if isinstance(text, str)]
        assert all(unicodedata.is_normalized("NFC", text) for text in texts), name
        if isinstance(value, str) and value and name not in PLAIN:
            assert re.compile(value).match("") is None, name


@given(st.text(max_size=40))
def test_any_text_is_as_like_itself_in_either_form(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert rouge_l(composed, decomposed) == (1 if words(text) else 0)


@pytest.mark.parametrize(
    "text",
    [
        "What's the main topic of the text?",
        "According to the passage, why do rivers bend?",
        "Theo đoạn văn, vì sao nước sôi ở nhiệt độ thấp hơn?",
        "Ý chính của đoạn trích là gì?",
        "根据短文，梅雨是什么？",
        "这段文字的主旨是什么？",
        "本文によると、気孔は何をしますか。",
        "筆者は何を言いたいのですか。",
    ],
)
def test_a_request_about_a_text_that_is_not_shown_is_refused(text: str) -> None:
    refused = unseen_text_refusal(text)
    assert refused is not None and refused.reason == "unseen_text"


@pytest.mark.parametrize(
    "text",
    [
        "How do I centre the text of a cell in a table?",
        "What is the main idea of the theory of evolution?",
        "Rewrite the given text in plain words: The lessee shall indemnify the lessor.",
        "Tóm tắt văn bản này: Nước sôi ở một trăm độ khi áp suất là một atm.",
        "根据材料的不同，桥梁怎样分类？",
        "怎样写一段文字介绍自己？",
        "「吾輩は猫である」の作者は誰ですか。",
        "文章を書くのが苦手です。どう練習すればいいですか。",
    ],
)
def test_a_request_that_speaks_of_texts_or_brings_one_is_kept(text: str) -> None:
    assert unseen_text_refusal(text) is None
