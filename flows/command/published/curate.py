"""`stillroom curate`: take the bad rows out of a dataset that is there, or tell which they would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import (
    AsLastLine,
    ColumnPairs,
    ConfigPath,
    TellWhatWouldGo,
    name_value_pairs,
    nested_options,
    role_models,
)
from flows.command.running import start_flow

curate_app = typer.Typer()
LONGEST = 100  # characters of an example's text


@curate_app.command()
def curate(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="a dataset of ours, a .jsonl or .parquet file, another folder, or hf:NAME; else what --config says"
        ),
    ] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/<name>-curated")] = None,
    config: ConfigPath = None,
    column: ColumnPairs = None,
    model: Annotated[
        str | None,
        typer.Option(help="for the parts that ask one: demo, a transformers name, or model@http://host:port/v1"),
    ] = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="a judge of the parts that ask one; once for each; default: the model")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="number of rows that stay; default: all that are good")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="any other option, e.g. curate.deduplicate.threshold=0.8")
    ] = None,
    dry_run: TellWhatWouldGo = False,
    json_: AsLastLine = False,
) -> None:
    """Write a dataset without its bad rows: filters, duplicates, benchmarks' texts. Nothing is generated."""

    def options() -> dict[str, Any]:
        columns = name_value_pairs(column or [], "--column") or None
        told = {"source": dataset, "out": out, "columns": columns, "rows": rows, "roles": role_models(judge=judge)}
        return nested_options(told, model, set_)

    curate_datasets(options, config, json_, dry_run=dry_run)


def curate_datasets(options: Callable[[], dict[str, Any]], config: Path | None, json_: bool, *, dry_run: bool) -> None:
    """Start the flow with these options laid over a config, or tell what it would take out."""

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.config_file import load_config
        from flows.curate_dataset import CurateDataset
        from tasks.seeds.there import check_there

        told = load_config(CurateDataset, config, options())
        told.check_apart()
        for source in told.sources:
            check_there(source)  # before polars is imported
        from flows.runs.plan import plan_of

        plan_of(told).check(writes=not dry_run)  # the user's mistakes first, before Prefect is imported
        from flows.curate import curate as curate_flow

        open_server()
        return curate_flow(told, dry_run)

    start_flow(run, json_, show=show_what_would_go if dry_run else None)


def show_what_would_go(told: dict[str, Any]) -> None:
    """How many rows would stay, and for each reason how many would go, with examples."""
    typer.echo(f"{told['source']}: {told['rows_in']:,} rows, {told['rows']:,} would stay; nothing was written")
    for one in told["gone"]:
        typer.echo(f"\n{one['step']}: {one['reason']}: {one['rows']:,}")
        for example in one["examples"]:
            text = " ".join(example["text"].split())
            detail = f"  ({example['detail']})" if example["detail"] else ""
            typer.echo(f"  {example['row_id'][:12]}  {text[:LONGEST]}{'...' if len(text) > LONGEST else ''}{detail}")
