"""Where the command reads paths and writes words: in UTF-8 where the locale knows only ASCII, and to readers that leave.

LC_ALL=C stillroom sft --seeds fragen.jsonl | head -1
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare_streams() -> None:
    """Make the process fit to print any text, and to see its reader go. May start the process again, once."""
    if sys.getfilesystemencoding() == "ascii" and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"  # for the processes that are started later, too
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    try:
        writer = io.BufferedWriter(_UntilNobodyReads(sys.stdout.fileno(), "wb", closefd=False))
    except (AttributeError, OSError):
        return  # there is no standard output
    # what a terminal has no letter for is shown by its number
    sys.stdout = io.TextIOWrapper(
        writer, sys.stdout.encoding, errors="backslashreplace", line_buffering=sys.stdout.isatty()
    )


class _UntilNobodyReads(io.FileIO):
    """A file whose reader may go (`| head -1`): what is written after that is dropped, since the work is done all the same."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes
