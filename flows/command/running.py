"""From a command's options to its exit code: a flow is run with progress, and every end is told in one line.

Heavy imports wait until they are needed, so that help comes at once.
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

FAILED, MISTAKE, REJECTED = 1, 2, 3

RunFlow = Callable[[Callable[[], None]], dict[str, Any]]
"""Checks what was asked, calls what it is given to have Prefect's server at hand, and runs the flow; its summary."""


def telling_mistakes(tell: Callable[[], None]) -> None:
    """Do something; a mistake of the user's is one line, and exit code 2."""
    from tasks.errors import ConfigError

    try:
        tell()
    except ConfigError as error:
        end_with_mistake(error)


def start_flow(run: RunFlow, as_json: bool, *, estimate: bool = False) -> None:
    """Run a flow with progress, and end with the exit code that tells how it went."""
    from flows.service.connection import Connection
    from tasks.engine.home import keep_prefect_off_the_terminal

    keep_prefect_off_the_terminal()
    prefect = Connection(say)  # a server of our own imports while we do
    from flows import session
    from flows.runs.verdict import NoRows, TooManyRejects
    from flows.service.own_server import ServerFailed
    from flows.stopping import GO_ON, heeding_signals
    from tasks.errors import ConfigError, Interrupted
    from tasks.notices import heard

    try:
        with heeding_signals(session.console) as run_is_over, prefect:
            _check_places()
            with session.progress(shown=not as_json), run_is_over, heard(say):
                summary = prefect.run(run)
            _show_summary(summary, as_json, estimate)
    except ConfigError as error:
        end_with_mistake(error)
    except (Interrupted, KeyboardInterrupt):
        say(GO_ON)
        raise typer.Exit(FAILED) from None
    except ServerFailed as error:
        say(str(error))
        raise typer.Exit(FAILED) from None
    except NoRows as error:
        say(str(error))
        raise typer.Exit(REJECTED) from None
    except TooManyRejects as error:
        say(f"the dataset is written, but too many rows failed: {error}")
        raise typer.Exit(REJECTED) from None


def _check_places() -> None:
    """Raise ConfigError where the home, the ledger or the server that the user names cannot be used."""
    from flows.server import check_server
    from tasks.engine.home import check_home
    from tasks.engine.ledger_database import reach_ledger

    check_home()
    reach_ledger()
    check_server()


def _show_summary(summary: dict[str, Any], as_json: bool, estimate: bool) -> None:
    from flows import session
    from flows.run import about_the_budget

    if as_json:
        print(json.dumps(summary))
    elif estimate:
        session.show_estimate(summary)
    else:
        session.show(summary)
    if not estimate and (line := about_the_budget(summary)):
        say(line)


def show_preview(load: Callable[[], Any], rows: int, as_json: bool) -> None:
    """Show a few rows of a run, in this process."""
    from flows.command.preview import run_preview
    from flows.stopping import GO_ON
    from tasks.errors import ConfigError, Interrupted

    try:
        run_preview(load, rows, as_json)
    except ConfigError as error:
        end_with_mistake(error)
    except (Interrupted, KeyboardInterrupt):
        say(GO_ON)
        raise typer.Exit(FAILED) from None


def say(text: str) -> None:
    """A line beside the output."""
    print(f"stillroom: {text}", file=sys.stderr)


def end_with_mistake(error: Exception) -> NoReturn:
    """One line, and exit code 2."""
    say(" ".join(str(error).split()))
    raise typer.Exit(MISTAKE)
