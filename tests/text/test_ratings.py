from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Unusable
from tasks.text.verdicts.ratings import Verdict, overall_of, ratings_of
from tests.text.languages import ratings as other

READ: dict[str, tuple[str, float | None, str]] = {
    "as asked": ("Rating: 4\nReason: clear and short", 4, "clear and short"),
    "reason first": ("Reason: clear\nRating: 4", 4, "clear"),
    "a decimal is kept": ("Rating: 4.5\nReason: clear", 4.5, "clear"),
    "a decimal comma": ("Rating: 4,5\nReason: klar", 4.5, "klar"),
    "bold label": ("**Rating:** 4\n**Reason:** clear", 4, "clear"),
    "bold label and value": ("**Rating: 4**\n\n**Reason**: *clear*", 4, "clear"),
    "heading, value below": ("### Rating\n4\n\n### Reason:\nclear", 4, "clear"),
    "quoted and bulleted": ("> - Rating: `4`\n> - Reason: clear", 4, "clear"),
    "brackets": ("Rating: [[4]]\nReason: clear", 4, "clear"),
    "a quoted value": ('Rating: "4"', 4, ""),
    "a preamble": ("Sure! Here is my rating.\n\nRating: 4\nReason: clear", 4, "clear"),
    "another name": ("Overall score: 4 - clear", 4, "clear"),
    "the chapter's form": ("Rating: 4 - names 3 fruits", 4, "names 3 fruits"),
    "a reason that starts with a number": ("Rating: 4 - 3 fruits are named", 4, "3 fruits are named"),
    "all on one line": ("Rating: 4. Reason: clear", 4, "clear"),
    "on one line, reason first": ("Reason: it is clear. Rating: 4", 4, "it is clear."),
    "out of 5": ("Rating: 4 out of 5. Clear.", 4, "Clear."),
    "slash 5": ("Rating: 4/5\nReason: clear", 4, "clear"),
    "bold slash 5": ("Rating: **4** / 5.0\nReason: clear", 4, "clear"),
    "the scale in the label": ("Rating (1-5): 4\nReason: clear", 4, "clear"),
    "a dash after the label": ("Rating - 4", 4, ""),
    "no colon": ("Rating 4\nclear", 4, "clear"),
    "full-width digit and colon": ("Rating：４\nReason：清楚", 4, "清楚"),
    "Arabic digit": ("Rating: ٤\nReason: واضح", 4, "واضح"),
    "Arabic decimal": ("Rating: ٤٫٥", 4.5, ""),
    "not applicable": ("Rating: N/A\nReason: claims nothing", None, "claims nothing"),
    "not applicable, spelt": ("Rating: not applicable", None, ""),
    "not applicable, short": ("Rating: n.a. - claims nothing", None, "claims nothing"),
    "a tail that rstrip would take letters for": ("Rating: 4\nReason: it always helps</s>", 4, "it always helps"),
    "a ChatML tail": ("Rating: 4<|im_end|>\n", 4, ""),
    "a Llama 3 tail": ("Rating: 4\nReason: clear<|eot_id|><|end_of_text|>", 4, "clear"),
    "a reason of two paragraphs": (
        "Rating: 2\nReason: clear.\n\nBut it is short,\nand 5 words too few.",
        2,
        "clear.\n\nBut it is short,\nand 5 words too few.",
    ),
    "said twice alike": ("Rating: 4\nReason: clear\n\nRating: 4", 4, "clear"),
    "thought before": ("<think>Rating: 2? No.</think>\nRating: 4", 4, ""),
    "a number in the reason": ("Rating: 1\nReason: 10 is not the answer", 1, "10 is not the answer"),
    "lower case": ("rating: 4\nreason: clear", 4, "clear"),
    "Windows line ends": ("Rating: 4\r\nReason: clear\r\n", 4, "clear"),
}

READ |= {
    "JSON": ('{"rating": 4, "reason": "clear"}', 4, "clear"),
    "a JSON fence": ('```json\n{\n  "reason": "clear",\n  "rating": "4/5"\n}\n```', 4, "clear"),
    "a JSON fence with a preamble": (
        'Here is my verdict:\n\n```json\n{"feedback": "clear", "score": 4.5}\n```',
        4.5,
        "clear",
    ),
    "a table": ("| Rating | Reason |\n|---|---|\n| **4** | clear |", 4, "clear"),
    "the full form": (
        "Reason: It does all that was asked. One date is wrong.\nRating: 4",
        4,
        "It does all that was asked. One date is wrong.",
    ),
    "the full form, bold, with a heading": ("## Evaluation\n\n**Reason:** clear\n\n**Rating:** 4", 4, "clear"),
    "words of the grades": (
        "Reason: the main thing is done and right, but something that was wanted is missing\nRating: 3",
        3,
        "the main thing is done and right, but something that was wanted is missing",
    ),
    "not applicable in JSON": ('{"rating": null, "reason": "a poem"}', None, "a poem"),
}

REFUSED: dict[str, tuple[str, str]] = {
    "JSON off the scale": ('{"rating": 8, "reason": "clear"}', "rating_out_of_range"),
    "JSON without a rating": ('{"reason": "clear"}', "rating_missing"),
    "the full prompt's own form": (
        "Reason: two to four sentences\nRating: a whole number from 1 to 5",
        "rating_unclear",
    ),
    "nothing": ("", "rating_missing"),
    "no label": ("4", "rating_missing"),
    "no label, with a reason": ("4 - clear", "rating_missing"),
    "a rating in passing": ("I would give this a rating of 4.", "rating_missing"),
    "out of range": ("Rating: 47", "rating_out_of_range"),
    "zero": ("Rating: 0", "rating_out_of_range"),
    "below zero": ("Rating: -1", "rating_out_of_range"),
    "just above": ("Rating: 5.1", "rating_out_of_range"),
    "ten": ("Rating: 10", "rating_out_of_range"),
    "of ten": ("Rating: 8/10", "rating_out_of_range"),
    "of ten, and it would fit": ("Rating: 5/10", "rating_out_of_range"),
    "of a hundred": ("Rating: 4 out of 100", "rating_out_of_range"),
    "per cent": ("Rating: 4%", "rating_unclear"),
    "a range": ("Rating: 3-4", "rating_unclear"),
    "a range with spaces": ("Rating: 3 – 4\nReason: clear", "rating_unclear"),
    "a range in words": ("Rating: 3 to 4", "rating_unclear"),
    "a choice": ("Rating: 3 or 4", "rating_unclear"),
    "a half in one character": ("Rating: 4½", "rating_unclear"),
    "thousands": ("Rating: 4,500", "rating_unclear"),
    "a version": ("Rating: 4.5.1", "rating_unclear"),
    "a word": ("Rating: four", "rating_unclear"),
    "stars": ("Rating: ★★★★☆", "rating_unclear"),
    "an ordinal": ("Rating: 4th", "rating_unclear"),
    "the prompt's own form": ("Rating: a number from 1 to 5\nReason: what is good", "rating_unclear"),
    "not a number": ("Rating: NaN", "rating_unclear"),
    "infinity": ("Rating: inf", "rating_unclear"),
    "two that differ": ("Rating: 4\nReason: clear\nRating: 2", "rating_repeated"),
    "a value cut off": ("Rating:", "rating_unclear"),
}


def cases(*tables: dict[str, Any]) -> dict[str, Any]:
    """The answers of several tables, by their names."""
    every = {name: case for table in tables for name, case in table.items()}
    assert len(every) == sum(map(len, tables)), "no name twice"
    return {"argvalues": every.values(), "ids": every.keys()}


@pytest.mark.parametrize(("text", "rating", "rationale"), **cases(READ, other.READ))
def test_an_overall_rating_is_read_by_its_label(text: str, rating: float | None, rationale: str) -> None:
    assert overall_of(text) == Verdict(rating, rationale)


@pytest.mark.parametrize(("text", "reason"), **cases(REFUSED, other.REFUSED))
def test_a_rating_that_is_none_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        overall_of(text)
    assert caught.value.reason == reason


READ_ALL: dict[str, tuple[str, list[tuple[float | None, str]]]] = {
    "as asked": ("Response 1: rating 4 - clear\nResponse 2: rating 2 - false", [(4, "clear"), (2, "false")]),
    "in another order": ("Response 2: rating 2 - false\nResponse 1: rating 4 - clear", [(4, "clear"), (2, "false")]),
    "with blank lines": (
        "\n\nResponse 1: rating 4 - clear\n\n\nResponse 2: rating 2 - false\n",
        [(4, "clear"), (2, "false")],
    ),
    "with a preamble": (
        "Response 1 and Response 2 both fit.\nHere you go:\nResponse 1: rating 4 - clear\nResponse 2: rating 2 - false",
        [(4, "clear"), (2, "false")],
    ),
    "bold labels, bare values": ("**Response 1:** 4 - clear\n**Response 2:** 2 - false", [(4, "clear"), (2, "false")]),
    "a numbered list": (
        "1. Response 1 (rating: 4) - clear\n2. Response 2 (rating: 2) - false",
        [(4, "clear"), (2, "false")],
    ),
    "blocks": (
        "### Response 1\n**Rating:** 4\n**Reason:** clear\n\n### Response 2\n**Rating:** 2\n**Reason:** false",
        [(4, "clear"), (2, "false")],
    ),
    "reason before rating": (
        "Response 1:\nReason: clear\nRating: 4\n\nResponse 2:\nReason: says 5 is 6\nRating: 2",
        [(4, "clear"), (2, "says 5 is 6")],
    ),
    "a rationale of two paragraphs": (
        "Response 1: rating 4 - clear.\n\nIt could say more, though.\n\nResponse 2: rating 2 - false",
        [(4, "clear.\n\nIt could say more, though."), (2, "false")],
    ),
    "a rationale that names the other": (
        "Response 1: rating 4 - better than\nResponse 2, which is false\nResponse 2: rating 2 - false",
        [(4, "better than\nResponse 2, which is false"), (2, "false")],
    ),
    "a number before the rating": (
        "Response 1: 3 fruits, rating: 4\nResponse 2: 5 fruits, rating: 2",
        [(4, "3 fruits,"), (2, "5 fruits,")],
    ),
    "not applicable": (
        "Response 1: N/A - claims nothing\nResponse 2: rating 4.5 - sure",
        [(None, "claims nothing"), (4.5, "sure")],
    ),
    "scales and hashes": ("- Response #1: 4/5 - clear\n- Response #2: 2/5 - false", [(4, "clear"), (2, "false")]),
    "full width": ("Response １：rating ４ - 清楚\nResponse ２：rating ２ - 错", [(4, "清楚"), (2, "错")]),
    "a tail": ("Response 1: rating 4 - clear\nResponse 2: rating 2 - helps</s>", [(4, "clear"), (2, "helps")]),
    "no reasons": ("Response 1: 4\nResponse 2: 2", [(4, ""), (2, "")]),
}

READ_ALL |= {
    "the full form": (
        "Response 1\nReason: clear\nRating: 4\n\nResponse 2\nReason: says 5 is 6\nRating: 2",
        [(4, "clear"), (2, "says 5 is 6")],
    ),
    "kinds of errors": (
        "Response 1\nErrors: none\nReason: all true\nRating: 5\n\nResponse 2\nErrors: world, itself\nReason: false\nRating: 2",
        [(5, "all true"), (2, "Errors: world, itself\nfalse")],
    ),
    "kinds, in bold and bulleted": (
        "**Response 1**\n- **Merits:** clear, useful\n- **Reason:** it helps\n- **Rating:** 4\n\n**Response 2**\n- **Merits:** None.\n- **Reason:** no\n- **Rating:** 1",
        [(4, "Merits: clear, useful\nit helps"), (1, "no")],
    ),
    "headings and rules": (
        "### Response 1\n\nReason: clear\n\nRating: 4\n\n---\n\n### Response 2\n\nReason: false\n\nRating: 2",
        [(4, "clear"), (2, "false")],
    ),
    "marks of the prompt": (
        "<response 1>\nReason: clear\nRating: 4\n</response 1>\n\n<response 2>\nReason: false\nRating: 2\n</response 2>",
        [(4, "clear"), (2, "false")],
    ),
    "a JSON list": (
        '[{"response": 1, "reason": "clear", "rating": 4}, {"response": 2, "reason": "false", "rating": 2}]',
        [(4, "clear"), (2, "false")],
    ),
    "JSON by label, in a fence": (
        '```json\n{"Response 1": {"Reason": "clear", "Rating": 4}, "Response 2": {"Errors": ["world"], "Reason": "false", "Rating": "2"}}\n```',
        [(4, "clear"), (2, "Errors: world\nfalse")],
    ),
    "JSON, bare values": ('{"Response 1": 4, "Response 2": "N/A"}', [(4, ""), (None, "")]),
    "JSON under a name": (
        '{"evaluations": [{"id": "2", "rationale": "false", "score": 2}, {"id": "Response 1", "rationale": "clear", "score": 4}]}',
        [(4, "clear"), (2, "false")],
    ),
    "a table": (
        "| Response | Rating | Reason |\n|:--|:-:|---|\n| Response 1 | 4 | clear |\n| Response 2 | 2 | false |",
        [(4, "clear"), (2, "false")],
    ),
    "a table in another order": (
        "Here are my ratings:\n\n| # | Reason | Rating |\n|---|---|---|\n| 1 | clear | **4** |\n| 2 | false | **2** |",
        [(4, "clear"), (2, "false")],
    ),
    "a table without a head": ("| Response 1 | 4 | clear |\n| Response 2 | 2 | false |", [(4, "clear"), (2, "false")]),
    "a thinking block": (
        "<think>\nResponse 1 looks fine.\nRating: 5?\n</think>\nResponse 1\nReason: clear\nRating: 4\nResponse 2\nReason: false\nRating: 2",
        [(4, "clear"), (2, "false")],
    ),
    "reasons of several lines": (
        "Response 1\nReason: clear.\nIt says all.\nRating: 4\n\nResponse 2\nReason: It is worse than Response 1: false.\nRating: 2",
        [(4, "clear.\nIt says all."), (2, "It is worse than Response 1: false.")],
    ),
}

REFUSED_ALL: dict[str, tuple[str, str]] = {
    "nothing": ("", "index_missing"),
    "no indices": ("4 - clear\n2 - false", "index_missing"),
    "a list without labels": ("1. 4 - clear\n2. 2 - false", "index_missing"),
    "one missing": ("Response 1: rating 4 - clear", "index_missing"),
    "the other missing": ("Response 2: rating 4 - clear", "index_missing"),
    "one twice": ("Response 1: rating 4\nResponse 1: rating 3\nResponse 2: rating 2", "index_repeated"),
    "one too many": ("Response 1: rating 4\nResponse 2: rating 3\nResponse 3: rating 2", "index_unknown"),
    "counted from zero": ("Response 0: rating 4\nResponse 1: rating 3", "index_unknown"),
    "an index nobody has": (f"Response {'1' * 5000}: rating 4\nResponse 1: rating 3", "index_missing"),
    "one off the scale": ("Response 1: rating 47 - clear\nResponse 2: rating 3", "rating_out_of_range"),
    "one on another scale": ("Response 1: 8/10\nResponse 2: 4/10", "rating_out_of_range"),
    "a label without a rating": ("Response 1: clear and short\nResponse 2: rating 3", "rating_missing"),
    "the prompt's own form": (
        "Response 1: rating (1 to 5) - the reason in a few words\nResponse 2: rating 2",
        "rating_unclear",
    ),
    "a JSON list, one missing": ('[{"response": 1, "rating": 4}]', "index_missing"),
    "a JSON list without labels": ('[{"rating": 4}, {"rating": 2}]', "index_missing"),
    "a table with one twice": ("| Response 1 | 4 | a |\n| Response 1 | 2 | b |", "index_repeated"),
    "the full prompt's own form": (
        "Response 1\nReason: one to three sentences\nRating: a whole number from 1 to 5\nResponse 2\nReason: a\nRating: 2",
        "rating_unclear",
    ),
    "JSON without a bottom": ("[" * 1000 + "]" * 1000, "index_missing"),
    "letters": ("Response A: rating 4\nResponse B: rating 2", "index_missing"),
    "two ratings in one": ("Response 1: good\nRating: 4\nRating: 2\nResponse 2: rating 2", "rating_repeated"),
}


@pytest.mark.parametrize(("text", "verdicts"), **cases(READ_ALL, other.READ_ALL))
def test_ratings_are_mapped_by_index_label(text: str, verdicts: list[tuple[float | None, str]]) -> None:
    assert ratings_of(text, 2) == [Verdict(*verdict) for verdict in verdicts]


@pytest.mark.parametrize(("text", "reason"), **cases(REFUSED_ALL, other.REFUSED_ALL))
def test_ratings_that_do_not_match_are_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        ratings_of(text, 2)
    assert caught.value.reason == reason


PIECES = [
    "Response 1",
    "Response 2",
    ": ",
    "rating",
    "Rating:",
    " 4",
    "5",
    "/10",
    "/5",
    ".5",
    "-",
    "N/A",
    "**",
    "\n",
    "½",
    "９",
    "²",
    "</s>",
    "<|",
    "<think>",
    "Reason:",
    "a b",
    "\u2028",
    "٤",
    "1" * 400,
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_unusable_and_a_rating_is_on_the_scale(text: str) -> None:
    def tried(parse: Any, *arguments: Any) -> list[Verdict]:
        try:
            verdicts = parse(text, *arguments)
        except Unusable:
            return []
        return verdicts if isinstance(verdicts, list) else [verdicts]

    for verdict in tried(overall_of) + tried(ratings_of, 2):
        assert verdict.rating is None or 1 <= verdict.rating <= 5


@given(st.lists(st.sampled_from([1, 2, 3.5, 4.5, 5, None]), min_size=1, max_size=9), st.randoms())
def test_whatever_a_judge_writes_by_label_comes_back_in_order(ratings: list[float | None], random: Any) -> None:
    lines = [f"Response {i}: rating {'N/A' if r is None else r} - reason {i}" for i, r in enumerate(ratings, 1)]
    random.shuffle(lines)
    assert ratings_of("\n".join(lines), len(ratings)) == [Verdict(r, f"reason {i}") for i, r in enumerate(ratings, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "*" * 50_000,
        "\n" * 50_000,
        "Rating " * 9_000,
        "<|a|>" * 9_000 + "x",
        "overall " * 9_000,
        "Response 1 " * 5_000,
        *other.LONG,
    ],
)
def test_no_text_takes_long_to_read(text: str) -> None:
    with pytest.raises(Unusable):
        overall_of(text)
    with pytest.raises(Unusable):
        ratings_of(text, 2)


@pytest.mark.parametrize(
    ("text", "rating"),
    [("Rating: 10", 5), ("Rating: 1", 1), ("Reason: fair\nRating: 5.5/10", 3), ("Rating (1-10): 7", 1 + 6 * 4 / 9)],
)
def test_a_scale_of_ten_is_mapped_onto_five(text: str, rating: float) -> None:
    """The worst stays the worst: 1 of 10 is not 10 of 10."""
    assert overall_of(text, highest=10).rating == pytest.approx(rating)


@pytest.mark.parametrize("text", ["评分：7", "评分：7分", "Điểm: 7/10", "評価：10点満点中7点", "评分：7分（满分10分）"])
def test_a_scale_of_ten_is_mapped_in_every_language(text: str) -> None:
    assert overall_of(text, highest=10).rating == pytest.approx(1 + 6 * 4 / 9)


@pytest.mark.parametrize("text", ["Rating: 11", "Rating: 4/5", "Rating: 0"])
def test_another_scale_than_ten_is_out_of_range(text: str) -> None:
    with pytest.raises(Unusable, match="rating_out_of_range"):
        overall_of(text, highest=10)
