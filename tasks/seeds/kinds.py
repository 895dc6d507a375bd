"""What kind of value stands in a record, in words for an error."""

from __future__ import annotations

from typing import Any

KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "nothing",
}


def described(value: Any) -> str:
    """What kind of value it is, in words."""
    return KINDS.get(type(value)) or f"a value of type {type(value).__name__}"
