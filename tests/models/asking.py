"""Asking an endpoint in a test: a model with little patience, and what became of its requests."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from tasks.models.base import Message, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import EndpointModel, open_endpoint
from tasks.models.endpoint.faults import Patience
from tests.models.server import Server

KEY = "sk-very-secret-0123456789"
TRIES = 4
HELLO: tuple[Message, ...] = ({"role": "user", "content": "hello?"},)


def opened(name: str, **config: Any) -> EndpointModel:
    """A model with little patience."""
    model = open_endpoint(ModelConfig(name=name, **config))
    model.patience = partial(
        Patience, tries=min(TRIES, model._config.max_tries), whole_s=20, first_s=0.01, longest_s=0.05
    )
    model.window.longest_pause_s = 0.2
    return model


def question(number: int = 0, sampling: Sampling | None = None) -> Request:
    return Request(sampling or Sampling(max_new_tokens=16), number, HELLO, order=number)


async def asked(model: EndpointModel, *requests: Request) -> list[Any]:
    try:
        return await asyncio.gather(*(model.complete(r) for r in requests), return_exceptions=True)
    finally:
        await model.close()


def ask(server: Server, *requests: Request, **config: Any) -> list[Any]:
    """What became of these requests: completions and exceptions."""
    return asyncio.run(asked(opened(server.name, **config), *(requests or (question(),))))
