"""`stillroom ledger check`, `repair` and `backup`: is every completion that was paid for still there, and will it be?

Exit codes: 0, the ledger is whole (again), or backed up; 1, it is not whole; 2, there is no ledger where you said.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command.options import AsJson
from flows.command.running import FAILED

if TYPE_CHECKING:
    from tasks.ledger.check import Health

SHOWN_FAULTS = 10
SHOWN_OF_REPAIR = ("saved", "lost", "kept", "in_batches")
LedgerUrl = Annotated[
    str | None,
    typer.Option(help="sqlite:///PATH or postgresql://...; default: STILLROOM_LEDGER, else that of the home"),
]

ledger_app = typer.Typer(no_args_is_help=True, help="Look after the ledger: every completion ever paid for.")


@ledger_app.command()
def check(ledger: LedgerUrl = None, json_: AsJson = False) -> None:
    """Tell what is in the ledger, and whether all of it can be read. Nothing is written."""
    from tasks.ledger.check import check_ledger
    from tasks.storage.home import ledger_url

    health = check_ledger(ledger or ledger_url())
    if json_:
        typer.echo(json.dumps(_told(health)))
    else:
        _show(health)
    if not health.healthy:
        if not json_:
            typer.echo("the ledger is damaged; run: stillroom ledger repair")
        raise typer.Exit(FAILED)


@ledger_app.command()
def repair(ledger: LedgerUrl = None, json_: AsJson = False) -> None:
    """Save every row that can be read, and those of the newest backup, where the ledger is damaged.

    What is damaged is kept beside it.
    """
    from tasks.ledger.repair import repair_ledger
    from tasks.storage.home import ledger_url

    health, repaired = repair_ledger(ledger or ledger_url())
    if json_:
        saved = None if repaired is None else {name: getattr(repaired, name) for name in SHOWN_OF_REPAIR}
        typer.echo(json.dumps({**_told(health), "repaired": saved}))
        if repaired is None and not health.healthy:
            raise typer.Exit(FAILED)
        return
    _show(health)
    if repaired is not None:
        typer.echo(f"saved {repaired.saved:,} rows; at least {repaired.lost:,} that were there could not be read")
        typer.echo(f"what was damaged is kept: {repaired.kept}")
        if repaired.in_batches:
            typer.echo(f"{repaired.in_batches:,} requests are in batches, which go on: stillroom batches")
        elif repaired.in_batches is None:
            typer.echo(
                "not all that was written down of batches could be read: look at your provider before you run again"
            )
        if repaired.backup is not None:
            typer.echo(f"the rows of the newest backup are among them: {repaired.backup}")
    elif health.healthy:
        typer.echo("nothing to repair")
    else:
        typer.echo("no row was found in it, and nothing was changed: restore a copy, or move it away to begin anew")
        raise typer.Exit(FAILED)


@ledger_app.command()
def backup(
    to: Annotated[
        Path | None, typer.Option(help="the file to write; default: beside the ledger, the newest two stay")
    ] = None,
    ledger: LedgerUrl = None,
    json_: AsJson = False,
) -> None:
    """Copy a ledger on SQLite while runs go on, and check the copy."""
    from tasks.ledger.backup import backup_ledger
    from tasks.storage.home import ledger_url

    written = backup_ledger(ledger or ledger_url(), to)
    if json_:
        typer.echo(json.dumps({"backup": str(written), "bytes": written.stat().st_size}))
        return
    typer.echo(f"backup: {written}, {written.stat().st_size / 1e6:,.1f} MB")


def _told(health: Health) -> dict[str, Any]:
    """What is in a ledger, as plain JSON."""
    return {
        "ledger": health.where,
        "healthy": health.healthy,
        "bytes": health.size_bytes,
        "rows": health.rows,
        "by_model": dict(health.by_model.most_common()),
        "damage": list(health.damage),
        "faults": len(health.faults),
        "backup": str(health.backup),
    }


def _show(health: Health) -> None:
    readable = "" if health.damage else f", {health.rows:,} rows that can be read"
    typer.echo(f"{health.where}: {health.size_bytes / 1e6:,.1f} MB{readable}")
    for model, rows in health.by_model.most_common():
        typer.echo(f"  {model}: {rows:,}")
    typer.echo(f"database: {'; '.join(health.damage) or 'whole'}")
    if not health.damage:
        typer.echo(f"entries that cannot be read: {len(health.faults):,}")
        for fault in list(health.faults.values())[:SHOWN_FAULTS]:
            typer.echo(f"  {fault}")
    typer.echo(f"newest backup: {health.backup}")
