"""The end of a command: at once, without what Python and Prefect would still do for a process that goes on.

Prefect waits in an exit hook until its events are sent, however long its server has been gone; and the interpreter takes
itself apart, which takes most of a second here. What has to be done before the end is done by then (connection.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End the process when the block ends: with the exit code that it asks for, or with the traceback of its error."""
    try:
        yield
    finally:
        error = sys.exception()
        if error is not None and not isinstance(error, SystemExit):
            sys.excepthook(type(error), error, error.__traceback__)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a pipe whose reader has gone, a stream that is closed
                stream.flush()
        os._exit(_exit_code(error))


def _exit_code(error: BaseException | None) -> int:
    """As Python has it; Typer has turned words into numbers by now."""
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    return code if isinstance(code, int) else int(code is not None)
