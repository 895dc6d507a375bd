"""`stillroom revise`: the next revision of a dataset, with what people have decided about its rows taken up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine
from flows.command.running import start_flow

revise_app = typer.Typer()


@revise_app.command("revise")
def revise_reviewed(
    dataset: Annotated[Path, typer.Argument(help="the folder of a dataset that was reviewed")],
    rows: Annotated[
        int | None, typer.Option(help="number of rows afterwards; default: as its config says, so rows are refilled")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="any, majority or all of those who decided have to throw a row out")
    ] = None,
    least_rating: Annotated[
        int | None, typer.Option(help="rows whose mean rating is below go; default 1: none do")
    ] = None,
    json_: AsLastLine = False,
) -> None:
    """Make a dataset again, without the rows that people threw out and with those that they edited. The ledger answers all else."""

    def again(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.revise import flow_of, revision_of

        told = {"rule": rule, "least_rating": least_rating}
        config = revision_of(dataset, rows, {name: value for name, value in told.items() if value is not None})
        open_server()
        return flow_of(config)(config)

    start_flow(again, json_)
