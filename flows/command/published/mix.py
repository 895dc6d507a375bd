"""`stillroom mix`: several datasets into one, each with its weight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine, TellWhatWouldGo, nested_options
from flows.command.published.curate import curate_datasets
from tasks.errors import ConfigError


def mix(
    datasets: Annotated[
        list[str],
        typer.Argument(help="the datasets, each with its weight behind = where that is not 1: datasets/a=3 b.jsonl"),
    ],
    rows: Annotated[int | None, typer.Option(help="number of rows, after all curation")] = None,
    out: Annotated[str | None, typer.Option(help="folder of the dataset; default datasets/mixture")] = None,
    config: Annotated[Path | None, typer.Option(help="a YAML file with any option of `stillroom curate`")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="any other option, e.g. curate.decontaminate.benchmarks='[gsm8k.jsonl]'"),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            help="the folder of a proof with --slices source: parts that help count double, those that harm are left out"
        ),
    ] = None,
    dry_run: TellWhatWouldGo = False,
    json_: AsLastLine = False,
) -> None:
    """Mix several datasets into one: exact shares by weight, without duplicates across them. Nothing is generated."""

    def options() -> dict[str, Any]:
        parts = [part_of(told) for told in datasets]
        if proof is not None:
            parts = weighed(parts, proof)
        return nested_options({"mixture": parts, "rows": rows, "out": out}, None, set_)

    curate_datasets(options, config, json_, dry_run=dry_run)


def weighed(parts: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The parts with the weights that a proof gives them, told as they are. Raises ConfigError where it cannot."""
    from tasks.notices import tell
    from tasks.seeds.mixing.parts import MixturePart
    from tasks.train.compared import proof_in
    from tasks.train.mixture_weights import weighed_by

    proof = proof_in(folder)
    if proof is None:
        raise ConfigError("there is no proof in this folder", folder, "stillroom prove --slices source writes one")
    given = [MixturePart(**part) for part in parts]
    left = {part.title: part for part in weighed_by(proof, given)}
    for part in given:
        now = f"weight {left[part.title].weight:g}" if part.title in left else "left out: it harms"
        tell(f"{part.title}: {now}")
    return [{"source": part.source, "weight": part.weight} for part in left.values()]


def part_of(told: str) -> dict[str, Any]:
    """A dataset with its weight: "datasets/a=3". Raises ConfigError where the weight is no number above 0."""
    source, equals, weight = told.rpartition("=")
    if not equals:
        return {"source": told}
    try:
        number = float(weight)
    except ValueError as error:
        raise ConfigError("a weight is a number", told, "write DATASET=WEIGHT, as in datasets/a=3") from error
    if not (0 < number < float("inf")):
        raise ConfigError("a weight is above 0", told, "leave the dataset out, or give it a weight")
    return {"source": source, "weight": number}
