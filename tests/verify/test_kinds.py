"""Each kind on answers that nearly keep it: what passes, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.errors import Filtered
from tasks.verify.constraints.constraint import verify_constraints
from tasks.verify.constraints.parts import sentences
from tasks.verify.constraints.table import CONSTRAINTS

CASES: list[
    tuple[str, str, dict[str, Any], str, str]
] = [  # kind, language, parameters, one that passes, one that fails
    ("words_at_least", "en", {"count": 3}, "One two, three!", "One two."),
    ("words_at_least", "zh", {"count": 4}, "四个字了", "三个字。"),
    ("words_at_most", "ja", {"count": 4}, "四文字だ。", "これは五字"),
    ("words_between", "vi", {"least": 2, "most": 3}, "Một hai ba.", "Một hai ba bốn."),
    ("sentences_at_least", "en", {"count": 2}, "Dr. Ito came. He left.", "Mr. Ito came at 5 p.m. and left"),
    ("sentences_at_most", "zh", {"count": 1}, "他说：来吧", "来吧！走吧。"),
    ("sentences_at_most", "ja", {"count": 2}, "「行くぞ。」と言った。", "行く。来る。帰る。"),
    ("paragraphs", "en", {"count": 2}, "a\n***\nb", "a\n\nb"),
    ("nth_paragraph_first_word", "en", {"count": 2, "nth": 2, "word": "so"}, "a\n\n**So**, b", "a\n\nSofa b"),
    ("sentence_words_at_most", "en", {"count": 3}, "One two three. Four.", "One two three four."),
    ("paragraph_sentences", "en", {"count": 2}, "A b. C d.\n\nE f. G h.", "A b. C d.\n\nE f."),
    ("increasing_sentences", "en", {}, "Go. Go on. Do go on.", "Go on. Go. Do go on."),
    ("line_characters_at_most", "en", {"count": 5}, "abcde\nfg", "abcdef"),
    ("keywords", "en", {"words": ["art", "C++"]}, "Art and C++.", "Cart and C++."),
    ("keywords", "vi", {"words": ["gia đình"]}, "Gia Đình tôi", "gia và đình"),
    ("keywords", "ja", {"words": ["庭"]}, "家庭の庭", "家の裏"),
    ("keyword_at_least", "en", {"word": "sea", "count": 2}, "Sea, sea!", "Sea and seas."),
    ("keyword_at_most", "en", {"word": "sea", "count": 1}, "The sea.", "The seas and the sea."),
    ("forbidden_words", "en", {"words": ["run"]}, "Running.", "They run."),
    ("letter_at_least", "en", {"letter": "a", "count": 2}, "Aa", "Ab"),
    ("letter_at_most", "vi", {"letter": "a", "count": 1}, "ba á â", "ba ta"),
    ("keyword_order", "en", {"words": ["one", "two"]}, "one, two, one", "two, one"),
    ("keyword_in_first_sentence", "zh", {"word": "山"}, "山高。水长。", "水长。山高。"),
    ("no_digits", "ja", {}, "三つ", "３つ"),
    ("numbers_at_least", "en", {"count": 2}, "1,000 and 2.5", "7 and 7"),
    ("bullets", "en", {"count": 2}, "* a\n* b", "* a\n* b\n- c"),
    ("numbered_list", "en", {"count": 2}, "1. a\n2. b", "1. a\n3. b"),
    ("highlights", "en", {"count": 2}, "*a* and **b**", "*a* and ** **"),
    ("sections", "en", {"name": "Part", "count": 2}, "Part 1\na\nPart 2\nb", "Part 1\na\nPart two\nb"),
    ("json", "en", {}, '```json\n{"a": 1}\n```', '{"a": NaN}'),
    ("json", "en", {}, "[1]", '"a text alone"'),
    ("title", "en", {}, "<<a b>>\nc", "<<>>\nc"),
    ("two_responses", "en", {}, "a\n******\nb", "a\n******\na"),
    ("placeholders", "en", {"count": 1}, "Dear [name],", "[ ] [a link](b)"),
    ("table", "en", {"columns": 2, "rows": 1}, "| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n| 1 | 2 |"),
    (
        "table",
        "en",
        {"columns": 2, "rows": 1},
        "| a | b |\n|:-:|--:|\n| 1 | 2 |",
        "| a | b |\n|---|---|\n| 1 | 2 | 3 |",
    ),
    ("headings", "en", {"count": 1}, "## A\nb", "# A\n## B"),
    ("acrostic", "en", {"word": "oak"}, "Old\nAnd\nKind", "Old\nAnd\nKind\nAlso"),
    ("acrostic", "zh", {"word": "山水"}, "山高\n水长", "水长\n山高"),
    ("parentheses", "zh", {"count": 1}, "他（昨天）来了。", "他来了（）。"),
    ("repeat_prompt", "en", {"text": "Say hi."}, "say hi. Hi!", "Hi! Say hi."),
    ("end_phrase", "en", {"text": "That is all."}, 'So. "That is all."', "That is all. Bye."),
    ("start_phrase", "ja", {"text": "率直に言うと"}, "率直に言うと、違う。", "違う。率直に言うと"),
    ("postscript", "en", {"marker": "P.S."}, "Hi.\n**P.S.** More.", "The P.S. is missing."),
    ("postscript", "en", {"marker": "P.P.S."}, "Hi.\nP.P.S More.", "Hi.\nP.S. More."),
    ("quotation", "ja", {"left": "「", "right": "」"}, "「はい」", "「はい」です"),
    ("questions", "zh", {"count": 2}, "来吗？去吗？", "来吗？"),
    ("closing_line", "en", {}, "A b\nc\na  b", "A b\na b"),
    ("unique_sentence_starts", "en", {}, "We go. They come.", "We go. We come."),
    ("choice", "en", {"options": ["yes.", "no."]}, "My answer: yes.", "yes. or no."),
    ("upper_case", "vi", {}, "ĐI NGAY!", "ĐI Ngay!"),
    ("lower_case", "en", {}, "go now!", "Go now!"),
    ("capital_words_at_least", "en", {"count": 2}, "A BIG dog", "A big dog"),
    ("capital_words_at_most", "en", {"count": 1}, "A big dog", "NOT A dog"),
    ("no_comma", "zh", {}, "来吧", "来、去"),
    (
        "response_language",
        "en",
        {"code": "de"},
        "Das ist ein ganz einfacher Satz über das Wetter.",
        "This is a plain sentence about the weather.",
    ),
]


@pytest.mark.parametrize(
    ("kind", "language", "told", "passes", "fails"), CASES, ids=[f"{at}-{case[0]}" for at, case in enumerate(CASES)]
)
def test_a_kind_lets_pass_what_keeps_it_and_nothing_else(
    kind: str, language: str, told: dict[str, Any], passes: str, fails: str
) -> None:
    check = CONSTRAINTS[kind].check
    good, bad = check(passes, told, language), check(fails, told, language)
    assert (good.passed, bad.passed) == (True, False), (good.figure, bad.figure)
    assert good.figure
    assert bad.figure


def test_every_kind_has_a_case() -> None:
    assert {case[0] for case in CASES} == CONSTRAINTS.keys()


@pytest.mark.parametrize("answer", ["", " ", "\n\n", "***", "?", "<<>>", "[", "{", "\ud800", "|"])
def test_no_check_fails_on_odd_answers(answer: str) -> None:
    for kind, language, told, _, _ in CASES:
        assert CONSTRAINTS[kind].check(answer, told, language).passed in (True, False)


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("en", "It costs 3.50 dollars. Yes!", 2),
        ("en", "Use tools, e.g. a saw. Then rest...", 2),
        ("en", "1. Cut the wood.\n2. Glue it.", 2),
        ("en", "J. R. Smith wrote it. He did?!", 2),
        ("en", "Well... maybe. So be it.", 2),
        ("vi", "TP. Huế rất đẹp. Tôi thích!", 2),
        ("zh", "真的？！是的。“好。”他说。", 4),
        ("ja", "はい。そうです！本当？", 3),
    ],
)
def test_sentences_end_where_the_language_says_so(language: str, text: str, count: int) -> None:
    assert len(sentences(text, language)) == count, sentences(text, language)


def test_a_row_without_constraints_or_with_unknown_ones_is_refused() -> None:
    with pytest.raises(Filtered, match="no_constraints"):
        verify_constraints({"constraints": None}, "a")
    for broken in (
        {"kind": "rhyme", "parameters": "{}"},
        {"kind": "bullets", "parameters": "{}"},
        {"kind": "bullets", "parameters": "no"},
    ):
        with pytest.raises(Filtered, match="unknown_constraint"):
            verify_constraints({"constraints": [{**broken, "language": "en", "text": ""}]}, "a")
