"""Who may begin on the local model: a request is admitted when the batch has room for it, once, and cut at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.engine.accounting import Accounting, Budget
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop, the_loop
from tasks.engine.requests.asking import Member
from tasks.engine.shard import Outcome, run_shard
from tasks.errors import Interrupted
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.base import Completion
from tasks.models.config import ModelConfig
from tasks.models.local.local import LocalModel, load_local
from tests.engine.world import World, seeds, world
from tests.models.tiny import GREEDY, one_thread, prompts, raw, save_tiny_model, tiny_llama, tiny_tokenizer

IN_FLIGHT, ROWS = 2, 9


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


def of_rows(w: World, folder: Path, context: Context, max_new_tokens: int = 4) -> Outcome:
    """Rows through the local model, of which two are written at once; keeps what is cut by length."""
    config = ModelConfig(name=str(folder), max_in_flight=IN_FLIGHT, max_new_tokens=max_new_tokens)
    model, admission = load_local(config), Admission()
    admission.widen(IN_FLIGHT)
    context.ledger = w.ledger
    try:
        models = Models({"generator": [Member(model, config)]}, context)
        questions = seeds([f"question {i}" for i in range(ROWS)])
        return run_shard(text_generation, questions, models, TextGeneration(), context, admission=admission)
    finally:
        run_in_loop(model.close())


@pytest.mark.parametrize("most", [0, 1, 5, ROWS])
def test_a_budget_holds_exactly(most: int, folder: Path, tmp_path: Path) -> None:
    with world(tmp_path) as w:
        context = Context(accounting=Accounting(Budget(max_requests=most)))
        outcome = of_rows(w, folder, context)
        assert context.accounting.tally.requests == most == w.ledger.count()
        assert outcome.pending == ROWS - most
        assert of_rows(w, folder, again := Context()).pending == 0
        assert again.accounting.tally.requests == ROWS - most


def test_a_cut_run_does_not_wait_for_texts_that_do_not_end(endless: Path, tmp_path: Path) -> None:
    async def cut_when_writing(context: Context) -> None:
        while sum(one.begun_s is not None for one in context.pending) < IN_FLIGHT:
            await asyncio.sleep(0.01)
        context.halt()
        await asyncio.sleep(0.05)
        assert {one.begun_s is not None for one in context.pending} == {True}, (
            "halted, only what has begun is waited for"
        )
        context.cut()

    with world(tmp_path) as w:
        context = Context()
        cutting = asyncio.run_coroutine_threadsafe(cut_when_writing(context), the_loop())
        outcome = of_rows(w, endless, context, max_new_tokens=1_000_000)
        cutting.result()
        assert (outcome.pending, w.ledger.count()) == (ROWS, 0)


def test_a_request_that_may_not_begin_leaves_the_others_alone(folder: Path) -> None:
    def refuse() -> None:
        raise Interrupted

    async def both(model: LocalModel) -> list[Completion | BaseException]:
        asked = raw(prompts(1)[0], GREEDY)
        return await asyncio.gather(
            model.complete(replace(asked, admit=refuse)), model.complete(asked), return_exceptions=True
        )

    model = load_local(ModelConfig(name=str(folder)))
    try:
        refused, answered = asyncio.run(both(model))
    finally:
        asyncio.run(model.close())
    assert isinstance(refused, Interrupted)
    assert isinstance(answered, Completion)
