"""`sharegpt`: turns as `from` and `value`, as LLaMA-Factory (`formatting: sharegpt`), Axolotl and Unsloth read them.

    stillroom export datasets/demo-sft --format sharegpt

LLaMA-Factory wants two sides that take turns: `human` and `observation` on one, `gpt` and `function_call` on the other. The
system prompt and the tools are columns. Of a pair the prompt is `conversations`, and `chosen` and `rejected` are one turn
each. Where turns are marked, each has `train`; Axolotl reads it with `message_field_training: train`.
(github.com/hiyouga/LLaMA-Factory, data/README.md; LLaMA-Factory 0.9.5, data/converter.py)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import polars as pl

from tasks.publish.turns import turn_fields

FROM = {"user": "human", "assistant": "gpt", "tool": "observation"}
ASKING_SIDES = {"human", "observation"}
TURN: dict[str, Any] = {"from": pl.String, "value": pl.String}

_Said = Mapping[str, Any]


def sharegpt(rows: pl.DataFrame) -> pl.DataFrame:
    """`conversations`, `system` (and `tools`, as JSON) in place of `messages`."""
    marked = "train" in turn_fields(rows.schema["messages"])
    turn = pl.Struct(TURN | ({"train": pl.Boolean} if marked else {}))
    talks = [_turns(messages, marked=marked) for messages in rows["messages"].to_list()]
    made = rows.select(
        "row_id",
        pl.Series("conversations", talks, dtype=pl.List(turn)),
        pl.Series("system", map(system_of_turns, rows["messages"].to_list()), dtype=pl.String),
    )
    return made.hstack(rows.drop("row_id", "messages"))


def sharegpt_pairs(pairs: pl.DataFrame) -> pl.DataFrame:
    """`conversations`, `chosen`, `rejected` and `system`, and all else that a pair has."""
    turn = pl.Struct(TURN)
    sides = [
        pl.Series(side, [_turn(turns[0], marked=False) for turns in pairs[side].to_list()], dtype=turn)
        for side in ("chosen", "rejected")
    ]
    talks = [_turns(turns, marked=False) for turns in pairs["prompt"].to_list()]
    made = pairs.select(
        "row_id",
        pl.Series("conversations", talks, dtype=pl.List(turn)),
        *sides,
        pl.Series("system", map(system_of_turns, pairs["prompt"].to_list()), dtype=pl.String),
    )
    return made.hstack(pairs.drop("row_id", "prompt", "chosen", "rejected"))


def not_in_sharegpt(turns: Sequence[_Said]) -> str | None:
    """Why a conversation cannot be said so that LLaMA-Factory reads it; None where it can."""
    if any(turn["role"] == "system" for turn in turns[1:]):
        return "system_turn_in_the_middle"
    if any(turn.get("tool_calls") and turn["content"] for turn in turns):
        return "words_beside_a_call"
    said = list(_turns(turns, marked=False))
    if not said or said[0]["from"] != "human":
        return "does_not_begin_with_the_user"
    if any((one["from"] in ASKING_SIDES) == (other["from"] in ASKING_SIDES) for one, other in pairwise(said)):
        return "two_turns_of_one_side"
    return None


def system_of_turns(turns: Sequence[_Said]) -> str:
    """The system prompt that a conversation begins with, "" where it has none."""
    return turns[0]["content"] or "" if turns and turns[0]["role"] == "system" else ""


def _turns(turns: Sequence[_Said], *, marked: bool) -> list[dict[str, Any]]:
    return list(_each(turns, marked=marked))


def _each(turns: Sequence[_Said], *, marked: bool) -> Iterator[dict[str, Any]]:
    """The turns but the system's. What several tools gave back to one turn is one observation, a list in JSON."""
    said = (turn for turn in turns if turn["role"] != "system")
    for is_tool, some in groupby(said, lambda turn: turn["role"] == "tool"):
        group = list(some)
        if is_tool and len(group) > 1:
            value = json.dumps([turn["content"] for turn in group], ensure_ascii=False)
            yield {"from": "observation", "value": value} | ({"train": False} if marked else {})
        else:
            yield from (_turn(turn, marked=marked) for turn in group)


def _turn(turn: _Said, *, marked: bool) -> dict[str, Any]:
    calls = [_call(call["function"]) for call in turn.get("tool_calls") or ()]
    mark = {"train": turn["train"]} if marked else {}
    if calls:
        value = json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
        return {"from": "function_call", "value": value} | mark
    return {"from": FROM[turn["role"]], "value": turn["content"]} | mark


def _call(function: Mapping[str, str]) -> dict[str, Any]:
    """A call with its arguments as they are, in place of JSON in JSON."""
    return {"name": function["name"], "arguments": json.loads(function["arguments"])}
