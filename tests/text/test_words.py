import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.words import EASY_TEXT, EASY_WORD, _words_by_character, word_count, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Write a Poem, now!", ["write", "a", "poem", "now"], id="ascii"),
        pytest.param("x_1 = 2", ["x", "1", "2"], id="underscore parts words"),
        pytest.param("don't", ["don", "t"], id="apostrophe parts words, as in ROUGE"),
        pytest.param("Café déjà-vu", ["café", "déjà", "vu"], id="accents belong to the word"),
        pytest.param("Cafe\u0301", ["café"], id="a combining accent too"),
        pytest.param("把这句话", ["把", "这", "句", "话"], id="Han by character"),
        pytest.param("Python入門です", ["python", "入", "門", "で", "す"], id="Latin and Japanese in one text"),
        pytest.param("สวัสดี", ["ส", "วั", "ส", "ดี"], id="Thai by character with its vowel signs"),
        pytest.param("ភាសា", ["ភា", "សា"], id="Khmer"),
        pytest.param("Привет, мир", ["привет", "мир"], id="Cyrillic"),
        pytest.param("हिन्दी भाषा", ["हिन्दी", "भाषा"], id="Devanagari words keep their vowel signs"),
        pytest.param("مرحبا بالعالم", ["مرحبا", "بالعالم"], id="Arabic"),
        pytest.param("می\u200cخواهم", ["میخواهم"], id="a zero-width non-joiner parts nothing"),
        pytest.param("한국어 번역", ["한국어", "번역"], id="Korean has spaces"),
        pytest.param("ＡＢＣ ｶﾞ", ["abc", "ガ"], id="full and half width"),
        pytest.param("👍 !!! —", [], id="no words"),
        pytest.param("", [], id="empty"),
    ],
)
def test_words_in_every_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("don't panic", 2, id="as a person counts"),
        pytest.param("把这句话翻译成英文", 9, id="Han characters"),
        pytest.param("用Python写", 2, id="mixed in one chunk"),
        pytest.param("  ", 0, id="blank"),
    ],
)
def test_word_count(text: str, count: int) -> None:
    assert word_count(text) == count


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_on_ascii_text_the_words_are_those_of_rouge(text: str) -> None:
    kept = "".join(c if c.isalnum() else " " for c in text.lower())
    assert words(text) == kept.split()


@given(st.text())
def test_any_text_has_words_without_spaces_in_lower_case(text: str) -> None:
    assert all(word and not word.isspace() and word == word.lower() for word in words(text))


def test_a_pattern_finds_the_words_of_easy_text() -> None:
    easy = [chr(point) for point in range(0x3000) if EASY_TEXT.fullmatch(chr(point))]
    assert len(easy) > 4000
    assert [one for one in easy if EASY_WORD.findall(f"a{one}b") != _words_by_character(f"a{one}b")] == []


@given(st.text())
def test_words_are_those_found_character_by_character(text: str) -> None:
    assert words(text) == _words_by_character(unicodedata.normalize("NFKC", text).lower())
