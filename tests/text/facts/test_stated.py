"""Numbers, dates and names: read in four languages, and what a text says that another does not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.facts.kept import changed_facts, is_list, sentence_count
from tasks.text.facts.numbers import cjk_value, numbers_in
from tasks.text.facts.stated import names_in, unstated

NUMBERS = [
    ("en", "3.2 million people", {3200000}),
    ("en", "two hundred and ten of 1,234.5", {210, 1234.5}),
    ("en", "Twenty-five at 10:00", {25, 10}),
    ("en", "1.234", {1234, 1.234}),
    ("vi", "hai trăm ba mươi lăm người, 3,2 triệu đồng", {235, 3200000}),
    ("vi", "1.200.000 đồng", {1200000}),
    ("zh", "库容为3.2亿立方米，建了十二年", {320000000, 12}),
    ("zh", "二〇二六年，三百二十人", {2026, 320}),
    ("zh", "万一十分顺利", set()),
    ("ja", "3億2千万円、一万二千人、３０００円", {320000000, 12000, 3000}),
]


@pytest.mark.parametrize(("language", "text", "expected"), NUMBERS)
def test_a_number_is_read_as_it_is_meant(language: str, text: str, expected: set[float]) -> None:
    found = {value for number in numbers_in(text, language) for value in number.values}
    assert found == {Decimal(str(value)) for value in expected}


@given(st.integers(0, 10**15), st.sampled_from(["en", "vi", "zh", "ja"]))
def test_digits_are_read_with_or_without_marks(number: int, language: str) -> None:
    for written in (f"{number}", f"{number:,}", f"{number:,}".replace(",", ".")):
        assert any(Decimal(number) in one.values for one in numbers_in(f"x {written} y", language))


@given(st.integers(1, 9999), st.sampled_from(["万", "億", "亿"]))
def test_a_scale_of_chinese_and_japanese_multiplies(number: int, scale: str) -> None:
    assert cjk_value(f"{number}{scale}") == number * (10**4 if scale == "万" else 10**8)


STATED = [
    ("en", "Anna Lee met the mayor on 5 June.", "On 2026-06-05 the mayor met Anna Lee."),
    ("en", "It took three hours.", "It took 3 hours."),
    ("en", "They paid 1,200 euros.", "They paid 1200 euros."),
    ("vi", "Cuộc họp ngày 4 tháng 5 với ông Nguyễn Văn Nam.", "Ông Nguyễn Văn Nam họp ngày 4/5/2026."),
    ("zh", "李老师5月4日带3.2万份数据来。", "李老师将于五月4日带来32000份数据。"),
    ("ja", "田中さんは5月4日に三百二十円払った。", "5月4日、田中さんは320円を払いました。"),
]


@pytest.mark.parametrize(("language", "said", "source"), STATED)
def test_what_stands_in_the_source_in_another_form_is_stated(language: str, said: str, source: str) -> None:
    assert unstated(said, source, language) == []


INVENTED = [
    ("en", "Tom pays 9 euros.", "Tom pays 8 euros.", "number"),
    ("en", "They met on a Friday.", "They met.", "date"),
    ("en", "It was in March.", "It was in spring.", "date"),
    ("en", "So the mayor met Bob Dale.", "The mayor met somebody.", "name"),
    ("vi", "Họ gặp nhau vào tháng 6.", "Họ gặp nhau vào ngày 4 tháng 5.", "number"),
    ("vi", "Chị ấy gặp ông Bình ở Huế.", "Chị ấy gặp một người ở Huế.", "name"),
    ("zh", "共有三百二十人。", "共有三百人。", "number"),
    ("zh", "这是《红楼梦》。", "这是一本书。", "name"),
    ("ja", "田中さんが来た。", "佐藤さんが来た。", "name"),
    ("ja", "会議は月曜だ。", "会議は火曜だ。", "date"),
]


@pytest.mark.parametrize(("language", "said", "source", "kind"), INVENTED)
def test_what_does_not_stand_there_is_told(language: str, said: str, source: str, kind: str) -> None:
    assert unstated(said, source, language)[0].kind == kind


@given(
    st.sampled_from([text for _, text, _ in STATED] + [text for _, _, text in STATED]),
    st.sampled_from(["en", "vi", "zh", "ja"]),
)
def test_a_text_states_all_that_it_says(text: str, language: str) -> None:
    assert unstated(text, text, language) == []


def test_a_name_is_told_by_its_capital_inside_a_sentence() -> None:
    assert names_in("The end. Perhaps Ms Lane's boat sails to New York in May.", "en") == ["Ms Lane", "New York"]


def test_what_is_lost_and_what_is_added_is_told_apart() -> None:
    changes = changed_facts("Please pay 9 euros to Ms Lane.", "Please pay 8 euros to Ms Hill.", "en")
    assert [(how, fact.text) for how, fact in changes] == [
        ("lost", "9"),
        ("lost", "Ms Lane"),
        ("added", "8"),
        ("added", "Ms Hill"),
    ]


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("- one\n- two", True),
        ("Points:\n\n1. one\n2. two", True),
        ("・一つ\n・二つ", True),
        ("- one", False),
        ("- one\nand more\n- two", False),
        ("One, two.", False),
    ],
)
def test_bullets_are_bullets(text: str, listed: bool) -> None:
    assert is_list(text) is listed


@pytest.mark.parametrize(
    ("text", "count"), [("One. Two! Three?", 3), ("It costs 9.60 euros.", 1), ("一。二！三", 3), ("No end", 1), ("", 0)]
)
def test_sentences_are_counted(text: str, count: int) -> None:
    assert sentence_count(text) == count
