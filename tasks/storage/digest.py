"""Names that come from content: digests of parts, and numbers drawn from them."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def digest(*parts: str | int | bytes) -> str:
    """32 hex digits that name these parts. ("ab", "c") differs from ("a", "bc"), 1 from "1"."""
    # ascii() of a tuple quotes and separates its parts, does not depend on the Python version, and runs in C
    return hashlib.blake2b(ascii(parts).encode("ascii"), digest_size=16).hexdigest()


def number(*parts: str | int | bytes) -> int:
    """A non-negative 63-bit integer drawn from these parts, uniformly."""
    return int(digest(*parts)[:16], 16) >> 1


def uniform(*parts: str | int | bytes) -> float:
    """A float in [0, 1) drawn from these parts, uniformly (53 bits)."""
    return (int(digest(*parts)[:16], 16) >> 11) / 2**53


def canonical(value: Any) -> bytes:
    """One byte string for equal JSON-like values, whatever the order of their keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
