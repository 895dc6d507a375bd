"""How long something was under way, where several things were at once, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable


def span_s(spans: Iterable[tuple[float, float]]) -> float:
    """The seconds that at least one of these spans covers."""
    covered, until = 0.0, float("-inf")
    for begun, ended in sorted(spans):
        covered += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return covered


def in_a_row(spans: Iterable[tuple[float, float]]) -> int:
    """The largest number of these spans that follow one another without an overlap."""
    count, until = 0, float("-inf")
    for begun, ended in sorted(spans, key=lambda span: span[1]):
        if begun >= until:
            count, until = count + 1, ended
    return count


def duration(seconds: float) -> str:
    """In words: "45 s", "12 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
