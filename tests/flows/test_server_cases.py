"""What servers really answer, case by case, through the command: its exit code, its rows, its rejects, what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.flows.command.in_process import run_command
from tests.models.cases import CASES, played
from tests.models.server import serving

GOOD = "The Loire is a river in France."
QUESTION = "Tell me of the Loire in one sentence."
THOUGHT = "We think quietly."
STEP = Path(__file__).with_name("asked_for_json.py")


@dataclass(frozen=True)
class Right:
    """What is right: an answer or a reason of rejection after so many `requests`, or a line and exit code 2.

    `told`: words of a line beside it. `rows`: how many questions are asked, one at a time.
    """

    requests: int = 1
    response: str | None = None
    reason: str | None = None
    refusal: str | None = None
    told: str | None = None
    reasoning: str | None = None
    lost: str | None = None
    rows: int = 1
    options: tuple[str, ...] = ()
    recipe: str | tuple[str, ...] = "respond"


ANSWERED, THOUGHT_OF = Right(response=GOOD), Right(response=GOOD, reasoning=THOUGHT)
SIX_STOPS = ("--set", 'text_generation.sampling={"stop": ["1", "2", "3", "4", "5", "6"]}')
RIGHT = {
    "finish_error": Right(3, reason="cut_off"),
    "finish_resource": Right(3, reason="cut_off"),
    "finish_recitation": Right(1, reason="content_filter"),
    "finish_context": Right(1, reason="truncated"),
    "end_token_left": Right(response=GOOD, lost="end_token"),
    "role_word_run_on": Right(3, reason="further_turns"),
    "harmony": THOUGHT_OF,
    "gemma4_channel": THOUGHT_OF,
    "reasoning_blank": THOUGHT_OF,
    "stray_think_end": THOUGHT_OF,
    "reasoning_object": THOUGHT_OF,
    "thinking_parts": THOUGHT_OF,
    "tool_call_text": Right(3, reason="tool_call"),
    "invisible": Right(3, reason="empty"),
    "usage_none": Right(response=GOOD, told="counts no tokens", options=("--max-total-tokens", "1000")),
    "usage_fraction": ANSWERED,
    "stream_unasked": ANSWERED,
    "needs_a_field": Right(refusal="parameter.enable_thinking must be set to false"),
    "stop_list_limit": Right(2, response=GOOD, told="takes 4 stop texts", options=SIX_STOPS),
    "schema_500": Right(2, response="1", told="JSON schema", recipe=(f"{STEP}:asked_for_json",)),
    "error_string_200": Right(refusal="mostly in /v1"),
    "key_limit_403": Right(3, refusal="Key limit exceeded", rows=6),
    "reset_milliseconds": Right(2, response=GOOD),
    "other_model": Right(response=GOOD, told="some-other-model-1b"),
}


def test_all_cases_are_played() -> None:
    assert set(RIGHT) == set(CASES)


@pytest.mark.parametrize("name", RIGHT)
def test_the_command_makes_the_right_row_of_a_servers_answer_or_says_why_not(name: str, connected: Path) -> None:
    right = RIGHT[name]
    questions = [QUESTION, *(f"Question {number}?" for number in range(1, right.rows))]
    (connected / "seeds.jsonl").write_text("".join(json.dumps({"instruction": text}) + "\n" for text in questions))
    (connected / "recipe.yaml").write_text(json.dumps({"recipe": right.recipe}))
    with serving(played(name)) as server:
        ended = run_command(
            "sft",
            "--config",
            "recipe.yaml",
            "--seeds",
            "seeds.jsonl",
            "--model",
            server.name,
            "--out",
            "out",
            "--json",
            "--set",
            "model.max_in_flight=1",
            "--set",
            "max_reject_fraction=1",
            "--allow-empty",
            *right.options,
        )
        assert len(server.bodies) == right.requests, ended
    lines = ended.stderr.splitlines()
    if right.refusal is not None:
        assert (ended.returncode, len(lines), ended.stdout) == (2, 1, ""), ended
        assert right.refusal in lines[0]
        assert not (connected / "out" / "data").exists()
        return
    assert ended.returncode == 0, ended
    assert [right.told in line for line in lines if right.told] == ([True] if right.told else []), lines
    assert_made(connected / "out", right)


def assert_made(out: Path, right: Right) -> None:
    """The dataset holds what is right, and nothing else."""
    rows = pl.read_parquet(out / "data" / "train.parquet")["messages"].to_list()
    assert [row[-1]["content"] for row in rows] == ([] if right.response is None else [right.response])
    rejects = pl.read_parquet(out / "rejects.parquet")["reason"].to_list()
    assert rejects == ([] if right.reason is None else [right.reason])
    losses = pl.read_parquet(out / "losses.parquet")["reason"].to_list()
    assert losses == ([] if right.lost is None else [right.lost])
    reasoning = pl.read_parquet(out / "provenance.parquet")["reasoning"].drop_nulls().to_list()
    assert reasoning == ([] if right.reasoning is None else [right.reasoning])
