"""Problems in the shapes that trainers of reinforcement learning read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest

from tasks.column_types import MESSAGE
from tasks.publish.derive import Derived
from tasks.publish.formats.all_formats import in_format
from tasks.publish.formats.reinforcement import REINFORCEMENT_FORMATS

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 5 plus 6?"},
    {"role": "assistant", "content": r"\boxed{11}"},
]


def rows(*answers: str | None, **more: Any) -> pl.DataFrame:
    made = [
        {"row_id": f"{at:032x}", "messages": TURNS, "ground_truth": answer, "verifier": answer and "answer", **more}
        for at, answer in enumerate(answers)
    ]
    types = {"row_id": pl.String, "messages": pl.List(MESSAGE), "ground_truth": pl.String, "verifier": pl.String}
    return pl.DataFrame(made, schema_overrides=types)


def in_one(frame: pl.DataFrame, name: str) -> tuple[list[dict[str, Any]], Counter[str]]:
    left_out: Counter[str] = Counter()
    return [row for made in in_format([frame], "sft", name, left_out) for row in made.to_dicts()], left_out


def test_grpo_has_the_prompt_and_all_that_a_reward_function_asks_for() -> None:
    [row], _ = in_one(rows("11", pass_rate=0.5, score=4.0), "grpo")
    assert row["prompt"] == TURNS[:2]
    assert list(row) == ["row_id", "prompt", "ground_truth", "verifier", "pass_rate", "score"]
    assert (row["ground_truth"], row["verifier"], row["pass_rate"]) == ("11", "answer", 0.5)
    assert in_one(rows("11"), "grpo")[0][0]["pass_rate"] is None


def test_verl_finds_its_reward_function_by_the_source() -> None:
    [row], _ = in_one(rows("11", pass_rate=0.5), "verl")
    assert row == {
        "data_source": "lighteval/MATH",
        "prompt": TURNS[:2],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "11"},
        "extra_info": {"index": f"{0:032x}", "verifier": "answer", "pass_rate": 0.5},
    }


def test_open_instruct_takes_all_turns_but_the_last_and_names_its_verifier() -> None:
    [row], _ = in_one(rows("11"), "open_instruct")
    assert (row["messages"], row["ground_truth"], row["dataset"]) == (TURNS, "11", "math")


@pytest.mark.parametrize("name", REINFORCEMENT_FORMATS)
def test_a_verifier_that_a_trainer_does_not_know_keeps_its_name(name: str) -> None:
    frame = rows("11").with_columns(verifier=pl.lit("constraints"))
    assert "constraints" in str(in_one(frame, name)[0][0])


@pytest.mark.parametrize("name", REINFORCEMENT_FORMATS)
def test_a_row_without_a_known_answer_is_left_out_and_counted(name: str) -> None:
    made, left_out = in_one(rows("11", None, "12"), name)
    assert (len(made), left_out) == (2, {"no_ground_truth": 1})
    made, left_out = in_one(rows("11").drop("ground_truth", "verifier"), name)
    assert (made, left_out) == ([], {"no_ground_truth": 1})
    assert Derived("sft", ("messages", name)).needing("ground_truth") == name
