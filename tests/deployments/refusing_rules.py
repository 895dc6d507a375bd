"""A scripted model that answers, except where it is told to refuse: with nothing, which is unusable."""

from __future__ import annotations

from tasks.models.base import Request


def answer(request: Request) -> str:
    """An empty answer to "refused", else a good one."""
    assert request.messages is not None
    return "" if request.messages[-1]["content"] == "refused" else "An answer."
