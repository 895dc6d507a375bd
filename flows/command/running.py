"""From a command's options to its exit code: a flow is run with progress, and every end is told in one line.

Heavy imports wait until they are needed, so that help comes at once.
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tasks.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

FAILED, MISTAKE, REJECTED, IN_BATCHES = 1, 2, 3, 4

RunFlow = Callable[[Callable[[], None]], dict[str, Any]]
"""Checks what was asked, calls what it is given to have Prefect's server at hand, and runs the flow; its summary."""


def start_flow(
    run: RunFlow, as_json: bool, *, estimate: bool = False, show: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Run a flow with progress, and end with the exit code that tells how it went. `show`: of a flow that makes no dataset."""
    from flows.service.connection import ServerConnection
    from tasks.storage.home import check_home, keep_prefect_off_the_terminal

    keep_prefect_off_the_terminal()
    prefect = ServerConnection(say)  # a server of our own imports while we do
    from flows.command import terminal as session
    from flows.runs.verdict import NoRows, NotPushed, TooManyRejects, UnfitRows
    from flows.service.server.own_server import ServerFailed
    from flows.service.stopping import GO_ON, heeding_signals
    from tasks.notices import heard

    try:
        with heeding_signals(session.console) as run_is_over, prefect:
            check_home()
            with session.progress(shown=not as_json and show is None), run_is_over, heard(say):
                summary = prefect.run(run)
            if show is not None and not as_json:
                show(summary)
            else:
                _show_summary(summary, as_json, estimate or show is not None)
            if summary.get("batches"):
                raise typer.Exit(IN_BATCHES)
    except (Interrupted, KeyboardInterrupt):
        end_with(FAILED, GO_ON)
    except ServerFailed as error:
        end_with(FAILED, str(error))
    except NotPushed as error:
        end_with(FAILED, f"the dataset is written, and not pushed: {error}", error.summary if as_json else None)
    except (NoRows, TooManyRejects, UnfitRows) as error:
        if show is not None and not as_json and error.summary is not None:
            show(dict(error.summary))
        written = "the dataset is written, but too many rows failed: " if isinstance(error, TooManyRejects) else ""
        end_with(REJECTED, f"{written}{error}", error.summary if as_json else None)


def end_with(code: int, line: str, summary: Mapping[str, Any] | None = None) -> NoReturn:
    """End with a line and an exit code; `summary`: printed as JSON where it is given."""
    say(line)
    if summary is not None:
        print(json.dumps(summary))
    raise typer.Exit(code) from None


def _show_summary(summary: dict[str, Any], as_json: bool, estimate: bool) -> None:
    from flows.command import terminal as session
    from flows.runs.run import about_pending

    if as_json:
        print(json.dumps(summary))
    elif estimate:
        session.show_estimate(summary)
    else:
        session.show_summary(summary)
    if not estimate and (line := about_pending(summary)):
        say(line)


@contextmanager
def stoppable(console: Console) -> Iterator[None]:
    """Work in this process that Ctrl-C stops: the command then ends with the line that says how to go on."""
    from flows.service.stopping import GO_ON, heeding_signals

    try:
        with heeding_signals(console) as run_is_over, run_is_over:
            yield
    except (Interrupted, KeyboardInterrupt):
        end_with(FAILED, GO_ON)


def say(text: str) -> None:
    """A line beside the output."""
    print(f"stillroom: {text}", file=sys.stderr)


def end_with_mistake(error: Exception) -> NoReturn:
    """One line, and exit code 2."""
    end_with(MISTAKE, " ".join(str(error).split()))
