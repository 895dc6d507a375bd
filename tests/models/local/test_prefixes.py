"""Prompts that begin alike: what they share is read once, and each is continued as if it had been read alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Gemma3TextConfig, MistralConfig

from tasks.models.base import Request, Sampling
from tasks.models.local.batch import Batch
from tasks.models.local.draft import Draft
from tasks.models.local.prefixes import PREFIX_LEAST, Prefix, Prefixes, States, shared_length
from tests.models.tiny import one_thread, tiny_llama

WORDS = 400
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
CONFIGS = {
    "llama": tiny_llama(WORDS, max_position_embeddings=512),
    "sliding": MistralConfig(vocab_size=WORDS, sliding_window=48, **SHAPE),
    "mixed": Gemma3TextConfig(vocab_size=WORDS, sliding_window=48, head_dim=8, sliding_window_pattern=2, **SHAPE),
}


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module", params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIGS[request.param], dtype=torch.float32).eval()


def draft(tokens: Sequence[int], age: int = 0) -> Draft:
    return Draft(Request(Sampling(temperature=0), 0), list(tokens), 100, (0, age))


def words(seed: int, count: int) -> list[int]:
    return [random.Random(f"{seed} {index}").randrange(3, WORDS) for index in range(count)]


def family() -> list[list[int]]:
    """Two rubrics behind one system prompt, each with several questions; one prompt twice; one that shares nothing."""
    system = words(0, 70)
    rubrics = [system + words(1, 90), system + words(2, 80)]
    prompts = [rubric + words(10 + index, 5 + index) for index in range(4) for rubric in rubrics]
    return [*prompts, prompts[0], words(3, 100), rubrics[0] + [7], [*system, 9]]


def write(batch: Batch, steps: int) -> None:
    for _ in range(steps):
        for each, token in zip(batch.drafts, batch.step()[0], strict=True):
            each.written.append(token)


def read_by(model: Any, batch: Batch, drafts: Sequence[Draft]) -> int:
    """How many tokens the model reads, padding and all, to admit drafts."""
    counts: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda _model, _args, given: counts.append(given["input_ids"].numel()), with_kwargs=True
    )
    batch.admit(drafts)
    hook.remove()
    return sum(counts)


def test_what_prompts_share_changes_nothing_of_what_is_written(model: Any) -> None:
    alone = []
    for prompt in family():
        single = Batch(model, 1)
        single.admit([one := draft(prompt)])
        write(single, 12)
        alone.append(one.written)
    for first in (len(alone), 1, 3):  # admitted at once, or some while others are written
        batch, drafts = Batch(model, 16), [draft(prompt, age) for age, prompt in enumerate(family())]
        batch.admit(drafts[:first])
        write(batch, 3)
        if drafts[first:]:
            batch.admit(drafts[first:])
        write(batch, 9)
        assert [d.written for d in drafts] == [whole[: len(d.written)] for whole, d in zip(alone, drafts, strict=True)]
        assert [len(d.written) for d in drafts] == [12] * first + [9] * (len(drafts) - first)


def test_what_prompts_share_is_read_once() -> None:
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"], dtype=torch.float32).eval()
    shared = words(0, 200)
    drafts = [draft(shared + words(age + 1, 20), age) for age in range(20)]
    assert read_by(model, Batch(model, 20), drafts) <= 220 + 19 * 20
    batch = Batch(model, 20)
    assert read_by(model, batch, drafts[:1]) == 219
    assert read_by(model, batch, drafts[1:2]) == 19  # from one that is in the batch
    batch.drop(drafts[:2])
    assert read_by(model, batch, drafts[2:]) <= 18 * 20  # from what is held, though the batch was empty
    batch.halve(20)
    assert read_by(model, batch, drafts[:1]) == 219  # nothing is left of what was held


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that counts as large, so that short beginnings are shared too."""
    monkeypatch.setattr("tasks.models.local.cores.SMALL_PARAMETERS", 1)
    return AutoModelForCausalLM.from_config(CONFIGS["llama"], dtype=torch.float32).eval()


def test_a_large_model_reads_a_short_beginning_once_and_writes_the_same(large: Any) -> None:
    prompts = [words(0, 29) + words(index + 1, 13) for index in range(12)]
    alone = []
    for prompt in prompts:
        single = Batch(large, 1)
        single.admit([one := draft(prompt)])
        write(single, 6)
        alone.append(one.written)
    batch, drafts = Batch(large, 12), [draft(prompt, age) for age, prompt in enumerate(prompts)]
    assert read_by(large, batch, drafts[:5]) == 41 + 4 * 12
    write(batch, 2)
    assert read_by(large, batch, drafts[5:]) == 7 * 12
    write(batch, 4)
    assert [d.written for d in drafts] == [whole[: len(d.written)] for whole, d in zip(alone, drafts, strict=True)]


def test_two_short_beginnings_are_not_worth_a_pass_of_their_own(large: Any) -> None:
    drafts = [draft(words(0, 29) + words(index + 1, 13), index) for index in range(3)]
    assert read_by(large, Batch(large, 3), drafts) == 3 * 41


def test_prompts_that_share_little_wait_for_no_one() -> None:
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"], dtype=torch.float32).eval()
    drafts = [draft(words(0, PREFIX_LEAST - 1) + words(age + 1, 30), age) for age in range(6)]
    passes: list[Any] = []
    hook = model.register_forward_pre_hook(lambda *_: passes.append(None))
    Batch(model, 6).admit(drafts)
    hook.remove()
    assert len(passes) == 1


@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 2), max_size=40))
def test_the_shared_length_is_where_two_prompts_part(one: list[int], other: list[int]) -> None:
    length = shared_length(one, other)
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]


def prefix(seed: int, count: int) -> Prefix:
    states = torch.zeros(1, count, 8)
    return Prefix(words(seed, count), {0: States(states, states)})


def test_memory_for_prefixes_is_bounded_and_the_least_recent_one_goes() -> None:
    first, second, third = prefix(1, 100), prefix(2, 100), prefix(3, 100)
    held = Prefixes(2 * first.bytes)
    assert held.hold(first) and held.hold(second)
    assert held.match([*first.tokens, 5]).prefix is first
    assert held.hold(third)
    assert held.bytes == 2 * first.bytes
    assert held.match([*second.tokens, 5]).length == 0
    assert held.match([*first.tokens[:80], 5]) == (80, first)
    assert not held.hold(prefix(4, 300))
    assert held.match([*third.tokens]).prefix is third
