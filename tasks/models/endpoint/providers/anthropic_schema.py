"""A JSON schema as the Messages API takes it: objects are closed, and bounds are words for the model.

What is taken out here is checked all the same: an answer is read by the whole schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

STRING_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
KEPT = ("type", "enum", "const", "title", "required", "$ref")
SEVERAL = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}  # ours -> theirs
NAMED = ("$defs", "properties")  # schemas by name
TOLD_APART = (*KEPT, *SEVERAL, *NAMED, "items", "description", "additionalProperties", "default")


@lru_cache(maxsize=256)
def held_to(schema: str) -> bytes:
    """The schema, as JSON."""
    return orjson.dumps(_taken(orjson.loads(schema)))


def _taken(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One schema and those in it, with what the API does not take in its description."""
    taken = {name: schema[name] for name in KEPT if name in schema}
    if "enum" in taken or "const" in taken:
        taken.pop("type", None)
    for name, theirs in SEVERAL.items():
        if name in schema:
            taken[theirs] = [_taken(one) for one in schema[name]]
    for name in NAMED:
        if name in schema:
            taken[name] = {key: _taken(one) for key, one in schema[name].items()}
    if "items" in schema:
        taken["items"] = _taken(schema["items"])
    if schema.get("type") == "object":
        taken["additionalProperties"] = False
    others = {name: value for name, value in schema.items() if name not in TOLD_APART}
    if others.get("format") in STRING_FORMATS:
        taken["format"] = others.pop("format")
    if others.get("minItems") in (0, 1):
        taken["minItems"] = others.pop("minItems")
    bounds = f"{{{', '.join(f'{name}: {value}' for name, value in others.items())}}}" if others else ""
    if described := "\n\n".join(filter(None, (schema.get("description"), bounds))):
        taken["description"] = described
    return taken
