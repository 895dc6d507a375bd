import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.rouge import Pool, rouge_l

DATA = Path(__file__).parents[1] / "data" / "self_instruct"
REFERENCE = [
    json.loads(line) for line in (DATA / "rouge_l_reference.jsonl").read_text(encoding="utf-8").strip().split("\n")
]
SEEDS = [
    json.loads(line)["instruction"]
    for line in (DATA / "seed_instructions.jsonl").read_text(encoding="utf-8").strip().split("\n")
]
few_words = st.lists(st.sampled_from("abcdefg"), max_size=12).map(" ".join)


def test_rouge_l_agrees_with_the_reference_package_on_latin_text() -> None:
    latin = [pair for pair in REFERENCE if pair["a"].isascii() and pair["b"].isascii()]
    assert len(latin) >= 250
    assert max(abs(rouge_l(pair["a"], pair["b"]) - pair["rouge_l_f"]) for pair in latin) < 1e-9


@pytest.mark.parametrize("text", ["把这句话翻译成英文", "تُرجم هذه الجملة", "Переведи предложение", "この文を訳して"])
def test_trap_non_latin_text_is_not_blank_to_rouge(text: str) -> None:
    assert rouge_l(text, text) == 1


@pytest.mark.parametrize(
    ("a", "b", "score"),
    [
        pytest.param("", "a b", 0, id="empty"),
        pytest.param("!!!", "!!!", 0, id="no words"),
        pytest.param("把这句话翻译成英文", "把这句话翻译成法文", 8 / 9, id="Chinese, one character differs"),
        pytest.param("a b c d e f g h i j", "a b c d e f g x y z", 0.7, id="exactly 0.7"),
        pytest.param("café au lait", "cafe au lait", 2 / 3, id="an accent makes another word"),
    ],
)
def test_rouge_l(a: str, b: str, score: float) -> None:
    assert rouge_l(a, b) == score


def test_seven_words_of_ten_are_not_above_the_limit() -> None:
    assert not rouge_l("a b c d e f g h i j", "a b c d e f g x y z") > 0.7  # 2PR / (P + R) may be, by one bit


@given(few_words, few_words)
def test_rouge_l_is_symmetric_and_within_one(a: str, b: str) -> None:
    assert rouge_l(a, b) == rouge_l(b, a)
    assert 0 <= rouge_l(a, b) <= 1


@given(st.lists(few_words, max_size=20), few_words)
def test_the_pool_finds_what_a_full_search_finds(texts: list[str], text: str) -> None:
    scores = [rouge_l(text, other) for other in texts]
    found = Pool(texts).most_similar(text)
    assert (found is None) == (not texts)
    if found is not None:
        assert found.score == max(scores)
        assert found.position == scores.index(max(scores))


def test_the_best_bound_is_not_always_the_best_score() -> None:
    pool = Pool(["b a c d e f g h i j", "a b c d e f g h i j k"])
    assert pool.most_similar("a b c d e f g h i j") == (1, 20 / 21)


def test_of_equals_the_first_is_named_whatever_its_bound() -> None:
    pool = Pool(["a b c d e f g h i x", "b a c d e f g h i j"])
    assert pool.most_similar("a b c d e f g h i j") == (0, 0.9)


def test_the_pool_grows() -> None:
    pool = Pool(["Name three fruits."])
    assert pool.most_similar("Write a poem") == (0, 0.0)
    pool.add("Write a poem")
    assert pool.most_similar("Write a short poem") == (1, 6 / 7)
    assert len(pool) == 2


def test_2000_candidates_against_a_pool_of_10000_take_seconds() -> None:
    rng = random.Random(0)
    vocabulary = " ".join(SEEDS).split()

    def recombined() -> str:
        a, b = rng.choice(SEEDS).split(), rng.choice(SEEDS).split()
        mixed = a[: rng.randint(2, len(a))] + b[rng.randint(0, len(b) - 1) :]
        return " ".join(rng.choice(vocabulary) if rng.random() < 0.15 else word for word in mixed)

    pool = Pool(recombined() for _ in range(10_000))
    candidates = [recombined() for _ in range(2_000)]
    begun = time.perf_counter()
    for candidate in candidates:
        pool.most_similar(candidate)
    assert time.perf_counter() - begun < 15
