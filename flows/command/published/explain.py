"""`stillroom explain`: the story of a row, and rows by what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command.options import AsJson, DatasetPath
from tasks.errors import ConfigError

MOST_FOUND = 20


def explain(
    dataset: DatasetPath,
    row_id: Annotated[str | None, typer.Argument(help="the row_id of a row, or its beginning")] = None,
    find: Annotated[str | None, typer.Option(help="a text: list the rows, rejects and losses that hold it")] = None,
    html: Annotated[Path | None, typer.Option(help="write the story as a page to this file")] = None,
    json_: AsJson = False,
) -> None:
    """Show where a row came from: each prompt and raw answer behind it, what was refused, what it cost; or why it is none."""

    if (row_id is None) == (find is None):
        raise ConfigError("explain takes the id of a row, or a text to find", None, "give ROW_ID, or --find TEXT")
    if find is not None:
        _show_found(dataset, find, json_)
        return
    from flows.command.published.story import whole_story

    story = whole_story(dataset, row_id or "")
    if html is not None:
        from tasks.publish.report.story_page import write_story

        write_story(story, html)
    if html is not None and not json_:
        typer.echo(html)
    elif json_:
        typer.echo(json.dumps(story, ensure_ascii=False))
    else:
        _show_story(story)


def _show_found(dataset: Path, text: str, as_json: bool) -> None:
    """List what holds a text. Raises ConfigError where nothing does."""
    from itertools import islice

    from tasks.publish.origin import find_rows

    if not text.strip():
        raise ConfigError("an empty text is in every row", None, "give --find a word or more")
    found = list(islice(find_rows(dataset, text), MOST_FOUND + 1))
    if not found:
        raise ConfigError("no row, reject or loss holds it", text, "give a shorter text, as it is written there")
    shown = [{"row_id": row_id, "where": where, "text": said} for row_id, where, said in found[:MOST_FOUND]]
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for one in shown:
        typer.echo(f"{one['row_id']}  {one['where']}  {one['text']}")
    if len(found) > MOST_FOUND:
        typer.echo(f"and more: these are the first {MOST_FOUND}")


def _show_story(story: dict[str, Any]) -> None:
    from flows.command.preview import show_passage
    from flows.command.terminal import show_origin, show_row

    if story["row"] is not None:
        show_row(story["row"])
    for kind in ("rejects", "losses"):
        for one in story[kind]:
            typer.echo(f"{one['row_id']}  {kind}: {one['kind']} {one['reason']} by {one['technique']}  {one['detail']}")
            typer.echo(f"    in:  {one['input']}\n    raw: {one['raw']!r}")
    show_origin(story["lines"])
    if story["source"] is not None:
        typer.echo(f"made from {story['source']}")
    for one in story["siblings"]:
        typer.echo(f"beside it: {one['row_id']}  {one['technique']}  became {one['became']}")
    for entry in story["passages"]:
        show_passage(entry["step"], entry)
    if story["passed"]:
        typer.echo(f"it passed: {', '.join(story['passed'])}")
    for line in story["not_shown"]:
        typer.echo(line)
    cost = "" if story["cost"] is None else f", cost {story['cost']:.6g}"
    typer.echo(
        f"behind it: {story['requests']} requests, {story['prompt_tokens']} + {story['completion_tokens']} tokens{cost}"
    )
