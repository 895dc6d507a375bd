"""`stillroom review`: what people have decided about a dataset; decisions brought from other tools, and given to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine, DatasetPath
from flows.command.running import say
from tasks.errors import ConfigError

review_app = typer.Typer()


class ReviewFormat(StrEnum):
    """What decisions are written as."""

    argilla = "argilla"
    label_studio = "label-studio"
    pairs = "pairs"
    calibration = "calibration"
    seeds = "seeds"


@review_app.command()
def review(
    dataset: DatasetPath,
    export: Annotated[Path | None, typer.Option("--export", help="a file to write what --for says to")] = None,
    for_: Annotated[
        ReviewFormat | None,
        typer.Option(
            "--for",
            help="argilla, label-studio: all rows to be decided about there; pairs: edits against originals; calibration: "
            "pairs to measure judges by; seeds: the conversations that were accepted",
        ),
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="a JSON file that Argilla or Label Studio has written")
    ] = None,
    decide: Annotated[
        str | None, typer.Option(help="accept, reject, skip, or a rating of 1 to 5: of all rows of --where")
    ] = None,
    where: Annotated[
        str, typer.Option(help="a filter as the studio's URL has it, such as 'max.answer_chars=20&is.topic=maths'")
    ] = "",
    reviewer: Annotated[str | None, typer.Option(help="whose decisions --decide makes")] = None,
    json_: AsLastLine = False,
) -> None:
    """Show what people have decided about a dataset and how far they agree; bring decisions, decide in bulk, or export."""
    from tasks.reviews.desk import ReviewDesk

    desk = ReviewDesk(dataset)
    if sum(one is not None for one in (export, import_, decide)) > 1:
        raise ConfigError("one thing at a time", None, "give one of --export, --import and --decide")
    if import_ is not None:
        told: dict[str, Any] = _bring(desk, import_)
    elif export is not None:
        told = _export(desk, export, for_)
    elif decide is not None:
        told = {"decided": len(_decide(desk, dataset, decide, where, reviewer))}
    else:
        told = desk.figures()._asdict()
    desk.journal.fold()
    typer.echo(json.dumps(told, ensure_ascii=False)) if json_ else _show(told)


def _bring(desk: Any, file: Path) -> dict[str, Any]:
    """Add what a file holds. Raises ConfigError where it cannot be read, or is of no tool that is known."""
    from tasks.reviews.exchange.argilla import from_argilla
    from tasks.reviews.exchange.label_studio import from_label_studio

    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError("cannot read it as JSON", f"{file}: {error}", "give the file of an export") from error
    is_tasks = isinstance(held, list) and bool(held) and isinstance(held[0], dict) and "data" in held[0]
    added, unknown = desk.bring(from_label_studio(held) if is_tasks else from_argilla(held))
    if unknown:
        say(f"{unknown:,} answers are about rows that the dataset does not have, and are left out")
    return {"added": added, "unknown": unknown}


def _export(desk: Any, file: Path, wanted: ReviewFormat | None) -> dict[str, Any]:
    from tasks.reviews import uses
    from tasks.reviews.exchange.argilla import argilla_records, argilla_settings
    from tasks.reviews.exchange.label_studio import label_studio_config, label_studio_tasks
    from tasks.storage.files import write_atomically

    if wanted is None:
        raise ConfigError("--export needs to know what for", None, f"--for {', '.join(ReviewFormat)}")
    if wanted in (ReviewFormat.argilla, ReviewFormat.label_studio):
        is_argilla = wanted is ReviewFormat.argilla
        records = argilla_records(desk.asked()) if is_argilla else label_studio_tasks(desk.asked())
        beside = file.with_suffix(".settings.json" if is_argilla else ".config.xml")
        pairs = desk.is_paired
        setup = json.dumps(argilla_settings(pairs=pairs), indent=1) if is_argilla else label_studio_config(pairs=pairs)
        write_atomically(beside, setup.encode())
        write_atomically(file, json.dumps(records, ensure_ascii=False).encode())
        return {"rows": len(records), "file": str(file), "beside": str(beside)}
    made = {"pairs": uses.edit_pairs, "calibration": uses.people_pairs, "seeds": uses.good_rows}[wanted]
    lines: Iterable[dict[str, Any]] = made(desk.decided())
    text = [json.dumps(line, ensure_ascii=False) for line in lines]
    if not text:
        raise ConfigError("no decision that this could be made of", wanted.value, "edit or accept rows first")
    write_atomically(file, "".join(f"{line}\n" for line in text).encode())
    return {"rows": len(text), "file": str(file)}


def _decide(desk: Any, dataset: Path, decide: str, where: str, reviewer: str | None) -> list[int]:
    """Decide about all rows of a filter."""
    from tasks.publish.look.query import query_of
    from tasks.publish.look.view import open_view

    if not reviewer:
        raise ConfigError("decisions have a name to them", None, "give --reviewer NAME")
    query = query_of(where)
    if query.table != "rows" or query.near or query.group is not None:
        raise ConfigError("only rows that a filter of columns and texts leaves can be decided about at once", where)
    view = open_view(dataset)
    told = {"decision": "rate", "rating": int(decide)} if decide.isdigit() else {"decision": decide}
    numbers: list[int] = desk.decide(reviewer, view.ids_of(view.places(query)), told)
    return numbers


def _show(told: dict[str, Any]) -> None:
    if "counts" not in told:
        typer.echo(", ".join(f"{name} {value}" for name, value in told.items()))
        return
    if not told["counts"]:
        typer.echo("nobody has decided anything yet")
    for name, counts in told["counts"].items():
        typer.echo(f"{name}: {', '.join(f'{kind} {count:,}' for kind, count in counts.items())}")
    for figure in ("alpha", "kappa"):
        of = "reviewers agree" if figure == "alpha" else "they agree with the judges"
        for kind, value in told[figure].items():
            if value is not None:
                on = f", {told['pairs'][kind]:,} decisions" if figure == "kappa" else ""
                typer.echo(f"{of} on {kind}s: {figure} {value:g}{on}")
