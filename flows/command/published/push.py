"""`stillroom push`: a dataset as a repository of the Hub, a commit and a tag for each revision."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from flows.command.options import AsLastLine, DatasetPath
from flows.command.running import FAILED, end_with, say


def push(
    dataset: DatasetPath,
    repo: Annotated[
        str, typer.Argument(help="a dataset repository of the Hub, OWNER/NAME; made where it is not there")
    ],
    public: Annotated[bool, typer.Option("--public", help="one that all may see; else a new one is private")] = False,
    allow_demo: Annotated[bool, typer.Option("--allow-demo", help="push rows of the demo model's, too")] = False,
    history: Annotated[
        bool,
        typer.Option("--history", help="the revisions before it that are kept, too, with rows thrown out since"),
    ] = False,
    json_: AsLastLine = False,
) -> None:
    """Push a dataset to the Hub, card and report with it; each revision is a commit with a tag. Cut short, the same command goes on."""
    from tasks.notices import heard
    from tasks.publish.hub.repository import PushFailed, check_repo_name, check_token

    check_repo_name(repo)  # before polars is imported
    check_token()
    from tasks.publish.hub.push import push as push_dataset

    try:
        with heard(say):
            made = push_dataset(dataset, repo, public=public, allow_demo=allow_demo, history=history, tell=say)
    except PushFailed as error:
        end_with(FAILED, f"{error}; the same command goes on from there")
    if json_:
        typer.echo(json.dumps(asdict(made)))
    else:
        new = f", new: {', '.join(made.tagged)}" if made.tagged else ""
        what = f"{made.files} files{new}" if made.files else "nothing new"
        typer.echo(f"{made.url}: {made.revision} at commit {made.commit[:12]} ({what})")
