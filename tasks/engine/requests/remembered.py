"""What a model turned out not to take, remembered in the ledger: the next run asks as this one did, and pays nothing twice.

An entry is a completion like any other, under a key of its own: the digest of the model's identity and the parameter.
A server that has learnt since is another model: its `revision` says so.
"""

from __future__ import annotations

import asyncio

from tasks.engine.context import Context
from tasks.models.base import Completion, Model
from tasks.models.endpoint.learnt import LEAVABLE
from tasks.storage.digest import digest


async def recall(context: Context, model: Model) -> None:
    """Have a model leave out what earlier runs have learnt; once a run, and whoever comes meanwhile waits for it."""
    if context.ledger is None:
        return
    recalled = context.recalled.get(model.identity)
    if recalled is None:
        recalled = context.recalled[model.identity] = asyncio.ensure_future(_recall(context, model))
    if not recalled.done():
        await asyncio.shield(recalled)


async def remember(context: Context, model: Model) -> None:
    """Keep in the ledger what a model leaves out."""
    if context.ledger is not None:
        for name in sorted(model.left_out):
            await context.ledger.keep(_key(model, name), model, Completion(name))


async def _recall(context: Context, model: Model) -> None:
    assert context.ledger is not None
    found = await asyncio.gather(*(context.ledger.find(_key(model, name)) for name in LEAVABLE))
    if names := frozenset(name for name, entry in zip(LEAVABLE, found, strict=True) if entry is not None):
        model.left_out |= names


def _key(model: Model, name: str) -> str:
    return digest(model.identity, "left_out", name)
