import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.curate.pair import Pair, pair, pairs_of
from tasks.engine.row import Row
from tasks.errors import Filtered
from tasks.text.responses import Response, make_response, normalised, response_name
from tests.rows import a_row, models_of

MODELS = ["large", "middle", "small"]
STRATEGIES = ["best_vs_worst", "best_vs_random_lower", "evolved_vs_original", "stronger_model_first", "strong_vs_weak"]


def scored(**scores: float | None) -> list[Response]:
    return [make_response(text, model="m", origin="pool", score=score) for text, score in scores.items()]


def evolved(original: str, text: str, score: float | None = None, origin: str = "evolved") -> Response:
    return make_response(text, model="m", origin=origin, parent=response_name({"text": original}), score=score)


def by_model(**texts: str) -> list[Response]:
    return [make_response(text, model=model, origin="pool") for model, text in texts.items()]


def texts_of(responses: list[Response], run_seed: int = 0, **params: Any) -> list[tuple[str, str]]:
    pairs = pairs_of(responses, Pair(**params), MODELS, run_seed)
    return [(chosen["text"], rejected["text"]) for chosen, rejected in pairs]


PAIRED: dict[str, tuple[list[Response], dict[str, Any], list[tuple[str, str]]]] = {
    "best with worst": (scored(a=3, b=5, c=1, d=2), {}, [("b", "c")]),
    "then the next best with the next worst": (
        scored(a=3, b=5, c=1, d=2),
        {"max_pairs_per_instruction": 9},
        [("b", "c"), ("a", "d")],
    ),
    "a response stands in one pair": (scored(a=3, b=5, c=1), {"max_pairs_per_instruction": 9}, [("b", "c")]),
    "the second pair is a tie": (scored(a=3, b=5, c=1, d=3), {"max_pairs_per_instruction": 2}, [("b", "c")]),
    "the one without a score stays out": (scored(a=3, b=None, c=4), {}, [("c", "a")]),
    "a margin just reached, floats and all": (scored(a=4.1, b=3.6), {"min_margin": 0.5}, [("a", "b")]),
    "identical best and worst": (scored(**{"Yes.": 5, "yes. ": 1, "No": 3}), {}, [("Yes.", "No")]),
    "evolved with original": (
        [*scored(a=None, b=None), evolved("a", "a2")],
        {"strategy": "evolved_vs_original"},
        [("a2", "a")],
    ),
    "revised with original": (
        [*scored(a=None), evolved("a", "a2", None, "revised")],
        {"strategy": "evolved_vs_original"},
        [("a2", "a")],
    ),
    "the widest gain first": (
        [*scored(a=3, b=1), evolved("a", "a2", 4), evolved("b", "b2", 4)],
        {"strategy": "evolved_vs_original", "max_pairs_per_instruction": 2},
        [("b2", "b"), ("a2", "a")],
    ),
    "an evolution that made it worse is no pair": (
        [*scored(a=3, b=1), evolved("a", "a2", 2), evolved("b", "b2", 1.5)],
        {"strategy": "evolved_vs_original"},
        [("b2", "b")],
    ),
    "the strongest with the weakest": (
        by_model(small="s", large="l", middle="m"),
        {"strategy": "stronger_model_first"},
        [("l", "s")],
    ),
    "a model that is not in the list stays out": (
        by_model(small="s", given="g", middle="m"),
        {"strategy": "stronger_model_first"},
        [("m", "s")],
    ),
}


@pytest.mark.parametrize(("responses", "params", "pairs"), PAIRED.values(), ids=PAIRED.keys())
def test_pairs_are_formed_by_strategy(
    responses: list[Response], params: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    assert texts_of(responses, **params) == pairs


REJECTED: dict[str, tuple[list[Response], dict[str, Any], str]] = {
    "none": ([], {}, "no_response"),
    "one": (scored(a=3), {}, "one_response"),
    "no scores": (scored(a=None, b=None), {}, "no_score"),
    "one score": (scored(a=None, b=3), {}, "no_score"),
    "a tie": (scored(a=3, b=3, c=3), {}, "tie"),
    "too close": (scored(a=3, b=3.4), {"min_margin": 0.5}, "margin"),
    "too close or equal": (scored(a=3, b=3.4, c=3), {"min_margin": 0.5}, "margin"),
    "the same text twice": (scored(**{"Yes": 4, " yes": 2}), {}, "identical"),
    "not evolved": (scored(a=4, b=3), {"strategy": "evolved_vs_original"}, "not_evolved"),
    "evolved from nobody here": (
        [*scored(a=4), evolved("z", "z2", 5)],
        {"strategy": "evolved_vs_original"},
        "not_evolved",
    ),
    "evolved for the worse": ([*scored(a=4), evolved("a", "a2", 3)], {"strategy": "evolved_vs_original"}, "not_better"),
    "evolved to no avail": ([*scored(a=4), evolved("a", "a2", 4)], {"strategy": "evolved_vs_original"}, "tie"),
    "evolved a little": (
        [*scored(a=4), evolved("a", "a2", 4.5)],
        {"strategy": "evolved_vs_original", "min_margin": 1},
        "margin",
    ),
    "a margin without scores": (
        [*scored(a=None), evolved("a", "a2")],
        {"strategy": "evolved_vs_original", "min_margin": 1},
        "no_score",
    ),
    "models of one strength": (by_model(large="l", given="g"), {"strategy": "stronger_model_first"}, "one_model"),
    "the stronger model lost": (
        [make_response("l", model="large", score=2.0), make_response("s", model="small", score=3.0)],
        {"strategy": "stronger_model_first"},
        "not_better",
    ),
    "the forced model is not there": (scored(a=4, b=2), {"one_side": "mine"}, "one_side_missing"),
    "the forced model ties with all": (
        [make_response("a", model="mine", score=2.0), make_response("b", model="m", score=2.0)],
        {"one_side": "mine"},
        "tie",
    ),
    "not a number": (scored(a=float("nan"), b=3), {}, "tie"),
}


@pytest.mark.parametrize(("responses", "params", "reason"), REJECTED.values(), ids=REJECTED.keys())
def test_an_instruction_without_a_pair_is_rejected_with_the_reason(
    responses: list[Response], params: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Filtered) as caught:
        texts_of(responses, **params)
    assert caught.value.reason == reason


def test_best_vs_random_lower_draws_each_of_the_lower_ones() -> None:
    responses = scored(best=5, second=4, third=3, fourth=1, equal=5)
    drawn = [texts_of(responses, seed, strategy="best_vs_random_lower")[0] for seed in range(200)]
    assert {rejected for _, rejected in drawn} == {"second", "third", "fourth"}
    assert len({chosen for chosen, _ in drawn}) == 1, "of two best the one with the lower digest"


def test_one_side_stands_in_every_pair_on_a_side_drawn_where_both_are_open() -> None:
    responses = [*scored(best=5, worst=1), make_response("mine", model="mine", score=3.0)]
    drawn = [texts_of(responses, seed, one_side="mine") for seed in range(60)]
    assert {pairs[0] for pairs in drawn} == {("best", "mine"), ("mine", "worst")}
    assert texts_of([*scored(a=2, b=1), make_response("mine", model="mine", score=3.0)], one_side="mine") == [
        ("mine", "b")
    ]


def test_the_columns_are_explicit_conversational_and_tell_why() -> None:
    said = {"judge": "j", "aspect": "overall", "rating": 4.0, "rationale": "clear", "order": 0}
    turns = [
        {"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Hello"), ("user", "Soup?"))
    ]
    responses = [
        make_response("Boil it.", model="m", origin="pool", score=4.0, ratings=[said]),
        *scored(**{"No.": 1.0}),
    ]
    [child] = asyncio.run(pair(a_row(messages=turns, responses=responses), models_of([]), Pair()))
    assert dict(child.changes) == {
        "prompt": turns,
        "chosen": [{"role": "assistant", "content": "Boil it."}],
        "rejected": [{"role": "assistant", "content": "No."}],
        "score_chosen": 4.0,
        "score_rejected": 1.0,
        "chosen_model": "m",
        "rejected_model": "m",
        "chosen_origin": "pool",
        "rejected_origin": "pool",
        "judges": ["j"],
        "ratings_chosen": [said],
        "ratings_rejected": [],
    }


def test_the_stronger_model_is_the_earlier_in_the_pool() -> None:
    from tasks.models.scripted import ScriptedModel

    models = models_of([], pool=[ScriptedModel([], name="big"), ScriptedModel([], name="tiny")])
    row = a_row(instruction="Soup?", responses=by_model(tiny="t", big="b"))
    [child] = asyncio.run(pair(row, models, Pair(strategy="stronger_model_first")))
    assert (child["chosen_model"], child["rejected_model"]) == ("big", "tiny")
    row = a_row(instruction="Soup?", responses=by_model(tiny="t", big="b"))
    [child] = asyncio.run(pair(row, models, Pair(strategy="stronger_model_first", strongest_first=("tiny", "big"))))
    assert (child["chosen_model"], child["rejected_model"]) == ("tiny", "big")


some_responses = st.lists(
    st.builds(
        lambda text, model, score, parent: make_response(
            text,
            model=model,
            score=score,
            origin="evolved" if parent else "pool",
            parent=parent and response_name({"text": parent}),
        ),
        st.sampled_from(["a", "A ", "b", "c", "d", "e"]),
        st.sampled_from([*MODELS, "given"]),
        st.none() | st.sampled_from([1.0, 2.0, 2.5, 10 / 3, 5.0]),
        st.sampled_from(["", "", "a", "b"]),
    ),
    max_size=6,
)
some_params = st.builds(
    Pair,
    strategy=st.sampled_from(STRATEGIES),
    min_margin=st.sampled_from([0, 0.5, 1, 3]),
    max_pairs_per_instruction=st.integers(1, 4),
    one_side=st.sampled_from(["", "", "small"]),
)


def outcome(responses: list[Response], params: Pair, run_seed: int) -> list[tuple[str, str]] | str:
    try:
        return [(c["text"], r["text"]) for c, r in pairs_of(responses, params, MODELS, run_seed)]
    except Filtered as reject:
        return reject.reason


@given(some_responses, some_params, st.integers(0, 9))
def test_every_pair_keeps_the_rules(responses: list[Response], params: Pair, run_seed: int) -> None:
    try:
        pairs = pairs_of(responses, params, MODELS, run_seed)
    except Filtered as reject:
        assert reject.kind == "filtered"
        return
    assert 1 <= len(pairs) <= params.max_pairs_per_instruction
    stood = [id(response) for two in pairs for response in two]
    assert len(stood) == len(set(stood)), "no response stands in two pairs"
    for chosen, rejected in pairs:
        assert normalised(chosen["text"]) != normalised(rejected["text"])
        high, low = chosen["score"], rejected["score"]
        if params.strategy.startswith("best"):
            assert high is not None
            assert low is not None
        if high is not None and low is not None:
            assert high > low
            assert high - low >= params.min_margin - 1e-6
        if params.one_side:
            assert params.one_side in (chosen["model"], rejected["model"])


@given(some_responses, some_params, st.randoms())
def test_permuting_the_responses_changes_no_choice(
    responses: list[Response], params: Pair, random: random.Random
) -> None:
    shuffled = random.sample(responses, len(responses))
    assert outcome(shuffled, params, 0) == outcome(responses, params, 0)


@given(some_responses, some_params)
def test_every_instruction_gives_a_pair_or_exactly_one_reject(responses: list[Response], params: Pair) -> None:
    row = Row("0" * 32, {"instruction": "Soup?", "responses": responses})
    try:
        children = asyncio.run(pair(row, models_of([]), params))
    except Filtered:
        children = []
        assert outcome(responses, params.model_copy(update={"strongest_first": ("scripted",)}), 0)
    assert len({child.row_id for child in children}) == len(children)
    assert all(child.parents == (row.row_id,) for child in children)
    assert not row.losses


def by_origin(**texts: str) -> list[Response]:
    return [make_response(text, origin=origin) for origin, text in texts.items()]


def test_the_strong_response_is_chosen_whatever_the_texts_are() -> None:
    for strong, weak in (("a", "b"), ("b", "a")):
        assert texts_of(by_origin(strong=strong, weak=weak), strategy="strong_vs_weak") == [(strong, weak)]
    with pytest.raises(Filtered, match="one_model"):
        texts_of(by_origin(strong="a", pool="b"), strategy="strong_vs_weak")


@pytest.mark.parametrize(
    ("strong", "weak", "pairs"),
    [(100, 399, False), (399, 100, False), (300, 100, True), (100, 299, True), (1, 100, True), (1, 101, False)],
    ids=["the weak too long", "the strong too long", "three times", "nearly", "both short", "both short, far apart"],
)
def test_a_gap_in_length_above_the_cap_makes_no_pair(strong: int, weak: int, pairs: bool) -> None:
    responses = by_origin(strong="s" * strong, weak="w" * weak)
    if pairs:
        assert texts_of(responses, strategy="strong_vs_weak", max_length_ratio=3)
        return
    with pytest.raises(Filtered, match="length_gap") as caught:
        texts_of(responses, strategy="strong_vs_weak", max_length_ratio=3)
    assert str(strong) in caught.value.detail and str(weak) in caught.value.detail
    assert texts_of(responses, strategy="strong_vs_weak"), "without a cap they are a pair"


def test_beyond_the_cap_the_next_best_two_are_taken() -> None:
    responses = [
        make_response("x" * 900, score=5.0),
        make_response("y" * 200, score=4.0),
        make_response("z" * 150, score=1.0),
    ]
    assert texts_of(responses, max_length_ratio=2) == [("y" * 200, "z" * 150)]


def test_an_origin_can_stand_in_every_pair() -> None:
    responses = [*scored(best=5, worst=1), make_response("own", origin="on_policy", score=3.0)]
    assert {texts_of(responses, seed, one_side="on_policy")[0] for seed in range(40)} == {
        ("best", "own"),
        ("own", "worst"),
    }
