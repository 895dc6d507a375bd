"""Rows that a trainer would refuse, drop or cut go: `curate.fit`, for the model that is to be trained on the dataset.

    stillroom sft --seeds seeds.jsonl --set curate.fit.model=HuggingFaceTB/SmolLM2-135M-Instruct --set curate.fit.max_length=2048

What is wrong with the template and not with a row (nothing ends a turn, say) is told once, before the run. Asks no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from tasks.columns import PAIR_SIDES, RECORD
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import row_filter
from tasks.errors import Filtered
from tasks.models.target import open_target
from tasks.notices import tell
from tasks.publish.trainers.choose import Fit, rule_of
from tasks.publish.trainers.example import Example, Shape, example_of, shape_in
from tasks.publish.trainers.facts import Facts, RowFacts, unreadable
from tasks.publish.trainers.findings import FAULTS, UNFIT

AS_ONE = ("axolotl", "llamafactory")
"""Trainers whose export has an answer and its prompt as one conversation."""
IN_TOKENS = ("answer_cut", "nothing_trained", "sides_alike")
PLAIN = {"instruction": "Why does glass break?", "response": "Because it cannot bend."}


class FitFor(Fit):
    """Which model is trained on the rows, by whom, and how."""

    model: str = Field(description="a transformers name or folder, or demo; no weights are read")

    @property
    def files_digest(self) -> str:
        """Of its tokenizer and chat template."""
        return open_target(self.model).identity


@row_filter(reads="Rows")
async def fit(row: Row, models: Models, params: FitFor) -> None:  # noqa: ARG001 - every technique has models
    """Keep a row that a trainer sees whole. Asks no model. Raises Filtered with the first fault of the row."""
    facts = row_facts(row.row_id, row, params)
    for fault in facts.faults:
        if fault in UNFIT:
            raise Filtered(fault, _figure(facts, fault, params))


def check_fit(params: FitFor, kind: Literal["sft", "dpo"] = "sft") -> None:
    """Raise ConfigError where the model or the trainer's settings cannot be had; tell what only a setting mends."""
    shape: Shape = "preference" if kind == "dpo" else "messages" if params.trainer in AS_ONE else "prompt_completion"
    rule_of(params, open_target(params.model)).check(shape)
    for fault in row_facts("", PLAIN, params).faults:
        if FAULTS[fault].kind == "setting":
            tell(f"curate.fit: {params.model}: {FAULTS[fault].what}; {FAULTS[fault].fix}")


def row_facts(row_id: str, row: Mapping[str, Any], params: FitFor) -> RowFacts:
    """What the trainer makes of a row of any table. Raises ConfigError where it does not take rows of its shape."""
    try:
        example = example_of_row(row_id, row)
    except ValueError as error:
        return unreadable(row_id, str(error))
    if params.trainer in AS_ONE and example.shape == "prompt_completion":
        example = _in_one(example)
    rule = rule_of(params, open_target(params.model))
    rule.check(example.shape)
    return _facts(params.model).of_row(list(rule.see([example])))


def _figure(facts: RowFacts, fault: str, params: FitFor) -> str:
    """What is to be told of a row that goes: what the trainer or the template says of it, its tokens, or what the fault is."""
    if facts.why or fault not in IN_TOKENS:
        return facts.why or FAULTS[fault].what
    return f"{facts.tokens} tokens, and max_length is {params.length}"


def example_of_row(row_id: str, row: Mapping[str, Any]) -> Example:
    """A row as it will be published: a pair with its prompt, or a conversation whose last answer stands apart.

    Of a dataset that is there its record, in the trainers' shape that it has. Raises ValueError where it is none.
    """
    record = row.get(RECORD)
    if record and (shape := shape_in(record)):
        return example_of(row_id, record, shape)
    if row.get("chosen") and row.get("rejected"):
        prompt = {"prompt": _turns(row["prompt"], "user")} if row.get("prompt") else {}
        return Example(row_id, "preference", prompt | {side: _turns(row[side], "assistant") for side in PAIR_SIDES})
    turns = _turns(row.get("messages") or row.get("prompt") or row.get("instruction"), "user")
    if row.get("system") and turns[:1] and turns[0]["role"] != "system":
        turns = [{"role": "system", "content": row["system"]}, *turns]
    said = next((row[name] for name in ("response", "completion") if row.get(name)), None)
    turns += _turns(said, "assistant")
    tools = row.get("tools")
    return Example(row_id, "prompt_completion", {"prompt": turns[:-1], "completion": turns[-1:]}, tools or None)


def _in_one(example: Example) -> Example:
    """A prompt and its completion as one conversation; two texts are none, and stay as they are."""
    prompt, said = example.parts["prompt"], example.parts["completion"]
    if isinstance(prompt, str) or isinstance(said, str):
        return example
    return Example(example.row_id, "messages", {"messages": [*prompt, *said]}, example.tools, example.variables)


def _turns(said: Any, role: str) -> list[Mapping[str, Any]]:
    """A text or a list of turns as turns, without the fields that hold nothing."""
    if isinstance(said, str):
        return [{"role": role, "content": said}]
    return [{name: value for name, value in turn.items() if value is not None} for turn in said or ()]


@lru_cache(maxsize=4)
def _facts(model: str) -> Facts:
    return Facts(open_target(model))
