"""How a verdict can be asked for besides in the text format of its prompt: held to a JSON schema, or with its beginning given.

    Form(overall_of, {"reason": TEXT, "rating": SCALE}, "Reason:")

One parser reads all three. A model's config chooses (`verdicts`); a server that does not hold answers to a schema, or does not go on
from a beginning, leaves the text format, which is read all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import orjson

from tasks.errors import Unusable

T = TypeVar("T")
ANEW = ("{", "[", "```")
TEXT = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """A parser with the fields that its JSON has, in order, and how its text format begins. It is called as the parser."""

    parse: Callable[[str], T]
    fields: Mapping[str, Any]
    begins: str

    def __call__(self, completion: str) -> T:
        """The verdict in a completion."""
        return self.parse(completion)

    @property
    def schema(self) -> str:
        """The JSON schema of an answer, as JSON: an object with these fields and no others."""
        return orjson.dumps(_object(self.fields)).decode()

    @property
    def said(self) -> str:
        """What the model is told of the schema, in no language."""
        return f"\n\nJSON: {orjson.dumps(dict.fromkeys(self.fields, '...')).decode()}"

    @property
    def begun(self) -> Callable[[str], T]:
        """The parser of what goes on from the beginning, or was begun anew."""
        return partial(_begun, self.parse, self.begins)


def whole_number(highest: int) -> dict[str, Any]:
    """The schema of a rating of 1 to `highest`."""
    return {"type": "integer", "enum": list(range(1, highest + 1))}


def whole_number_or_none(highest: int) -> dict[str, Any]:
    """The schema of a rating of 1 to `highest`, or of "N/A"."""
    return {"type": ["integer", "string"], "enum": [*range(1, highest + 1), "N/A"]}


def one_of(values: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a tag."""
    return {"type": "string", "enum": list(values)}


def fields_of_each(name: str, count: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an answer about `count` texts: "Response 1" and so on, each with these fields."""
    return {f"{name} {number}": _object(fields) for number in range(1, count + 1)}


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(fields), "required": list(fields), "additionalProperties": False}


def _begun(parse: Callable[[str], T], begins: str, completion: str) -> T:
    if completion.lstrip().startswith((begins, *ANEW)):
        return parse(completion)
    try:
        return parse(f"{begins}{completion}")
    except Unusable:
        return parse(completion)
