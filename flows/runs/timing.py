"""How long something was under way, where several things were at once."""

from __future__ import annotations

from collections.abc import Iterable


def span_s(spans: Iterable[tuple[float, float]]) -> float:
    """The seconds that at least one of these spans covers."""
    covered, until = 0.0, float("-inf")
    for begun, ended in sorted(spans):
        covered += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return covered
