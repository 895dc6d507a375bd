"""`stillroom batches`: the batches that are under way at providers, and an end to one of them.

Exit codes: 0; 2, there is no such batch, or its provider cannot be asked.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from flows.command.options import AsJson


def show_batches(
    cancel: Annotated[
        str | None, typer.Option(metavar="BATCH", help="have the provider end this batch; what is answered is kept")
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(metavar="BATCH", help="a batch that its provider no longer knows: its requests are free again"),
    ] = None,
    json_: AsJson = False,
) -> None:
    """List the batches under way, each as its provider sees it; or end one. A run fetches their answers."""
    from tasks.ledger.batches.open_batches import OpenBatches
    from tasks.storage.home import ledger_url

    found = OpenBatches(ledger_url())
    if forget is not None:
        found.forget(forget)
        typer.echo(f"{forget} is forgotten: its requests are asked again by the next run that needs them")
        return
    if cancel is not None:
        asyncio.run(found.cancel(cancel))
        typer.echo(f"{cancel} is being cancelled: the next run fetches what is answered")
        return
    told = asyncio.run(found.told())
    typer.echo(json.dumps(told) if json_ else "\n".join(map(_line, told)) or "no batches are under way")


def _line(told: dict[str, Any]) -> str:
    requests = f"{told['left']:,} of {told['requests']:,} requests not fetched"
    return f"{told['batch'] or told['tag']}  {told['model']}  {told['prepared']}  {requests}  {told['status']}"
