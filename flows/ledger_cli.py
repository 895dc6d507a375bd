"""`stillroom ledger check` and `stillroom ledger repair`: is every completion that was paid for still there?

Exit codes: 0, the ledger is whole (again); 1, it is not; 2, there is no ledger where you said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.running import FAILED, end_with_mistake

if TYPE_CHECKING:
    from tasks.engine.ledger_check import Health

SHOWN_FAULTS = 10
LedgerUrl = Annotated[
    str | None,
    typer.Option(help="sqlite:///PATH or postgresql://...; default: STILLROOM_LEDGER, else that of the home"),
]

ledger_app = typer.Typer(no_args_is_help=True, help="Look after the ledger: every completion ever paid for.")


@ledger_app.command()
def check(ledger: LedgerUrl = None) -> None:
    """Tell what is in the ledger, and whether all of it can be read. Nothing is written."""
    from tasks.engine.home import ledger_url
    from tasks.engine.ledger_check import check_ledger

    with _mistakes():
        health = check_ledger(ledger or ledger_url())
    _show(health)
    if not health.healthy:
        typer.echo("the ledger is damaged; run: stillroom ledger repair")
        raise typer.Exit(FAILED)


@ledger_app.command()
def repair(ledger: LedgerUrl = None) -> None:
    """Save every row that can be read, where the ledger is damaged. What is damaged is kept beside it."""
    from tasks.engine.home import ledger_url
    from tasks.engine.ledger_repair import repair_ledger

    with _mistakes():
        health, repaired = repair_ledger(ledger or ledger_url())
    _show(health)
    if repaired is not None:
        typer.echo(f"saved {repaired.saved:,} rows; at least {repaired.lost:,} that were there could not be read")
        typer.echo(f"what was damaged is kept: {repaired.kept}")
    elif health.healthy:
        typer.echo("nothing to repair")
    else:
        typer.echo("no row was found in it, and nothing was changed: restore a copy, or move it away to begin anew")
        raise typer.Exit(FAILED)


def _show(health: Health) -> None:
    typer.echo(f"{health.where}: {health.size_bytes / 1e6:,.1f} MB, {health.rows:,} rows that can be read")
    for model, rows in health.by_model.most_common():
        typer.echo(f"  {model}: {rows:,}")
    typer.echo(f"database: {'; '.join(health.damage) or 'whole'}")
    typer.echo(f"entries that cannot be read: {len(health.faults):,}")
    for fault in list(health.faults.values())[:SHOWN_FAULTS]:
        typer.echo(f"  {fault}")


@contextmanager
def _mistakes() -> Iterator[None]:
    from tasks.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        end_with_mistake(error)
