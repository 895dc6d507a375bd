"""What the columns of seeds hold: which of a file's are ours, and their values, checked and brought to one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from tasks.column_types import CONSTRAINT, MESSAGE
from tasks.seeds.kinds import described
from tasks.seeds.known_formats import ASKING, JOIN, history_of
from tasks.seeds.turns import Turn, marked_turns, seed_turns, tools_of

NAME_SEPARATOR = "\0"  # between the columns that a step joins
TEXTS = ("instruction", "system", "context", "topic")
ANSWER = pl.Struct({"text": pl.String, "model": pl.String, "principle": pl.String})
SHAPES: dict[str, pl.DataType] = {
    "messages": pl.List(MESSAGE),
    "responses": pl.List(ANSWER),
    **dict.fromkeys(TEXTS, pl.String()),
    "response": pl.String(),
    "constraints": pl.List(CONSTRAINT),
    "plain_instruction": pl.String(),
    "tools": pl.String(),
}
JOINED: dict[str, pl.DataType] = {"input": pl.String(), "history": pl.List(MESSAGE)}  # where a row is made of them
SIMPLE: dict[type, pl.DataType] = {str: pl.String(), bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64()}


class MisfitError(ValueError):
    """A value of the wrong kind: `index` of its record, what was `found` and what was `expected`."""

    def __init__(self, index: int, found: str, expected: str) -> None:
        super().__init__(found)
        self.index, self.found, self.expected = index, found, expected


def path_of(theirs: str, names: Iterable[str]) -> tuple[str, ...]:
    """The way to a column: its name, or steps into objects and lists (`instances.0.input`) where none is called so.

    Several columns joined (`chosen+rejected`) count as one, whose values are lists of theirs.
    """
    parts = joined_columns(theirs, names)
    return (NAME_SEPARATOR.join(parts),) if set(parts) <= set(names) else tuple(theirs.split("."))


def joined_columns(theirs: str, names: Iterable[str]) -> list[str]:
    """The columns of the file that a name stands for: itself, or those that it joins."""
    return [theirs] if theirs in set(names) else theirs.split(JOIN)


def picked(records: Sequence[Mapping[str, Any]], path: Sequence[str]) -> list[Any]:
    """The values at the end of the way, None where it does not lead on."""
    first, *steps = path
    values: list[Any]
    if NAME_SEPARATOR in first:
        parts = first.split(NAME_SEPARATOR)
        return [[record[part] for part in parts if record.get(part) is not None] or None for record in records]
    values = [record.get(first) for record in records]
    for step in steps:
        values = [_step(value, step) for value in values]
    return values


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None


def shape_of(ours: str, values: Sequence[Any], *, joined: bool = True) -> pl.DataType:
    """The type of a column: the house's own for the columns it knows, else that of the values. Raises MisfitError."""
    known = SHAPES | (JOINED if joined else {})
    if ours in known:
        return known[ours]
    there = [(index, value) for index, value in enumerate(values) if value is not None]
    if not there:
        return pl.String()
    if all(type(value) is list for _, value in there):
        shape = _simple([one for _, value in there for one in value if one is not None] or [""])
        if shape is not None:
            return pl.List(shape)
    shape = _simple([value for _, value in there])
    if shape is None:
        index, first = there[0]
        raise MisfitError(index, _found(first), f"text, a number, or a list of these, e.g. {ours}=COLUMN.FIELD")
    return shape


def _simple(values: Sequence[Any]) -> pl.DataType | None:
    kinds = {type(value) for value in values}
    return SIMPLE[float] if kinds == {int, float} else SIMPLE.get(type(values[0]))


def _found(value: Any) -> str:
    inner = value[0] if isinstance(value, list) and value else None
    return described(value) if inner is None else f"a list with {described(inner)} in it"


def shaped(ours: str, shape: pl.DataType, values: Sequence[Any]) -> Sequence[Any]:
    """The values as the shape wants them. Raises MisfitError at the first that does not fit."""
    if ours in CONVERSIONS and shape == (SHAPES | JOINED)[ours]:
        return _each(values, *CONVERSIONS[ours])
    if ours == "instruction" and any(type(value) is list for value in values):
        return _each(values, _text_or_turns, "text, or a list of {role, content}")
    if shape == pl.String:
        return _texts(values, "text" if ours in SHAPES else "text, as in the rows before")
    return _each(values, lambda value: _plain(value, shape), f"{_words(shape)}, as in the rows before")


def _texts(values: Sequence[Any], expected: str) -> Sequence[Any]:
    if not {str, type(None)}.issuperset(map(type, values)):
        index = next(i for i, value in enumerate(values) if value is not None and type(value) is not str)
        raise MisfitError(index, described(values[index]), expected)
    return values


def _each(values: Sequence[Any], convert: Callable[[Any], Any], expected: str) -> list[Any]:
    converted: list[Any] = []
    try:
        for value in values:
            converted.append(None if value is None else convert(value))  # noqa: PERF401 - its length tells where it stopped
    except TypeError as error:
        raise MisfitError(len(converted), str(error), expected) from error
    return converted


def _text_or_turns(value: Any) -> Any:
    if type(value) not in (str, list):
        raise TypeError(described(value))
    return value if type(value) is str else seed_turns(value)


def _answers_of(value: Any) -> Any:
    """Responses as objects; where they are conversations (a preference pair), `sides` holds them as they are."""
    if type(value) is not list:
        raise TypeError(described(value))
    marked = [marked_turns(one) if type(one) is str else None for one in value]
    if any(type(one) is list for one in value) or (marked and all(marked)):
        return {"sides": [_side(one, turns) for one, turns in zip(value, marked, strict=True)]}
    return [_answer(one) for one in value] or None


def _side(value: Any, turns: list[Turn] | None) -> list[Turn]:
    said = turns or seed_turns([{"role": "assistant", "content": value}] if type(value) is str else value)
    if not said:
        raise TypeError("an empty conversation")
    return said


def _answer(value: Any) -> dict[str, Any]:
    answer = value if type(value) is dict else {"text": value}
    if "text" not in answer:  # a message, in either form
        answer = {**answer, "text": answer.get("content", answer.get("value"))}
    kept = {field: answer.get(field) for field in ("text", "model", "principle")}
    for field, text in kept.items():
        if type(text) is not str and (text is not None or field == "text"):
            raise TypeError(f"a response with {described(text)} as {field}")
    return kept


def _constraints_of(value: Any) -> Any:
    if type(value) is not list or not all(type(one) is dict for one in value):
        raise TypeError(described(value))
    fields = [field.name for field in CONSTRAINT.fields]
    said = [{field: one.get(field) for field in fields} for one in value]
    if any(type(text) is not str for one in said for text in one.values()):
        raise TypeError(f"a constraint without {', '.join(fields)}")
    return said or None


CONVERSIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "messages": (seed_turns, "a list of {role, content}"),
    "history": (history_of, "a list of pairs, of what was asked and answered"),
    "tools": (tools_of, "a list of tools, or one as JSON"),
    "constraints": (_constraints_of, "a list of constraints, as a dataset of ours has them"),
    "response": (_text_or_turns, "text, or a list of {role, content}"),
    "responses": (_answers_of, "a list of texts, or of objects with a text"),
}


def _plain(value: Any, shape: pl.DataType) -> Any:
    if isinstance(shape, pl.List):
        if type(value) is not list:
            raise TypeError(described(value))
        return [None if one is None else _plain(one, shape.inner) for one in value]  # type: ignore[arg-type]
    kind = type(value)
    if SIMPLE.get(kind) != shape and not (kind is int and shape == pl.Float64):
        raise TypeError(described(value))
    if shape == pl.Int64 and not -(2**63) <= value < 2**63:
        raise TypeError("a whole number of more than 64 bits")
    return float(value) if shape == pl.Float64 else value


def _words(shape: pl.DataType) -> str:
    if isinstance(shape, pl.List):
        return f"a list of {_words(shape.inner)}"  # type: ignore[arg-type]
    return next(described(kind()) for kind, simple in SIMPLE.items() if simple == shape)


def speechless(columns: Mapping[str, Sequence[Any]]) -> tuple[int, str] | None:
    """The first record that has nothing to ask, by index, and what is wrong with it.

    It needs an instruction or messages; where neither column is mapped, a word in any column.
    """
    if all(map(_says_something, columns.get("instruction", [None]))):
        return None
    asks = [columns[ours] for ours in (*ASKING, "input") if ours in columns]
    if pairs := [value if type(value) is dict else None for value in columns.get("responses", ())]:
        asks = [*asks, pairs] if asks or any(pairs) else asks  # conversations that hold their own question
    for index, values in enumerate(zip(*(asks or columns.values()), strict=True)):
        if not any(map(_says_something, values)):
            blank = any(value is not None for value in values)
            return index, f"{'a blank' if blank else 'no'} {'instruction' if asks else 'row'}"
    return None


def _says_something(value: Any) -> bool:
    return value.strip() != "" if type(value) is str else value is not None
