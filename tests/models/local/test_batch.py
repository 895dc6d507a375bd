"""The decoding batch: which prompts are read together, and what happens where memory ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from tasks.models.base import Request, Sampling
from tasks.models.local.batch import Batch, capacity_for, prefill_groups
from tasks.models.local.draft import Draft
from tests.models.tiny import one_thread, save_tiny_model


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> object:
    return AutoModelForCausalLM.from_pretrained(save_tiny_model(tmp_path_factory.mktemp("tiny"))).eval()


def draft(length: int, age: int) -> Draft:
    return Draft(Request(Sampling(temperature=0), 0), [5 + (age * 7 + i) % 300 for i in range(length)], 200, (0, age))


def write(batch: Batch, steps: int) -> list[Draft]:
    """So many steps of all drafts; those that were shed on the way."""
    shed: list[Draft] = []
    for _ in range(steps):
        shed += batch.shed()
        for each, token in zip(batch.drafts, batch.step()[0], strict=True):
            each.written.append(token)
    return shed


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 2000))
def test_every_prompt_is_read_once_and_no_pass_is_too_large(lengths: list[int], most: int) -> None:
    groups = prefill_groups(lengths, most)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        read = [lengths[index] for index in group]
        assert read == sorted(read, reverse=True)
        assert len(group) == 1 or len(group) * read[0] <= most
        assert sum(read[0] - length for length in read) <= max(64, len(group) * read[0] // 4)


def test_drafts_that_join_and_leave_at_any_step_write_what_they_write_alone(model: object) -> None:
    alone = []
    for age, length in enumerate((3, 40, 1, 17, 9, 90)):
        single = Batch(model, 1)
        single.admit([one := draft(length, age)])
        write(single, 30)
        alone.append(one.written)
    batch, drafts = Batch(model, 6), [draft(length, age) for age, length in enumerate((3, 40, 1, 17, 9, 90))]
    batch.admit(drafts[:3])
    write(batch, 5)
    batch.drop([drafts[0]])
    batch.admit(drafts[3:5])
    write(batch, 7)
    batch.drop([drafts[4], drafts[1]])
    batch.admit([drafts[5], drafts[0]])
    write(batch, 9)
    assert [len(d.written) for d in drafts] == [14, 12, 21, 16, 7, 9]
    assert [d.written for d in drafts] == [whole[: len(d.written)] for whole, d in zip(alone, drafts, strict=True)]


def test_where_memory_ends_the_youngest_leave_and_go_on_later(model: object) -> None:
    alone = Batch(model, 1)
    alone.admit([reference := draft(30, 2)])
    write(alone, 60)
    batch = Batch(model, 8, memory=0)
    batch.admit([draft(30, 0)])
    per_token = batch._cache.bytes_per_token
    batch = Batch(model, 8, memory=3 * capacity_for(50) * per_token)
    drafts = [draft(30, age) for age in (1, 2, 0)]
    batch.admit(drafts)
    assert not write(batch, 10)
    assert write(batch, 40) == [drafts[1], drafts[0]]
    assert batch.drafts == [drafts[2]]
    assert not batch.has_room([], drafts[1])
    batch.drop([drafts[2]])
    batch.admit([drafts[1]])
    write(batch, 15)
    assert drafts[1].written == reference.written[: len(drafts[1].written)] and len(drafts[1].written) > 30


def test_a_draft_alone_always_has_room(model: object) -> None:
    batch = Batch(model, 8, memory=0)
    assert batch.has_room([], draft(200, 0))
    batch.admit([draft(10, 0)])
    assert not batch.has_room([], draft(5, 1))
