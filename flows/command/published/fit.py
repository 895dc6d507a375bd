"""`stillroom fit`: what a trainer will really see of a dataset, told before anyone trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from flows.command.options import AsLastLine
from flows.command.running import start_flow
from tasks.errors import ConfigError

TrainerOption = Literal["trl", "axolotl", "llamafactory", "unsloth"]
LossOption = Literal["default", "assistant"]
PairsOption = Literal["dpo", "reward"]
DropOption = Literal["unfit"]
fit_app = typer.Typer()
TITLES = {"row": "rows better left out", "setting": "a setting mends it", "note": "to know"}


@fit_app.command()
def fit(
    dataset: Annotated[str, typer.Argument(help="a folder, a .jsonl or .parquet file, or hf:NAME")],
    model: Annotated[str, typer.Option(help="the model to train: a transformers name or folder; no weights are read")],
    trainer: Annotated[TrainerOption, typer.Option(help="who trains: its rules are applied")] = "trl",
    max_length: Annotated[
        str | None, typer.Option(help="tokens of a row; auto: at which 99 % stay whole; default: the trainer's own")
    ] = None,
    loss: Annotated[LossOption, typer.Option(help="assistant: TRL's assistant_only_loss")] = "default",
    pairs: Annotated[PairsOption, typer.Option(help="who trains on preference pairs")] = "dpo",
    split: Annotated[str | None, typer.Option(help="of a folder or a dataset of the Hub; default: train")] = None,
    max_unfit_fraction: Annotated[
        float, typer.Option(help="rows better left out above which the exit code is 3")
    ] = 1.0,
    drop: Annotated[
        DropOption | None,
        typer.Option(help="unfit: write the rows that fit, as the next revision of a dataset of ours or to --out"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="with --drop: the folder for a dataset of the rows that fit")] = None,
    json_: AsLastLine = False,
) -> None:
    """Tell what a trainer makes of each row: tokens, loss, what is cut, dropped or refused, and what mends it."""

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from tasks.publish.trainers.choose import Fit

        length = length_of(max_length)  # the user's mistakes first
        if out is not None and drop is None:
            raise ConfigError("nothing to write there", f"--out {out}", "add --drop unfit, or leave --out out")
        settings = Fit(trainer=trainer, loss=loss, pairs=pairs)
        from tasks.curate.fit import FitDataset
        from tasks.models.target import open_target

        told = settings if not isinstance(length, int) else settings.model_copy(update={"max_length": length})
        FitDataset(dataset, told, open_target(model), split).check()
        if drop is not None:
            from tasks.curate.fit_filter import FitFor

            check_drop(dataset, out, split, FitFor(model=model, **told.model_dump()))
        from flows.fit import fit as fit_flow

        open_server()
        return fit_flow(dataset, model, settings, length, split, max_unfit_fraction, drop, out)

    start_flow(run, json_, show=show_fit)


def check_drop(dataset: str, out: str | None, split: str | None, told: Any) -> None:
    """Raise ConfigError where the rows that fit cannot be written. `told`: a `FitFor`."""
    from flows.revise import fitting_config
    from flows.runs.plan import plan_of

    if split is not None:
        raise ConfigError("--drop leaves rows out of the whole dataset", f"--split {split}", "leave --split out")
    plan_of(fitting_config(dataset, out, told)).check(writes=False)


def length_of(told: str | None) -> Any:
    """Tokens, `auto`, or None for the trainer's own. Raises ConfigError."""
    if told is None or told == "auto":
        return told
    if not told.isdecimal() or int(told) < 1:
        raise ConfigError("no length", f"--max-length {told}", "a number of tokens, or auto")
    return int(told)


def show_fit(found: dict[str, Any]) -> None:
    """The figures, and each finding with its fix."""
    typer.echo(
        f"{found['dataset']}: {_rows(found['rows'])} for {found['model']},"
        f" {found['trainer']} at max_length {found['max_length']:,}"
    )
    share = found["loss_tokens"] / found["kept_tokens"] if found["kept_tokens"] else 0
    typer.echo(f"  {found['kept_tokens']:,} tokens, {share:.0%} of them carry loss; {found['unfit']:,} unfit")
    for kind, title in TITLES.items():
        of_kind = [finding for finding in found["findings"] if finding["kind"] == kind]
        if of_kind:
            typer.echo(f"{title}:")
        for finding in of_kind:
            why = f" ({finding['why']})" if finding["why"] else ""
            typer.echo(
                f"  {finding['name']}: {_rows(finding['count'])} ({finding['share']:.1%}): {finding['what']}{why}"
            )
            if finding["fix"]:
                typer.echo(f"    -> {finding['fix']}")
            typer.echo(f"    such as row {finding['rows'][0]}")
    by_length = {length["max_length"]: length for length in found["lengths"]}  # of one length only the larger share
    for length in by_length.values():
        typer.echo(
            f"max_length {length['max_length']:,} keeps {length['share']:.0%} of the rows whole;"
            f" the logits of one such row take {length['logits_mb']:,.1f} MB in fp32"
        )
    typer.echo(f"row by row: {found['table']}")
    if made := found.get("fitting"):
        what = f"r{made['revision']} of {made['dataset']}" if made["revision"] else made["dataset"]
        typer.echo(f"without the rows that do not fit: {_rows(made['rows'])} in {what}; rejects: {made['rejects']:,}")


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
