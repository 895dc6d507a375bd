"""The `stillroom` command. Heavy imports wait until a command needs them, so that help comes at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.running import FAILED, end_with_mistake, say, show_preview, start_flow, telling_mistakes
from flows.command.streams import prepare_streams
from flows.ledger_cli import ledger_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(ledger_app, name="ledger")

MaxRequests = Annotated[int | None, typer.Option(help="make no more requests than this, and publish what is finished")]
MaxTotalTokens = Annotated[int | None, typer.Option(help="begin no request after so many tokens, prompts and all")]
MaxCostUsd = Annotated[float | None, typer.Option(help="begin no request after so much; models need their prices")]
Runner = Annotated[str | None, typer.Option(help="threads (the default), or ray: the workers of a Ray cluster")]
Incremental = Annotated[
    bool | None, typer.Option("--incremental", help="add to the dataset: only seeds that it has not had, all its rows stay")
]  # fmt: skip
AllowEmpty = Annotated[
    bool | None, typer.Option("--allow-empty", help="publish a dataset of 0 rows too, where no row is left")
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="run 20 rows, and tell what the whole would take; publish nothing")
]
Preview = Annotated[
    int | None,
    typer.Option(
        "--preview", min=1, metavar="N", help="send N rows through all steps, and show each word; publish nothing"
    ),
]


@app.callback()
def stillroom() -> None:
    """Distil instruction and preference datasets out of language models, and never make the same drop twice."""


@app.command()
def sft(
    recipe: Annotated[str | None, typer.Option(help="respond, basic, seeded or evolved (the default)")] = None,
    config: Annotated[Path | None, typer.Option(help="a YAML file with any option of the flow")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="a file, a folder, or hf:NAME; default: the demo model's own")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="our column = the file's, e.g. instruction=prompt")] = None,
    max_seeds: Annotated[int | None, typer.Option(help="read no more seeds than this")] = None,
    model: Annotated[
        str | None, typer.Option(help="demo, a transformers name or folder, or model@http://host:port/v1")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="number of accepted rows; default: all that come out")] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/sft-<recipe>")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="any other option, e.g. evol_instruct.generations=2")
    ] = None,
    incremental: Incremental = None,
    runner: Runner = None,
    max_requests: MaxRequests = None,
    max_total_tokens: MaxTotalTokens = None,
    max_cost_usd: MaxCostUsd = None,
    allow_empty: AllowEmpty = None,
    estimate: Estimate = False,
    preview: Preview = None,
    json_: Annotated[bool, typer.Option("--json", help="print one last line of JSON, and nothing else")] = False,
) -> None:
    """Make an instruction dataset (SFT) from seeds, or from the model itself."""
    options = {
        "recipe": recipe, "seeds": seeds, "max_seeds": max_seeds, "rows": rows, "out": out,
        "incremental": incremental, "allow_empty": allow_empty, "runner": runner, "max_requests": max_requests, "max_total_tokens": max_total_tokens, "max_cost_usd": max_cost_usd,
        "columns": _pairs(column or [], "--column") or None,
    }  # fmt: skip

    if preview is not None:
        from flows.config import InstructionSFT, load_config

        show_preview(lambda: load_config(InstructionSFT, config, _given(options, model, set_ or [])), preview, json_)
        return

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.config import InstructionSFT, load_config
        from flows.recipes.sft import check

        settings = load_config(InstructionSFT, config, _given(options, model, set_ or []))
        check(settings)  # the user's mistakes first, before Prefect is imported
        from flows.estimate import estimate_sft
        from flows.instruction_sft import instruction_sft

        open_server()
        return (estimate_sft if estimate else instruction_sft)(settings)

    start_flow(run, json_, estimate=estimate)


@app.command()
def dpo(
    recipe: Annotated[str | None, typer.Option(help="basic, evolved or critiqued (the default)")] = None,
    config: Annotated[Path | None, typer.Option(help="a YAML file with any option of the flow")] = None,
    instructions: Annotated[
        str | None, typer.Option(help="a file, a dataset folder of `stillroom sft`, or hf:NAME")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="our column = the file's, e.g. instruction=prompt")] = None,
    max_instructions: Annotated[int | None, typer.Option(help="read no more instructions than this")] = None,
    model: Annotated[list[str] | None, typer.Option(help="a model of the pool; once for each")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="a judge; once for each; default: the first model")] = None,
    keep_responses: Annotated[bool | None, typer.Option(help="given responses are members of the pool")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="dpo (the default), reward, kto or binarized")] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/dpo-<recipe>")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any other option, e.g. pair.min_margin=1")] = None,
    incremental: Incremental = None,
    runner: Runner = None,
    max_requests: MaxRequests = None,
    max_total_tokens: MaxTotalTokens = None,
    max_cost_usd: MaxCostUsd = None,
    allow_empty: AllowEmpty = None,
    estimate: Estimate = False,
    preview: Preview = None,
    json_: Annotated[bool, typer.Option("--json", help="print one last line of JSON, and nothing else")] = False,
) -> None:
    """Make a preference dataset (DPO) from instructions: pools of responses, judged and paired."""
    roles = {"pool": [{"name": name} for name in model or []], "judge": [{"name": name} for name in judge or []]}
    options = {
        "recipe": recipe, "instructions": instructions, "max_instructions": max_instructions, "format": format_, "out": out,
        "incremental": incremental, "allow_empty": allow_empty, "runner": runner, "max_requests": max_requests, "max_total_tokens": max_total_tokens, "max_cost_usd": max_cost_usd,
        "columns": _pairs(column or [], "--column") or None, "roles": {r: m for r, m in roles.items() if m} or None,
        "model_pool": None if keep_responses is None else {"keep_responses": keep_responses},
    }  # fmt: skip

    if preview is not None:
        from flows.config import PreferenceDPO, load_config

        one = model[0] if model else None
        show_preview(lambda: load_config(PreferenceDPO, config, _given(options, one, set_ or [])), preview, json_)
        return

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.config import PreferenceDPO, load_config
        from flows.recipes.dpo import check

        settings = load_config(PreferenceDPO, config, _given(options, model[0] if model else None, set_ or []))
        check(settings)  # the user's mistakes first, before Prefect is imported
        from flows.estimate import estimate_dpo
        from flows.preference_dpo import preference_dpo

        open_server()
        return (estimate_dpo if estimate else preference_dpo)(settings)

    start_flow(run, json_, estimate=estimate)


@app.command()
def runs() -> None:
    """List the runs that have ended, the newest last."""
    from flows.manifests import manifests

    for past in manifests():
        summary = past["summary"]
        changes = ", ".join(f"{count} {what}" for what, count in summary["changes"].items() if count) or "no change"
        changes = changes if summary["revision"] else "nothing published"
        print(
            f"{past['run']}  {past['config']['recipe']}  {summary['rows']} rows  {summary['rejects']} rejects  "
            f"{summary['dataset']} r{summary['revision']} ({changes})"
        )


@app.command()
def rejects(
    run: Annotated[str, typer.Argument(help="a run, as `stillroom runs` names it")],
    most: Annotated[int, typer.Option(help="print no more rows than this")] = 20,
) -> None:
    """Show the rows that a run rejected, with the reason and the last raw text."""
    from flows.session import show_rejects

    telling_mistakes(lambda: show_rejects(run, most))


@app.command()
def retry(
    run: Annotated[str, typer.Argument(help="a run, as `stillroom runs` names it")],
    json_: Annotated[bool, typer.Option("--json", help="print one last line of JSON, and nothing else")] = False,
) -> None:
    """Ask again for the rows that a run rejected as failed, and publish its dataset anew."""

    def again(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.manifests import manifest

        manifest(run)
        from flows.retry_failed import retry_failed

        open_server()
        return retry_failed(run)

    start_flow(again, json_)


@app.command()
def explain(
    dataset: Annotated[Path, typer.Argument(help="the folder of a dataset")],
    row_id: Annotated[str, typer.Argument(help="the row_id of a row, or its beginning")],
) -> None:
    """Show where a row came from: its parents, and each request behind it."""
    from flows.session import show_origin

    telling_mistakes(lambda: show_origin(dataset, row_id))


@app.command()
def doctor(
    model: Annotated[str, typer.Option(help="demo, a transformers name or folder, or model@http://host:port/v1")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="a field of the model, e.g. tokenizer=Qwen/Qwen3-8B")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="print one line of JSON, and nothing else")] = False,
) -> None:
    """Ask a model ten times, and tell what it can do and what it has to be told."""

    def examine() -> None:
        from flows.command.doctor import run_doctor
        from tasks.notices import heard

        with heard(say):
            run_doctor(_model_config(model, set_ or []), json_)

    telling_mistakes(examine)


def _model_config(name: str, sets: list[str]) -> Any:
    """A model with these fields set, with or without `model.` before their names. Raises ConfigError."""
    from flows.config import InstructionSFT, load_config

    named = [text if text.startswith("model.") else f"model.{text}" for text in sets]
    return load_config(InstructionSFT, None, _given({}, name, named)).model


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="address to listen on; one that others reach needs a password")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port of the server and its UI")] = 4200,
) -> None:
    """Run a Prefect server with the nightly deployments and a worker, until Ctrl-C."""
    from flows.serve import ServerEnded
    from flows.serve import serve as keep_serving

    try:
        telling_mistakes(lambda: keep_serving(host, port))
    except ServerEnded as error:
        say(str(error))
        raise typer.Exit(FAILED) from None


@app.command()
def deploy(
    here: Annotated[bool, typer.Option("--here", hidden=True, help="for the worker of `stillroom serve`")] = False,
) -> None:
    """Put the work pool, the nightly deployments and the alerts on the Prefect server that PREFECT_API_URL names."""

    def put() -> None:
        from flows.server import check_server

        check_server()
        from flows.deploy import deploy as bring_up_to_date

        print("\n".join(bring_up_to_date(here)))

    telling_mistakes(put)


def _given(options: dict[str, Any], model: str | None, sets: list[str]) -> dict[str, Any]:
    """The options that were given, nested: {"evol_instruct": {"generations": 2}}."""
    import yaml

    given = {name: value for name, value in options.items() if value is not None}
    if model is not None:
        given["model"] = {"name": model}
    for path, text in _pairs(sets, "--set").items():
        *outer, last = path.split(".")
        place = given
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = yaml.safe_load(text)
    return given


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    from tasks.errors import ConfigError

    wrong = next((text for text in texts if "=" not in text), None)
    if wrong is not None:
        end_with_mistake(ConfigError(f"{option} takes NAME=VALUE", wrong, "put an equals sign in it"))
    return dict(text.split("=", 1) for text in texts)


def main() -> None:
    """Entry point."""
    from flows.service.leaving import leaving_at_once

    prepare_streams()
    with leaving_at_once():
        app()


if __name__ == "__main__":
    main()
