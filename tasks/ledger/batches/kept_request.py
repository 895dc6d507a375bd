"""A request as JSON: what is needed to read its answer, should another process fetch it."""

from __future__ import annotations

from typing import Any

import orjson

from tasks.models.base import Request, Sampling


def request_as_json(request: Request) -> bytes:
    """The request, without what only schedules it."""
    return orjson.dumps(
        {
            "sampling": request.sampling.model_dump(exclude_defaults=True),
            "seed": request.seed,
            "messages": request.messages,
            "prompt": request.prompt,
            "schema": request.schema,
            "tools": request.tools,
            "left_out": None if request.left_out is None else sorted(request.left_out),
            "prefill": request.prefill,
        }
    )


def request_of_json(kept: bytes) -> Request:
    """The request that was kept."""
    told: dict[str, Any] = orjson.loads(kept)
    messages, left_out = told.pop("messages"), told.pop("left_out")
    return Request(
        Sampling(**told.pop("sampling")),
        messages=None if messages is None else tuple(messages),
        left_out=None if left_out is None else frozenset(left_out),
        **told,
    )
