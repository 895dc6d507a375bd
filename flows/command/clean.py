"""`stillroom clean`: remove what nothing needs any more, and tell how much room that makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine
from flows.command.running import start_flow


def clean(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="12h, 30d, 2w: nothing younger is removed")] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would be removed, and remove nothing")] = False,
    json_: AsLastLine = False,
) -> None:
    """Remove tables, superseded runs, students and Prefect's history that nothing needs any more; never the ledger."""

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.runs.removal.age import age_s

        age_s(older_than)  # the user's mistakes first
        from flows.clean import clean as clean_flow

        open_server()
        return clean_flow(older_than, dry_run)

    start_flow(run, json_, show=show_removed)


def show_removed(summary: dict[str, Any]) -> None:
    """A line for each kind, and what it comes to."""
    prefect = summary["prefect"]
    kinds = {kind: told for kind, told in summary.items() if isinstance(told, dict) and kind != "prefect"}
    for kind, told in kinds.items():
        typer.echo(f"{kind}: {told['files']:,} files, {_size(told['bytes'])}")
    counts = ", ".join(f"{count:,} {what}" for what, count in prefect["counts"].items() if count) or "nothing"
    typer.echo(f"Prefect's history: {counts}" + ("" if prefect["bytes"] is None else f", {_size(prefect['bytes'])}"))
    total = sum(told["bytes"] for told in kinds.values()) + (prefect["bytes"] or 0)
    done = "would be freed; nothing was removed" if summary["dry_run"] else "freed"
    typer.echo(f"{_size(total)} {done}; older than {summary['older_than']}. The ledger is as it was.")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
