"""A reward model that runs here, against its logits computed by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.errors import PermanentError, RequestRefused
from tasks.ledger.ledger import Ledger
from tasks.models.base import Message, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.reward import MOST_TOKENS, in_batches
from tests.models.tiny import CORPUS, one_thread, opened, raw, save_tiny_model, tiny_llama, tiny_tokenizer
from tests.rows import a_row

ANSWERS = ["Sugar.", CORPUS[0], CORPUS[1], CORPUS[2], "🍓", "It is, as I think, a room."]


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    with one_thread():
        yield


def save_reward_model(folder: Path, **changes: Any) -> Path:
    """A tiny random Llama with one logit, and weights large enough that answers differ."""
    tokenizer = tiny_tokenizer()
    told = {"num_labels": 1, "pad_token_id": 1, **changes}
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_config(tiny_llama(len(tokenizer), **told), dtype=torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def talk(answer: str, question: str = "What is a still-room?") -> tuple[Message, ...]:
    return ({"role": "user", "content": question}, {"role": "assistant", "content": answer})


def asked(answer: str, order: int = 0) -> Request:
    return Request(Sampling(), 0, talk(answer), order=order, scored_by="score")


def scores(folder: Path, requests: list[Request], **options: Any) -> list[Any]:
    async def run() -> list[Any]:
        model = opened(folder, **options)
        try:
            return await asyncio.gather(*map(model.complete, requests), return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(run())


@torch.inference_mode()
def by_hand(folder: Path, answer: str) -> float:
    """The hidden state of the last token times the head's row, without the model's own way to find that token."""
    tokenizer = tiny_tokenizer()
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in talk(answer))
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    hidden = model.model(input_ids=ids).last_hidden_state[0, -1]
    return float(hidden @ model.score.weight[0])


def test_a_score_is_the_logit_of_the_whole_conversation_in_any_batch(tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path)
    wanted = [by_hand(folder, answer) for answer in ANSWERS]
    assert len({round(value, 3) for value in wanted}) == len(ANSWERS)
    together = scores(folder, [asked(answer, n) for n, answer in enumerate(ANSWERS)])
    assert [float(one.text) for one in together] == pytest.approx(wanted, abs=2e-4)
    alone = [scores(folder, [asked(answer)])[0] for answer in ANSWERS]
    assert [one.text for one in alone] == [one.text for one in together]
    assert all(one.prompt_tokens > 10 and one.finish_reason == "stop" for one in alone)


def test_a_model_without_a_padding_token_scores_each_alone(tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path, pad_token_id=None)
    together = scores(folder, [asked(answer, n) for n, answer in enumerate(ANSWERS)])
    assert [float(one.text) for one in together] == pytest.approx([by_hand(folder, a) for a in ANSWERS], abs=2e-4)


def test_what_spells_a_control_token_is_scored_as_text(tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path)
    [spelled], [plain] = scores(folder, [asked("no<|im_end|>")]), scores(folder, [asked("no")])
    assert spelled.prompt_tokens > plain.prompt_tokens + 3
    assert abs(float(spelled.text) - by_hand(folder, "no<|im_end|>")) > 1e-3, "by hand it ends the turn"


def test_a_conversation_that_is_too_long_is_refused_alone(tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path)
    long, short = scores(folder, [asked("iron " * 400), asked("iron")])
    assert isinstance(long, RequestRefused) and long.reason == "context_too_long"
    assert float(short.text) == pytest.approx(by_hand(folder, "iron"), abs=2e-4)


def test_what_gives_no_score_or_writes_nothing_is_told(tmp_path: Path) -> None:
    [several] = scores(save_reward_model(tmp_path / "classes", num_labels=3), [asked("iron")])
    assert isinstance(several, PermanentError) and "one logit" in str(several)
    [writer] = scores(save_tiny_model(tmp_path / "writer"), [asked("iron")])
    assert isinstance(writer, PermanentError) and "the model gives no scores" in str(writer)
    [scorer] = scores(save_reward_model(tmp_path / "reward"), [raw("iron")])
    assert isinstance(scorer, PermanentError) and "weights are not complete" in str(scorer)


def test_a_batch_holds_so_many_tokens_with_its_padding() -> None:
    read: Any = [([0] * length, None) for length in (10, 20, MOST_TOKENS // 3, MOST_TOKENS // 2, MOST_TOKENS * 2)]
    assert [len(batch) for batch in in_batches(read)] == [3, 1, 1]
    assert [len(batch) for batch in in_batches(read, alone=True)] == [1] * 5


def test_a_score_is_paid_for_once_and_stands_in_provenance(tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path / "model")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")

    async def work() -> list[Any]:
        model, found = opened(folder), []
        try:
            for _ in range(2):
                context, row = Context(ledger=ledger), a_row(instruction="What is a still-room?")
                member = Member(model, ModelConfig(name=str(folder)))
                models = Models({"generator": [member], "reward": [member]}, context).at(row)
                score = await models.score(talk("x")[:1], "A room.", by="reward")
                [call] = row.calls
                tally = context.accounting.tally
                found.append((score, call.template, call.role, tally.requests, tally.ledger_hits))
            return found
        finally:
            await model.close()
            await ledger.close()

    first, second = run_in_loop(work())
    assert first[0] == second[0] == pytest.approx(by_hand(folder, "A room."), abs=2e-4)
    assert (first[1:], second[1:]) == (("score", "reward", 1, 0), ("score", "reward", 0, 1))
