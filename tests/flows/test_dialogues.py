"""Recipes `dialogue` and `everyday`, end to end on scripted models; what they make goes on into pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tasks.models.base import Request
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged


def both(request: Request) -> str:
    """The user and the assistant. Some users end it, and some assistants go on with the user's turn."""
    text = request.messages[-1]["content"] if request.messages else ""
    if "To end the conversation" in text:
        return "[END]" if request.seed % 7 == 0 else f"And number {request.seed % 9973}, what of that one?"
    if "What is on your mind" in text:
        return f"I have been thinking of number {request.seed % 9973}."
    spoilt = "\nUser: And then?" if request.seed % 11 == 0 else ""
    return f"It is {request.seed % 9973} steps from here, {request.seed % 7919} at most.{spoilt}"


def talks(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def roles(frame: pl.DataFrame) -> list[list[str]]:
    return [[turn["role"] for turn in talk if turn["role"] != "system"] for talk in frame["messages"]]


def test_rows_of_another_recipe_are_carried_on_and_become_pairs(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[f"question {n}" for n in range(12)], out="first")
    scripted(both)
    told: dict[str, Any] = {"recipe": "dialogue", "seeds": "first", "prompt_set": "full"}
    summary = sft(**told)
    made = talks()
    assert summary["rows"] + summary["rejects"] == 12 and made.height > 6
    given = {talk[1]["content"] for talk in talks("first")["messages"]}
    assert {talk[1]["content"] for talk in made["messages"]} <= given, "the answer that is there is kept"
    assert all(one == ["user", "assistant"] * (len(one) // 2) and len(one) >= 4 for one in roles(made))
    assert set(made["stopped"]) <= {"turns", "ended", "answers_itself"}
    before = dataset_bytes(Path("out"))
    assert sft(**told)["requests"] == 0 and dataset_bytes(Path("out")) == before
    scripted(judged)
    pairs = dpo(recipe="basic", instructions="out")
    prompts = pl.read_parquet("pairs/data/train.parquet")["prompt"].to_list()
    assert pairs["rows"] == len(prompts) > 0
    assert all(prompt[-1]["role"] == "user" and len(prompt) >= 3 for prompt in prompts)


def test_small_talk_has_as_many_rows_as_asked_for(scripted: Scripted) -> None:
    scripted(both)
    assert sft(recipe="everyday", rows=8, prompt_set="full", language="vi,en", curate=None)["rows"] == 8
    made = talks()
    assert all(one[:2] == ["user", "assistant"] and one[-1] == "assistant" for one in roles(made))
    assert all(talk[0]["role"] == "system" for talk in made["messages"])
    assert len({tuple(pair) for pair in made["personas"]}) > 4 and set(made["language"]) == {"vi", "en"}
