"""Answers that have to be JSON of a given form: the schema that a server holds them to, and the reading of them.

A pydantic model says more than its schema (validators), and a server may know less than the schema: what comes back
is checked in any case, and an answer that does not fit is unusable like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from tasks.errors import ConfigError, Unusable
from tasks.text.reading.json_text import exact_json

JSON_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)
MESSAGE_CHARS = 200

AnswerSchema = type[BaseModel] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """A schema as JSON text, and how an answer is read. `parse` raises Unusable: `no_json`, `not_the_schema`."""

    schema: str
    parse: Callable[[str], Any]


def structure_of(schema: AnswerSchema) -> Structure:
    """The structure that a pydantic model, or a JSON schema, asks for.

    A model's schema is made strict, as servers want it: objects take no other fields, and every field is written. A
    JSON schema goes out as it stands. Raises ConfigError for one that is none.
    """
    if isinstance(schema, Mapping):
        return _of_json_schema(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS).decode())
    return _of_model(schema)


@lru_cache(maxsize=256)
def _of_model(model: type[BaseModel]) -> Structure:
    schema = orjson.dumps(_strict(model.model_json_schema()), option=orjson.OPT_SORT_KEYS).decode()
    return Structure(schema, partial(_as_model, model))


@lru_cache(maxsize=256)
def _of_json_schema(text: str) -> Structure:
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]  # slow to import

    schema = json.loads(text)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError("not a JSON schema", error.message[:MESSAGE_CHARS], "mend it") from error
    return Structure(text, partial(_as_json, Draft202012Validator(schema)))


def _strict(node: Any) -> Any:
    """A schema whose objects take the fields that they name, all of them, and no others."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {name: _strict(value) for name, value in node.items() if name != "default"}
    if isinstance(node.get("properties"), dict):
        strict["properties"] = {name: _strict(value) for name, value in node["properties"].items()}
        strict |= {"required": list(node["properties"]), "additionalProperties": False}
    return strict


def _as_model(model: type[BaseModel], text: str) -> BaseModel:
    try:
        return model.model_validate(_json_in(text))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Unusable("not_the_schema", _told(fault["loc"], fault["msg"])) from None


def _as_json(validator: Any, text: str) -> Any:
    value = _json_in(text)
    fault = next(validator.iter_errors(value), None)
    if fault is not None:
        raise Unusable("not_the_schema", _told(fault.absolute_path, fault.message))
    return value


def _told(where: Any, what: str) -> str:
    path = ".".join(map(str, where))
    return (f"{path}: {what}" if path else what)[:MESSAGE_CHARS]


def _json_in(text: str) -> Any:
    """The JSON of an answer, bare or in a fence. Raises Unusable where there is none, or where more stands beside it."""
    fenced = JSON_FENCE.findall(text)
    bare = fenced[0] if len(fenced) == 1 else text
    try:
        return exact_json(bare)
    except orjson.JSONDecodeError as error:
        raise Unusable("no_json", str(error)) from None
