import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Filtered
from tasks.text.instructions import (
    BLACKLIST,
    blacklist_refusal,
    capitalized,
    cleaned,
    is_chatter,
    length_refusal,
    similarity_refusal,
    start_refusal,
    unfinished_refusal,
)
from tasks.text.rouge import Pool


def reason(refusal: Filtered | None) -> str | None:
    return refusal.reason if refusal else None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("1. What is rust?", "What is rust?"),
        ("12) What is rust?", "What is rust?"),
        ("(3) What is rust?", "What is rust?"),
        ("[4] What is rust?", "What is rust?"),
        ("5: What is rust?", "What is rust?"),
        ("a) What is rust?", "What is rust?"),
        ("- What is rust?", "What is rust?"),
        ("  * What is rust?", "What is rust?"),
        ("• What is rust?", "What is rust?"),
        ("– What is rust?", "What is rust?"),
        ("**1.** What is rust?", "What is rust?"),
        ("**1. What is rust?**", "What is rust?"),
        ("1. **What is rust?**", "What is rust?"),
        ("### 2. What is rust?", "What is rust?"),
        ("> What is rust?", "What is rust?"),
        ('"What is rust?"', "What is rust?"),
        ('3. "What is rust?"', "What is rust?"),
        ("“What is rust?”", "What is rust?"),
        ("'What's rust?'", "What's rust?"),
        ("`What is rust?`", "What is rust?"),
        ('    "What is rust?",', "What is rust?"),
        ("Query 1: What is rust?", "What is rust?"),
        ("**Question 2:** What is rust?", "What is rust?"),
        ("2. Query: What is rust?", "What is rust?"),
        ("User request #3: What is rust?", "What is rust?"),
        ("1、介绍一下上海。", "介绍一下上海。"),
        ("１．東京を紹介して。", "東京を紹介して。"),
        ("（2）介绍一下上海。", "介绍一下上海。"),
        ("「東京を紹介して。」", "東京を紹介して。"),
        ("What  is\trust?", "What is rust?"),
    ],
)
def test_a_list_item_is_cleaned_of_its_decoration(item: str, expected: str) -> None:
    assert cleaned(item) == expected


@pytest.mark.parametrize(
    "item",
    [
        "3.14 is what number?",
        "2:30 pm is when I leave; what bus do I take?",
        "100 metres is how many feet?",
        '"Carpe diem" means what, and who said "Odi et amo"?',
        "**Bold** and **bolder**: which word is stronger?",
        "*args and **kwargs: what are they?",
        "Don't stop, won't stop: who sang it?",
        "I. Kant wrote what?",
        "_init_ or __init__, which is right?",
        "C++ or C?",
        "- ",
    ],
)
def test_cleaning_leaves_what_belongs_to_the_text(item: str) -> None:
    assert cleaned(item) == " ".join(item.split())


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(item: str) -> None:
    assert cleaned(cleaned(item)) == cleaned(item)


@pytest.mark.parametrize(
    "line",
    [
        "Sure!",
        "Certainly.",
        "Sure, here are five queries:",
        "Here are 5 different requests that users could send:",
        "Here's a list of tasks",
        "Below are some example questions.",
        "Sure thing! Here are the requests",
        "These queries cover a wide range of topics.",
        "I hope these help!",
        "Let me know if you want more.",
        "Note: each one can be changed.",
        "好的，以下是五个问题",
    ],
)
def test_talk_about_the_list_is_no_item(line: str) -> None:
    assert is_chatter(line)


@pytest.mark.parametrize(
    "line",
    [
        "Here is my code, why does it crash?",
        "I have a rash on my arm, what can I do?",
        "Great Expectations: who wrote it?",
        "Sure-fire ways to sleep better?",
        "Let me know the opening hours of the Louvre.",
        "Yes or no: is glass a liquid?",
        "",
    ],
)
def test_a_request_is_not_taken_for_talk(line: str) -> None:
    assert not is_chatter(line)


def test_trap_capitalising_leaves_the_rest_as_it_is() -> None:
    assert capitalized("list the states of the USA") == "List the states of the USA"
    assert capitalized("") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("one two three", "too_short", id="three words"),
        pytest.param("one two three four", None, id="four"),
        pytest.param("word " * 150, None, id="150"),
        pytest.param("word " * 151, "too_long", id="151"),
        pytest.param("介绍一下上海", None, id="trap: Chinese has no spaces, and is not one word"),
        pytest.param("上海", "too_short", id="two characters"),
    ],
)
def test_length(text: str, expected: str | None) -> None:
    assert reason(length_refusal(text, 4, 150)) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Describe the image below.", "image"),
        ("DRAW a cat", "draw"),
        ("Please go to the shop", "go to"),
        ("Open the file.", "file"),
        ("Describe the imagery of the poem", None),
        ("Profile the customer", None),
        ("Mapping of names to ages", None),
        ("Withdraw from the treaty", None),
    ],
)
def test_the_blacklist_is_of_whole_words(text: str, word: str | None) -> None:
    refusal = blacklist_refusal(text, BLACKLIST)
    assert (refusal.detail if refusal else None) == word


def test_a_blacklisted_word_is_found_in_a_script_without_spaces() -> None:
    assert blacklist_refusal("请画一张图片给我", ["图片"]) is not None


@pytest.mark.parametrize(
    ("text", "ascii_only", "expected"),
    [
        ("Write a program that sorts.", True, "write_a_program"),
        ("Write a programme for the concert.", True, "write_a_program"),
        ("Explain how to write a program.", True, None),
        ("?Que es esto", True, "starts_with_punctuation"),
        ("¿Qué es esto?", True, "starts_non_ascii"),
        ("¿Qué es esto?", False, None),
        ("Über was?", False, None),
        ("What is this?", True, None),
    ],
)
def test_what_an_instruction_may_not_begin_with(text: str, ascii_only: bool, expected: str | None) -> None:
    assert reason(start_refusal(text, ascii_only=ascii_only)) == expected


@pytest.mark.parametrize(
    "text", ["Summarise the following:", "Bread, butter,", "And so on...", "And then…", "请总结：", "a -"]
)
def test_an_unfinished_text_is_refused(text: str) -> None:
    assert reason(unfinished_refusal(text)) == "unfinished"


def test_equal_to_the_limit_is_kept_and_more_is_not() -> None:
    pool = Pool(["a b c d e f g x y z"])
    equal, more = "a b c d e f g h i j", "a b c d e f g x i j"
    assert similarity_refusal(equal, pool.most_similar(equal), pool, 0.7) is None
    assert reason(similarity_refusal(more, pool.most_similar(more), pool, 0.7)) == "too_similar"
    assert similarity_refusal(more, Pool().most_similar(more), Pool(), 0.7) is None
