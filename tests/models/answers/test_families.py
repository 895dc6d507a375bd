"""Local models that write in their family's true format: the answer is the response, the rest is reasoning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.models.base import Message, Request, Sampling
from tests.models.answers.families import FAMILIES, FOUR, SUM, prompt_of, save_family
from tests.models.tiny import ask, one_thread

QUESTION: tuple[Message, ...] = ({"role": "user", "content": "What is 2 + 2?"},)


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_of_every_family_says_that_it_is_four(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    prompt = prompt_of(family, QUESTION)
    folder = save_family(tmp_path / "model", family, [prompt])
    sampling = Sampling(temperature=0, max_new_tokens=120, thinking=family.thinking)
    (completion,) = ask(folder, [Request(sampling, 0, messages=QUESTION)])
    assert completion.finish_reason == "stop"
    assert completion.text.strip() == FOUR
    assert completion.reasoning == (SUM if family.reasons else None)
