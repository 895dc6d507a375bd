"""Constraints that are drawn together: never contradictory, the same for the same seed, said in the row's language."""

from __future__ import annotations

import json
import random
from itertools import combinations

import pytest

from tasks.text.prompts import FULL, Prompts
from tasks.verify.constraints.constraint import Constraint, constraint_of, draw_constraints
from tasks.verify.constraints.kind import Drawing
from tasks.verify.constraints.table import CONSTRAINTS, go_together, kinds_for
from tests.verify.witness import witness

LANGUAGES = ("en", "vi", "zh", "ja")
ASKED = {
    "en": "Name three fruits.",
    "vi": "Kể tên vài loại quả.",
    "zh": "说出几种水果。",
    "ja": "果物をいくつか挙げてください。",
}
DRAWS = 500


def drawing(language: str, seed: int, asked: str = "") -> Drawing:
    lists = Prompts(FULL, language).lists("constrained")
    return Drawing(random.Random(seed), lists, language, asked or ASKED[language])


def drawn(language: str, seed: int, count: int = 3) -> list[Constraint]:
    return draw_constraints(drawing(language, seed), kinds_for(language), count)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_can_keep_all_constraints_that_are_drawn_together(language: str) -> None:
    for seed in range(DRAWS):
        constraints = drawn(language, seed)
        assert witness(constraints, language) is not None, [one["text"] for one in constraints]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_can_keep_any_two_kinds_that_may_go_together(language: str) -> None:
    kinds = kinds_for(language)
    pairs = [pair for pair in combinations(kinds, 2) if go_together(*pair)]
    assert len(pairs) > 300
    for seed, pair in enumerate(pairs):
        constraints = draw_constraints(drawing(language, seed), pair, 2)
        assert witness(constraints, language) is not None, [one["text"] for one in constraints]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_drawn_and_said_and_can_be_kept(language: str) -> None:
    for kind in kinds_for(language):
        [one] = draw_constraints(drawing(language, 7), [kind], 1)
        assert one["kind"] == kind.name
        assert one["text"]
        assert "{" not in one["text"]
        answer = witness([one], language)
        assert answer is not None, one["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_constraint_tell_its_parameters(language: str) -> None:
    for kind in kinds_for(language, [*CONSTRAINTS] if language in ("en", "vi") else [*map(str, CONSTRAINTS)]):
        given = drawing(language, 11)
        for wording in given.lists[kind.name]:
            told = kind.draw(drawing(language, 3))
            one = constraint_of(
                kind, told, Drawing(random.Random(0), {**given.lists, kind.name: [wording]}, language, "")
            )
            shown = {name: value for name, value in told.items() if name not in ("code", "left", "right")}
            if kind.name == "repeat_prompt":
                continue
            for value in shown.values():
                for text in value if isinstance(value, list) else [value]:
                    assert str(text) in one["text"], (kind.name, wording)


def test_the_same_seed_draws_the_same_constraints() -> None:
    for seed in range(50):
        assert drawn("en", seed) == drawn("en", seed)
    assert len({json.dumps(drawn("en", seed)) for seed in range(50)}) > 45


def test_all_kinds_are_drawn_about_as_often_as_they_go_together() -> None:
    counts = dict.fromkeys((kind.name for kind in kinds_for("en")), 0)
    for seed in range(1500):
        for one in drawn("en", seed, 1):
            counts[one["kind"]] += 1
    assert min(counts.values()) > 10


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("words_at_least", "words_at_most"),
        ("upper_case", "lower_case"),
        ("json", "bullets"),
        ("no_digits", "numbered_list"),
        ("no_digits", "sections"),
        ("end_phrase", "quotation"),
        ("repeat_prompt", "start_phrase"),
        ("repeat_prompt", "no_comma"),
        ("paragraphs", "nth_paragraph_first_word"),
        ("highlights", "two_responses"),
        ("increasing_sentences", "title"),
        ("choice", "keywords"),
        ("response_language", "end_phrase"),
    ],
)
def test_kinds_that_contradict_each_other_do_not_go_together(one: str, other: str) -> None:
    assert not go_together(CONSTRAINTS[one], CONSTRAINTS[other])
    for seed in range(40):
        assert len(draw_constraints(drawing("en", seed), [CONSTRAINTS[one], CONSTRAINTS[other]], 2)) == 1


def test_no_forbidden_word_stands_in_what_another_constraint_demands() -> None:
    lists = {**Prompts(FULL, "en").lists("constrained"), "common_words": ["rest", "fine"], "end_phrases": ["Now rest."]}
    pair = [CONSTRAINTS["forbidden_words"], CONSTRAINTS["end_phrase"]]
    for seed in range(30):
        assert len(draw_constraints(Drawing(random.Random(seed), lists, "en", "Go."), pair, 2)) == 1


def test_an_instruction_with_figures_gets_no_length() -> None:
    for seed in range(100):
        for one in draw_constraints(drawing("en", seed, "Write an essay of 500 words."), kinds_for("en"), 3):
            assert "length" not in CONSTRAINTS[one["kind"]].aspects or one["kind"] == "repeat_prompt"


def test_there_are_as_many_kinds_as_ifeval_has_and_more() -> None:
    own = [kind for kind in CONSTRAINTS.values() if not kind.ifeval]
    assert len(CONSTRAINTS) - len(own) == 30  # 25 of IFEval, five of them once for each side of a bound
    assert len(own) >= 10
