"""`stillroom judges`: how often judges say what people said, by ratings and by rubrics.

stillroom judges pairs.jsonl --judge JUDGE --rows 100
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsJson, nested_options, role_models
from flows.command.running import say, stoppable
from tasks.errors import ConfigError, first_fault


def judges(
    pairs: Annotated[str, typer.Argument(help="a file, a folder or hf:NAME with chosen and rejected answers")],
    judge: Annotated[list[str] | None, typer.Option(help="a judge; once for each")] = None,
    reward: Annotated[str | None, typer.Option(help="a reward model, beside them")] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="ultrafeedback, rubrics or reward; once for each; default: all there are")
    ] = None,
    rows: Annotated[int, typer.Option(help="pairs that are judged, the first ones")] = 50,
    config: Annotated[
        Path | None, typer.Option(help="a YAML file with options of `stillroom dpo`, roles among them")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any option of `stillroom dpo`")] = None,
    json_: AsJson = False,
) -> None:
    """Measure judges against pairs that people have told apart: a scale of 1 to 5 beside rubrics."""
    from pydantic import ValidationError

    from flows.config import PreferenceDPO
    from flows.config_file import load_config
    from tasks.judge.calibration import Calibrate

    roles = role_models(judge=judge, reward=[reward] if reward else None)
    told = load_config(PreferenceDPO, config, nested_options({"roles": roles}, None, set_))
    if not told.roles:
        raise ConfigError("no judge", None, "give --judge MODEL")
    try:
        wanted = Calibrate(pairs=pairs, rows=rows)
    except ValidationError as error:
        where, fault = first_fault(error)
        raise ConfigError(f"bad value for --{where.partition('_')[0]}", repr(fault["input"]), fault["msg"]) from error
    from rich.console import Console

    from flows.judges.compare_judges import compare_judges
    from tasks.notices import heard

    with stoppable(Console(stderr=True)), heard(say):
        found = compare_judges(told, wanted, by or [])
    print(json.dumps(found) if json_ else "\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    """A line for each judge and way, under a head."""
    head = ("judge", "by", "pairs", "agrees", "95 %", "ties", "failed", "longer preferred")
    rows = [
        (
            one["judge"],
            one["by"],
            str(one["pairs"]),
            _percent(one["agreement"]),
            f"{one['low']:.0%}-{one['high']:.0%}",
            str(one["ties"]),
            str(one["failed"]),
            _percent(one["longer_preferred"]),
        )
        for one in found["judges"]
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    people = found["judges"][0]["longer_chosen"] if found["judges"] else None
    return [
        *table,
        f"people chose the longer answer in {_percent(people)}",
        f"{found['requests']} requests paid, {found['ledger_hits']} answers on record, {found['ended']}",
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
