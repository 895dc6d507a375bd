"""JSON with its whole numbers as they are; and JSON in a completion, bare or in a fence."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


def json_in(text: str, bare: str | None = None) -> Any:
    """The value in the one fence of a text, else of the whole text, or of its part `bare`; None where that is no JSON."""
    fenced = FENCED.findall(text)
    try:
        return exact_json(fenced[0] if len(fenced) == 1 else text if bare is None else bare)
    except orjson.JSONDecodeError:
        return None


def exact_json(text: str | bytes) -> Any:
    """The value of a JSON text, whole numbers of any length exact. Raises orjson.JSONDecodeError."""
    value = orjson.loads(text)
    return json.loads(text) if _may_be_rounded(value) else value


def _may_be_rounded(record: Any) -> bool:
    """Whether there is a number in it that orjson may have made of a longer integer: it reads those beyond 64 bits as floats."""
    values = [record]
    while values:
        value = values.pop()
        if type(value) is float and abs(value) >= 2.0**63:
            return True
        if type(value) in (dict, list):
            values += value.values() if type(value) is dict else value
    return False
