"""`stillroom report` and `stillroom compare`: how a dataset is, and how two of them differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.command.options import AsJson


def report(
    dataset: Annotated[
        Path, typer.Argument(help="the folder of a dataset, of ours or not, a .jsonl or .parquet file, or hf:NAME")
    ],
    out: Annotated[
        Path | None, typer.Option(help="the file to write; default: report.html in the folder, or beside the file")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Write a page about a dataset: rejects, lengths, scores, variety, and rows to read."""
    from tasks.publish.report.page import write_report

    written = str(write_report(dataset, out))
    typer.echo(json.dumps({"report": written}) if json_ else written)


def compare(
    one: Annotated[Path, typer.Argument(help="the folder of a dataset, or of a proof")],
    other: Annotated[Path, typer.Argument(help="the folder of another")],
    json_: AsJson = False,
) -> None:
    """Lay two datasets side by side: figures with intervals of 95 %, which rows changed, what students learnt from each."""
    from tasks.train.compared import proof_in, proofs_compared

    proofs = [proof_in(folder) for folder in (one, other)]
    found = proofs_compared(proofs[0], proofs[1]) if proofs[0] and proofs[1] else []
    if found and not all(is_dataset(folder) for folder in (one, other)):
        typer.echo(json.dumps({"proofs": found}) if json_ else "\n".join(said["finding"] for said in found))
        return
    from tasks.publish.report.comparison import comparison_of

    told = comparison_of(one, other)
    if json_:
        typer.echo(json.dumps(told | {"proofs": found}))
        return
    typer.echo(f"{'':<24}{one.absolute().name[-22:]:>24}{other.absolute().name[-22:]:>24}")
    for name, (left, right) in told["figures"].items():
        typer.echo(f"{name:<24}{left:>24}{right:>24}")
    changes = ", ".join(f"{count} {what}" for what, count in told["changes"].items() if count) or "the same rows"
    typer.echo(f"from the first to the second: {changes}")
    for kind, rows in told["examples"].items():
        for row in rows:
            typer.echo(f"  {kind} {row['row_id']}: {json.dumps(row['question'], ensure_ascii=False)}")
            for side in ("before", "after") if kind == "changed" else ():
                typer.echo(f"      {side}: {json.dumps(row[side], ensure_ascii=False)}")
    for said in found:
        typer.echo(said["finding"])


def is_dataset(folder: Path) -> bool:
    """Whether a dataset of ours is in a folder, and not only a proof of another."""
    from tasks.publish.describe.fits import published_here

    return published_here(folder) is not None
