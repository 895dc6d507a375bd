"""JSON in a completion, bare or in a fence."""

from __future__ import annotations

import re
from typing import Any

import orjson

FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)


def json_in(text: str, bare: str | None = None) -> Any:
    """The value in the one fence of a text, else of the whole text, or of its part `bare`; None where that is no JSON."""
    fenced = FENCED.findall(text)
    try:
        return orjson.loads(fenced[0] if len(fenced) == 1 else text if bare is None else bare)
    except orjson.JSONDecodeError:
        return None
