"""Scripted models for benchmarks and tests that start the command: name them scripted:tests/benchmarks/rules.py:NAME."""

from __future__ import annotations

from tasks.models.base import Completion, Request


def at_once(request: Request) -> Completion:
    """A free model."""
    return Completion("It is four, because two and two make four.", prompt_tokens=12, completion_tokens=10)
