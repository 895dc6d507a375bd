"""Marks of turns in the dialect of each trainer."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tasks.publish.formats.conversations import SFT_FORMATS
from tasks.schemas import Conversations
from tests.flows.test_instruction_sft import Scripted, sft

USER, ASSISTANT = "user", "assistant"


def talk(*turns: tuple[str, str, bool | None]) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": text} | ({} if train is None else {"train": train}) for role, text, train in turns
    ]


MARKED = talk((USER, "a", None), (ASSISTANT, "b", False), (USER, "c", None), (ASSISTANT, "d", True), (USER, "e", None))


def made(scripted: Scripted, shape: str, *seeds: Any, **options: Any) -> list[dict[str, Any]]:
    scripted(lambda request: f"to {(request.messages or ())[-1]['content']}")
    sft(recipe="respond", seeds=[{"messages": seed} for seed in seeds], format=shape, out=shape, **options)
    return pl.read_parquet(f"{shape}/data/train.parquet").to_dicts()


def test_axolotl_reads_train_of_each_turn(scripted: Scripted) -> None:
    [row] = made(scripted, "messages", MARKED)
    assert [turn["train"] for turn in row["messages"]] == [False, False, False, True, False, True]


def test_openai_reads_a_weight_of_the_assistants_turns_alone(scripted: Scripted) -> None:
    [row] = made(scripted, "openai", MARKED)
    assert [turn["weight"] for turn in row["messages"]] == [None, 0, None, 1, None, 1]
    assert set(row["messages"][0]) == {"role", "content", "weight"}


def test_trl_reads_a_row_for_each_turn_that_is_to_be_trained_on(scripted: Scripted) -> None:
    rows = made(scripted, "prompt_completion", MARKED, talk((USER, "plain", None)))
    said = [([turn["content"] for turn in row["prompt"]], row["completion"]) for row in rows]
    assert said == [
        (["a", "b", "c"], [{"role": ASSISTANT, "content": "d"}]),
        (["a", "b", "c", "d", "e"], [{"role": ASSISTANT, "content": "to e"}]),
        (["plain"], [{"role": ASSISTANT, "content": "to plain"}]),
    ]
    assert len({row["row_id"] for row in rows}) == 3
    assert [bool(row["response_model"]) for row in rows] == [False, True, True]


def test_what_is_published_is_what_the_schema_calls_conversations(scripted: Scripted) -> None:
    made(
        scripted,
        "messages",
        talk((USER, "a", None)),
        talk((USER, "b", None), (ASSISTANT, "c", None), (USER, "d", None)),
    )
    published = pl.read_parquet("messages/data/train.parquet")
    assert Conversations.validate(published).height == 2


@pytest.mark.parametrize("shape", SFT_FORMATS)
def test_conversations_without_a_mark_have_none(shape: str, scripted: Scripted) -> None:
    [row] = made(scripted, shape, talk((USER, "a", None)))
    turns = row["messages"] if "messages" in row else row["prompt"] + row["completion"]
    assert turns == [{"role": USER, "content": "a"}, {"role": ASSISTANT, "content": "to a"}]


@pytest.mark.parametrize("shape", SFT_FORMATS)
def test_another_night_joins_in_the_same_format(shape: str, scripted: Scripted) -> None:
    first = made(scripted, shape, MARKED, incremental=True)
    both = made(scripted, shape, MARKED, talk((USER, "a", None)), incremental=True)
    assert [row["row_id"] for row in both[: len(first)]] == [row["row_id"] for row in first]
    assert len(both) == len(first) + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_trl_trains_on_the_completions_and_on_nothing_else(scripted: Scripted, tmp_path: Any) -> None:
    pytest.importorskip("trl", reason="needs the extra prove")
    from trl import SFTConfig, SFTTrainer

    from tests.publish.test_trl import arguments, loaded, tiny

    made(scripted, "prompt_completion", *[[*MARKED[:-1], {**MARKED[-1], "content": f"e{at}"}] for at in range(4)])
    model, tokenizer = tiny(tmp_path)
    rows = loaded("prompt_completion", tmp_path)
    trainer = SFTTrainer(model, SFTConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == rows.num_rows == 8
    batch = trainer.data_collator([trainer.train_dataset[at] for at in range(8)])
    for labels in batch["labels"]:
        trained = tokenizer.decode([token for token in labels.tolist() if token != -100])
        assert trained.startswith("d") or trained.startswith("to e")
    assert trainer.train().global_step == 1
