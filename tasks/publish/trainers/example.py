"""A row of a dataset as trainers know it: which of their shapes it has, and what stands in it.

The shapes are those of TRL (huggingface.co/docs/trl/dataset_formats); ShareGPT's `conversations` are read as messages, and so
are Alpaca's `instruction`, `input`, `output`, `system` and `history`, joined as LLaMA-Factory joins them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.errors import ConfigError

Shape = Literal["messages", "text", "prompt_completion", "preference", "unpaired"]
TurnFields = Mapping[str, Any]
Part = str | list[TurnFields]
"""A text, or turns of a conversation."""

SHAPE_COLUMNS: Mapping[Shape, tuple[str, ...]] = {  # the first that a dataset has all of
    "preference": ("chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
    "prompt_completion": ("prompt", "completion"),
    "messages": ("messages",),
    "text": ("text",),
}
ALPACA = ("instruction", "output")
VARIABLES = "chat_template_kwargs"
"""The column whose values TRL gives to the template, row by row."""
SHAREGPT_ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True, slots=True)
class Example:
    """One row. `parts` by the name of their column; `tools` and `variables` go to the template.

    `tools` may be an empty list, which some templates show; `variables` is None where the column is there and holds nothing.
    `beside`: the column `text` of a row that is a prompt and a completion.
    """

    row_id: str
    shape: Shape
    parts: Mapping[str, Part]
    tools: list[Any] | None = None
    variables: Mapping[str, Any] | None = field(default_factory=dict)
    beside: str | None = None

    @property
    def is_talk(self) -> bool:
        """Whether it is made of turns, not of texts."""
        return all(not isinstance(part, str) for part in self.parts.values())


def example_shape(columns: Collection[str], name: str) -> Shape:
    """The shape of a dataset with these columns. Raises ConfigError where it has none that a trainer reads."""
    if shape := shape_in(columns):
        return shape
    shapes = "; ".join(", ".join(wanted) for wanted in SHAPE_COLUMNS.values())
    raise ConfigError("no columns that a trainer reads", f"{name} has {', '.join(columns)}", f"it needs {shapes}")


def shape_in(columns: Collection[str]) -> Shape | None:
    """The shape of rows with these columns; None where it is none that a trainer reads."""
    if "conversations" in columns:
        return "messages"
    named = (shape for shape, wanted in SHAPE_COLUMNS.items() if set(wanted) <= set(columns))
    return next(named, "messages" if is_alpaca(columns) else None)


def is_alpaca(columns: Collection[str]) -> bool:
    """Whether a dataset with these columns is in the format of Alpaca, which TRL does not read by itself."""
    return set(ALPACA) <= set(columns) and not {"messages", "conversations"} & set(columns)


def example_of(row_id: str, record: Mapping[str, Any], shape: Shape) -> Example:
    """A record in that shape. Raises ValueError, with what is wrong, where it is not."""
    if shape == "messages" and record.get("messages") is None and "conversations" in record:
        parts: dict[str, Part] = {"messages": [_from_sharegpt(turn) for turn in _read(record["conversations"])]}
    elif shape == "messages" and is_alpaca(record):
        parts = {"messages": _from_alpaca(record)}
    else:
        names = [*SHAPE_COLUMNS[shape]] + (
            ["prompt"] if shape == "preference" and record.get("prompt") is not None else []
        )
        parts = {name: _part(name, record.get(name)) for name in names if name != "label"}
    kinds = {isinstance(part, str) for part in parts.values()}
    if kinds == {shape == "messages"} and shape in ("messages", "text"):
        raise ValueError(f"{shape}: it holds {'a text' if shape == 'messages' else 'turns'}")
    if len(kinds) > 1:
        raise ValueError(f"{', '.join(parts)}: some are texts and some are turns")
    variables = record.get(VARIABLES, {})
    if not isinstance(variables, Mapping | None):
        raise ValueError(f"{VARIABLES}: it is not an object")
    tools = record.get("tools")
    beside = record.get("text") if shape == "prompt_completion" else None
    return Example(
        row_id,
        shape,
        parts,
        None if tools in (None, "") else _read(tools),
        variables,
        beside if isinstance(beside, str) else None,
    )


def turns_in_example(example: Example) -> list[TurnFields]:
    """The turns of a conversation."""
    said = example.parts["messages"]
    assert not isinstance(said, str), "it has been checked for turns"
    return said


def _part(name: str, value: Any) -> Part:
    """A text, or turns as they stand there: a key without a value is one that a template sees."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name}: there is nothing in it")
    turns = [_read(turn) for turn in value]
    for at, turn in enumerate(turns, 1):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            raise ValueError(f"{name}: turn {at} has no role")
    return turns


def _from_sharegpt(turn: Any) -> TurnFields:
    if not isinstance(turn, Mapping) or "from" not in turn:
        raise ValueError("conversations: a turn has no `from`")
    return {"role": SHAREGPT_ROLES.get(turn["from"], turn["from"]), "content": turn.get("value")}


def _from_alpaca(record: Mapping[str, Any]) -> list[TurnFields]:
    """The turns of a record; what there is of instruction and input is the user's last one, on lines of their own."""
    if not isinstance(record["output"], str) or not isinstance(record["instruction"], str):
        raise ValueError("instruction, output: one of them is no text")
    asked = "\n".join(text for name in ("instruction", "input") if (text := record.get(name)))
    turns: list[TurnFields] = [{"role": "system", "content": record["system"]}] if record.get("system") else []
    for pair in (*(_read(record.get("history")) or ()), (asked, record["output"])):
        turns += [{"role": role, "content": text} for role, text in zip(("user", "assistant"), pair, strict=True)]
    return turns


def _read(value: Any) -> Any:
    """Lists and objects may stand as JSON, which is how a column holds those of many shapes."""
    return json.loads(value) if isinstance(value, str) else value
