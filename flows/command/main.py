"""The `stillroom` command. Heavy imports wait until a command needs them, so that help comes at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from flows.command.batches import show_batches
from flows.command.clean import clean
from flows.command.judges import judges
from flows.command.ledger import ledger_app
from flows.command.mistakes import CommandGroup, run_app
from flows.command.new import new_recipe, new_technique
from flows.command.options import (
    AsJson,
    AsLastLine,
    ColumnPairs,
    ConfigPath,
    DPORecipe,
    RunName,
    SFTRecipe,
    format_option,
    name_value_pairs,
    nested_options,
    one_or_several,
    role_models,
    with_options_of,
)
from flows.command.prompts import prompts_app
from flows.command.published.curate import curate_app
from flows.command.published.explain import explain
from flows.command.published.export import export_app
from flows.command.published.fit import fit_app
from flows.command.published.mix import mix
from flows.command.published.prove import prove_app
from flows.command.published.push import push
from flows.command.published.report import compare, report
from flows.command.published.review import review_app
from flows.command.published.revise import revise_app
from flows.command.recipes import draw, recipes
from flows.command.running import FAILED, end_with, say, start_flow
from flows.command.streams import prepare_streams
from flows.command.studio import studio

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(ledger_app, name="ledger")
app.add_typer(prompts_app, name="prompts")
app.add_typer(curate_app)
app.add_typer(fit_app)
app.add_typer(export_app)
app.add_typer(prove_app)
app.add_typer(review_app)
app.add_typer(revise_app)

CatchUp = Literal["newest", "all", "none"]


@dataclass(frozen=True)
class RunOptions:
    """The options that `sft` and `dpo` have in common; those of the config have the names that they have there."""

    config: ConfigPath = None
    column: ColumnPairs = None
    keep_columns: Annotated[
        list[str] | None,
        typer.Option(help="a column of the seeds that the dataset has as well, '*' for all; once for each"),
    ] = None
    incremental: Annotated[
        bool | None,
        typer.Option("--incremental", help="add to the dataset: only seeds that it has not had, all its rows stay"),
    ] = None
    runner: Annotated[
        str | None,
        typer.Option(help="threads (the default), or ray: the workers of a Ray cluster"),
    ] = None
    max_requests: Annotated[
        int | None, typer.Option(help="make no more requests than this, and publish what is finished")
    ] = None
    max_total_tokens: Annotated[
        int | None, typer.Option(help="begin no request after so many tokens, prompts and all")
    ] = None
    max_cost_usd: Annotated[
        float | None, typer.Option(help="begin no request after so much; models need their prices")
    ] = None
    allow_empty: Annotated[
        bool | None, typer.Option("--allow-empty", help="publish a dataset of 0 rows too, where no row is left")
    ] = None
    estimate: Annotated[
        bool, typer.Option("--estimate", help="run 20 rows, and tell what the whole would take; publish nothing")
    ] = False
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview", min=1, metavar="N", help="send N rows through all steps, and show each word; publish nothing"
        ),
    ] = None
    json_: AsLastLine = False

    def told(self) -> dict[str, Any]:
        """The options that the config has under the same names; those that were not given are None."""
        names = ("incremental", "runner", "max_requests", "max_total_tokens", "max_cost_usd", "allow_empty")
        return {
            "columns": name_value_pairs(self.column or [], "--column") or None,
            "keep_columns": self.keep_columns or None,
            **{name: getattr(self, name) for name in names},
        }


@app.callback()
def stillroom() -> None:
    """Distil instruction and preference datasets out of language models, and never make the same drop twice."""


@app.command()
@with_options_of(RunOptions)
def sft(
    recipe: SFTRecipe = None,
    seeds: Annotated[
        str | None, typer.Option(help="a file, a folder, or hf:NAME; default: a built-in model's own")
    ] = None,
    max_seeds: Annotated[int | None, typer.Option(help="read no more seeds than this")] = None,
    model: Annotated[
        str | None, typer.Option(help="demo, demo-2, a transformers name or folder, or model@http://host:port/v1")
    ] = None,
    judge: Annotated[list[str] | None, typer.Option(help="a judge of curate.rate; once for each")] = None,
    rows: Annotated[int | None, typer.Option(help="number of accepted rows; default: all that come out")] = None,
    format_: Annotated[
        list[str] | None,
        format_option("messages (the default), openai, prompt_completion, sharegpt, alpaca; once for each"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/sft-<recipe>")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="any other option, e.g. evol_instruct.generations=2")
    ] = None,
    *,
    shared: RunOptions,
) -> None:
    """Make an instruction dataset (SFT) from seeds, or from the model itself."""
    options = {
        "recipe": recipe,
        "seeds": seeds,
        "max_seeds": max_seeds,
        "rows": rows,
        "format": one_or_several(format_),
        "out": out,
        **shared.told(),
        "roles": role_models(judge=judge),
    }
    _make("sft", shared, nested_options(options, model, set_))


@app.command()
@with_options_of(RunOptions)
def dpo(
    recipe: DPORecipe = None,
    instructions: Annotated[
        str | None, typer.Option(help="a file, a dataset folder of `stillroom sft`, or hf:NAME")
    ] = None,
    max_instructions: Annotated[int | None, typer.Option(help="read no more instructions than this")] = None,
    model: Annotated[list[str] | None, typer.Option(help="a model of the pool; once for each")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="a judge; once for each; default: the first model")] = None,
    keep_responses: Annotated[bool | None, typer.Option(help="given responses are members of the pool")] = None,
    format_: Annotated[
        list[str] | None,
        format_option("dpo (the default), reward, kto, binarized, sharegpt, alpaca; once for each"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/dpo-<recipe>")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any other option, e.g. pair.min_margin=1")] = None,
    *,
    shared: RunOptions,
) -> None:
    """Make a preference dataset (DPO) from instructions: pools of responses, judged and paired."""
    options = {
        "recipe": recipe,
        "instructions": instructions,
        "max_instructions": max_instructions,
        "format": one_or_several(format_),
        "out": out,
        **shared.told(),
        "roles": role_models(pool=model, judge=judge),
        "model_pool": None if keep_responses is None else {"keep_responses": keep_responses},
    }
    _make("dpo", shared, nested_options(options, model, set_))


@app.command()
def runs(json_: AsJson = False) -> None:
    """List the runs that have ended, the newest last."""
    from flows.recipes.recipe import recipe_name
    from flows.runs.manifests import manifests

    if json_:
        print(json.dumps([{"kind": past["kind"], **past["summary"]} for past in manifests()]))
        return
    for past in manifests():
        summary = past["summary"]
        changes = ", ".join(f"{count} {what}" for what, count in summary["changes"].items() if count) or "no change"
        changes = changes if summary["revision"] else "nothing published"
        recipe = recipe_name(past["config"].get("recipe", past["kind"]))
        print(
            f"{past['run']}  {recipe}  {summary['rows']} rows  {summary['rejects']} rejects  "
            f"{summary.get('url') or summary['dataset']} r{summary['revision']} ({changes})"
        )


@app.command()
def rejects(
    run: RunName,
    most: Annotated[int, typer.Option(help="print no more rows than this")] = 20,
    json_: AsJson = False,
) -> None:
    """Show the rows that a run rejected, with the reason and the last raw text."""
    from flows.command.terminal import rejects_of_run, show_rejects

    print(json.dumps(list(rejects_of_run(run, most)))) if json_ else show_rejects(run, most)


@app.command()
def retry(
    run: RunName,
    json_: AsLastLine = False,
) -> None:
    """Ask again for the rows that a run rejected as failed, and publish its dataset anew."""

    def again(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.runs.manifests import manifest

        manifest(run)
        from flows.retry_failed import retry_failed

        open_server()
        return retry_failed(run)

    start_flow(again, json_)


app.command()(explain)
app.command()(mix)
app.command()(clean)
app.command()(report)
app.command()(compare)
app.command()(push)
app.command()(judges)
app.command("batches")(show_batches)
app.command()(recipes)
app.command()(draw)
app.command()(new_technique)
app.command()(new_recipe)
app.command()(studio)


@app.command()
def doctor(
    model: Annotated[
        str, typer.Option(help="demo, demo-2, a transformers name or folder, or model@http://host:port/v1")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="a field of the model, e.g. tokenizer=Qwen/Qwen3-8B")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Ask a model ten times, and tell what it can do and what it has to be told."""
    from flows.command.doctor import run_doctor
    from tasks.notices import heard

    with heard(say):
        run_doctor(_model_config(model, set_ or []), json_)


def _model_config(name: str, sets: list[str]) -> Any:
    """A model with these fields set, with or without `model.` before their names. Raises ConfigError."""
    from flows.config import InstructionSFT
    from flows.config_file import load_config

    named = [text if text.startswith("model.") else f"model.{text}" for text in sets]
    return load_config(InstructionSFT, None, nested_options({}, name, named)).model


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="address to listen on; one that others reach needs a password")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port of the server and its UI")] = 4200,
    catch_up: Annotated[
        CatchUp, typer.Option(help="which of a deployment's scheduled runs start that were missed while nothing served")
    ] = "newest",
) -> None:
    """Run a Prefect server with the nightly deployments and a worker, until Ctrl-C."""
    from flows.service.serve import ServerEnded
    from flows.service.serve import serve as keep_serving

    try:
        keep_serving(host, port, catch_up)
    except ServerEnded as error:
        end_with(FAILED, str(error))


@app.command()
def deploy(
    kind: Annotated[Literal["sft", "dpo"] | None, typer.Argument(help="of --config")] = None,
    config: Annotated[Path | None, typer.Option(help="put this config alone there, to be run every night")] = None,
    at: Annotated[str, typer.Option(help="when the night is, on this machine's clock")] = "02:00",
    off: Annotated[bool, typer.Option("--off", help="take the deployment of --config away again")] = False,
    here: Annotated[str | None, typer.Option(hidden=True, help="the worker that `stillroom serve` will start")] = None,
    catch_up: Annotated[CatchUp, typer.Option(hidden=True, help="what becomes of missed runs")] = "newest",
    json_: AsJson = False,
) -> None:
    """Put the work pool, the nightly deployments and the alerts on the Prefect server that PREFECT_API_URL names; or one config."""
    from flows.service.server.reachable import check_server

    check_server()
    from flows.service.deploy import deploy as bring_up_to_date
    from flows.service.deploy import deploy_own
    from flows.service.deployments.left_runs import Here

    if kind or config:
        lines = [deploy_own(kind, config, None if off else at)]
    else:
        lines = bring_up_to_date(Here(here, catch_up) if here else None)
    print(json.dumps({"deployed": lines}) if json_ else "\n".join(lines))


def _make(kind: Literal["sft", "dpo"], shared: RunOptions, options: dict[str, Any]) -> None:
    """Make a dataset, or show what it would take."""

    def settings() -> Any:
        from flows.config_file import load_config
        from flows.curate_dataset import CONFIG_KINDS
        from tasks.seeds.there import check_there

        config = load_config(CONFIG_KINDS[kind], shared.config, options)
        if config.retry is None:  # else the seeds are those of the run that it heals
            check_there(config.seeds if kind == "sft" else config.instructions)  # before polars is imported
        return config

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        config = settings()
        from flows.revise import flow_of
        from flows.runs.plan import plan_of

        plan_of(config).check()  # the user's mistakes first, before Prefect is imported
        flow = _estimate_of(kind) if shared.estimate else flow_of(config)
        open_server()
        return flow(config)

    if shared.preview is not None:
        from flows.command.preview import run_preview

        run_preview(settings, shared.preview, shared.json_)
    else:
        start_flow(run, shared.json_, estimate=shared.estimate)


def _estimate_of(kind: Literal["sft", "dpo"]) -> Callable[..., dict[str, Any]]:
    """The flow that tells what a run of this kind would take."""
    from flows.estimate import estimate_dpo, estimate_sft

    return estimate_sft if kind == "sft" else estimate_dpo


def main() -> None:
    """Entry point."""
    from flows.service.leaving import leaving_at_once

    prepare_streams()
    with leaving_at_once():
        run_app(app)


if __name__ == "__main__":
    main()
