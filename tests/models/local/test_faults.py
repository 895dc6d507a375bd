"""What goes wrong around a local model: no memory, a crash, the end; no caller waits for ever, and no text changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.errors import PermanentError, RequestRefused
from tasks.models.base import Completion
from tests.models.tiny import (
    GREEDY,
    WARM,
    ask,
    one_thread,
    opened,
    prompts,
    raw,
    run_python,
    save_tiny_model,
    tiny_llama,
    tiny_tokenizer,
)


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes on and on, in a context that no test comes to the end of."""
    config = tiny_llama(len(tiny_tokenizer()), max_position_embeddings=1 << 20)
    return save_tiny_model(tmp_path_factory.mktemp("endless"), config, endless=True)


Load = Callable[..., Any]


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Any, Load], Any]], None]]:
    """Replace how weights are loaded by a function of (checkpoint, the real loader)."""
    from tasks.models.local.checkpoint import load_weights

    def replace(how: Callable[[Any, Load], Any]) -> None:
        def instead(checkpoint: Any, *options: Any) -> Any:
            return how(checkpoint, lambda same: load_weights(same, *options))

        monkeypatch.setattr("tasks.models.local.local.load_weights", instead)

    yield replace


def with_memory_for(rows: int, tokens: int) -> Callable[[Any, Load], Any]:
    """A loader of a model that has memory for so many rows in a pass, and tokens in a row."""

    def check(_module: Any, _arguments: Any, options: dict[str, Any]) -> None:
        shape = options["input_ids"].shape
        if shape[0] > rows or int(options.get("position_ids", torch.zeros(1)).max()) >= tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    def load(checkpoint: Any, real: Load) -> Any:
        model = real(checkpoint)
        model.register_forward_pre_hook(check, with_kwargs=True)
        return model

    return load


def test_out_of_memory_makes_the_batch_smaller_and_changes_no_text(folder: Path, loading: Callable[..., None]) -> None:
    requests = [raw(text, sampling, seed) for seed, text in enumerate(prompts(12)) for sampling in (GREEDY, WARM)]
    before = ask(folder, requests)
    loading(with_memory_for(rows=3, tokens=10_000))
    assert ask(folder, requests) == before


def test_a_row_that_does_not_fit_alone_is_refused_and_others_go_on(folder: Path, loading: Callable[..., None]) -> None:
    loading(with_memory_for(rows=8, tokens=100))

    async def run() -> list[Completion | BaseException]:
        model = opened(folder, 8)
        texts = ["\x01" * 150, *prompts(10, longest=20)]
        try:
            return await asyncio.gather(*(model.complete(raw(text)) for text in texts), return_exceptions=True)
        finally:
            await model.close()

    refused, *others = asyncio.run(run())
    assert isinstance(refused, RequestRefused) and refused.reason == "out_of_memory"
    assert all(isinstance(other, Completion) for other in others)


def test_a_crash_reaches_every_caller_and_the_next_request_starts_anew(
    folder: Path, loading: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_checkpoint: Any, _real: Load) -> Any:
        raise RuntimeError("device-side assert")

    async def run() -> tuple[list[Completion | BaseException], Completion]:
        model = opened(folder)
        loading(crash)
        failures = await asyncio.gather(*(model.complete(raw(text)) for text in prompts(5)), return_exceptions=True)
        monkeypatch.undo()
        try:
            return failures, await model.complete(raw("jam"))
        finally:
            await model.close()

    failures, completion = asyncio.run(run())
    assert [str(failure) for failure in failures] == ["device-side assert"] * 5
    assert completion.completion_tokens > 0


def test_closing_answers_who_waits_ends_the_thread_and_may_be_done_twice(endless: Path) -> None:
    async def run() -> list[Completion | BaseException]:
        model = opened(endless, 1)
        waiting = [
            asyncio.create_task(model.complete(raw(text, GREEDY.but(max_new_tokens=1 << 19)))) for text in prompts(9)
        ]
        await asyncio.sleep(0.3)
        await model.close()
        await model.close()
        with pytest.raises(PermanentError, match="has been closed"):
            await model.complete(raw("late"))
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert all(isinstance(outcome, PermanentError) for outcome in outcomes)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("local model")]


@pytest.mark.slow
def test_a_process_that_ends_in_the_middle_of_a_text_ends_quietly(endless: Path) -> None:
    code = f"""
import asyncio
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local

async def run():
    await model.complete(Request(Sampling(max_new_tokens=2), 0, prompt="a"))
    requests = [Request(Sampling(max_new_tokens=10**6), seed, prompt="a") for seed in range(64)]
    tasks = [asyncio.ensure_future(model.complete(request)) for request in requests]
    await asyncio.sleep(0.1)
    print("interrupted")
    raise SystemExit(7)

model = load_local(ModelConfig(name={str(endless)!r}))
asyncio.run(run())
"""
    ended = run_python(code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "interrupted\n", "")
