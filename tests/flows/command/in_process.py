"""The `stillroom` command in this process: its output, its exit code, and what it leaves, without a start of Python a run."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A command that has ended, as `subprocess.run` tells it."""

    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: str) -> Ended:
    """Run `stillroom` with these arguments; its home is STILLROOM_HOME, its Prefect server PREFECT_API_URL."""
    from flows.command.main import app

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(arguments)
            code: object = 0
        except SystemExit as ended:
            code = ended.code
    return Ended(code if isinstance(code, int) else 0 if code is None else 1, out.getvalue(), err.getvalue())
