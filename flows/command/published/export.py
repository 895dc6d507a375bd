"""`stillroom export`: a dataset that is there in another format, as a folder or below a URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine, DatasetPath, format_option
from flows.command.published.fit import TrainerOption
from flows.command.running import say
from tasks.errors import ConfigError

export_app = typer.Typer()


@export_app.command()
def export(
    dataset: DatasetPath,
    format_: Annotated[
        list[str] | None,
        format_option(
            "messages, openai, prompt_completion, sharegpt, alpaca; of pairs dpo, reward, kto, binarized, sharegpt, "
            "alpaca; several are configs of one dataset"
        ),
    ] = None,
    for_: Annotated[
        TrainerOption | None,
        typer.Option("--for", help="the format that this trainer reads, with the file that starts it; needs --model"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="with --for: the model to train, a name or folder")] = None,
    max_length: Annotated[
        str, typer.Option(help="with --for: tokens of a row; auto: at which 99 % of the rows stay whole")
    ] = "auto",
    out: Annotated[
        str | None, typer.Option(help="a folder or URL; default: the dataset's with the format behind it")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines in place of Parquet")] = False,
    reasoning: Annotated[
        str,
        typer.Option(help="none, column, reasoning_content or think: where what was thought before an answer stands"),
    ] = "none",
    reasoning_modes: Annotated[
        bool, typer.Option("--reasoning-modes", help="each row with reasoning twice, with and without it")
    ] = False,
    json_: AsLastLine = False,
) -> None:
    """Write a dataset in another format, without a run: nothing is asked of a model."""
    _check_reasoning(reasoning)
    from tasks.publish.derive import Derived
    from tasks.publish.export import export as write_export
    from tasks.publish.export import exportable_at

    _, line = exportable_at(dataset)
    target = _target(for_, model, format_)
    formats = (_format_for(for_, line.kind),) if for_ else tuple(dict.fromkeys(format_ or ()))
    derived = Derived(line.kind, formats, reasoning, reasoning_modes)  # type: ignore[arg-type]  # it is one of them
    place = out or f"{str(dataset).rstrip('/')}-{for_ or '-'.join(formats)}"
    made = write_export(dataset, derived, place, as_json=jsonl)
    _tell_left_out(made)
    if for_ and target is not None:
        for name in _write_ready(dataset, made.out, line.kind, for_, target, max_length):
            say(f"{made.out}/{name}")
    if json_:
        typer.echo(json.dumps({"out": made.out, "rows": made.rows, "left_out": made.left_out}))
    else:
        typer.echo(f"{made.out}: {', '.join(f'{count} rows as {name}' for name, count in made.rows.items())}")


def _check_reasoning(reasoning: str) -> None:
    from typing import get_args

    from tasks.publish.format_names import ReasoningShape

    if reasoning not in (shapes := get_args(ReasoningShape)):
        raise ConfigError("bad value for --reasoning", reasoning, f"it is one of {', '.join(shapes)}")


def _tell_left_out(made: Any) -> None:
    """The rows that a format cannot say, by reason."""
    for name, counts in made.left_out.items():
        for reason, count in sorted(counts.items()):
            say(f"{name} cannot say {count} rows, which are left out: {reason}")


def _target(trainer: str | None, model: str | None, formats: list[str] | None) -> Any:
    """The model of `--for`, None without it. Raises ConfigError where the options do not go together."""
    if trainer is None:
        if not formats:
            raise ConfigError("nothing to export it as", None, "give --format, or --for a trainer")
        return None
    if formats:
        raise ConfigError("--for chooses the format", f"--format {formats[0]}", "give one of the two")
    if model is None:
        raise ConfigError("--for needs to know the model to train", trainer, "give --model NAME")
    from tasks.models.target import open_target

    return open_target(model)


def _format_for(trainer: str, kind: str) -> str:
    from tasks.publish.trainers.ready.files import FORMATS_FOR

    if kind not in FORMATS_FOR[trainer]:
        raise ConfigError("no trainer's format for a dataset of this kind", kind, "give --format")
    return FORMATS_FOR[trainer][kind]


def _write_ready(dataset: Path, out: str, kind: Any, trainer: Any, target: Any, max_length: str) -> list[str]:
    """The names of the files that start a trainer, written beside the data."""
    from flows.command.published.fit import length_of
    from tasks.curate.fit import UNBOUNDED, FitDataset
    from tasks.publish.trainers.choose import Fit
    from tasks.publish.trainers.findings import WHOLE_SHARE, named_length
    from tasks.publish.trainers.ready.files import write_ready

    if "://" in out:
        raise ConfigError("a trainer's file is written beside data on this machine", out, "give --out DIR")
    length = length_of(max_length)
    if length == "auto":
        length = named_length(FitDataset(str(dataset), Fit(max_length=UNBOUNDED), target).longest(WHOLE_SHARE))
    return list(write_ready(Path(out), kind, trainer, target, length))
