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
    outlive_readers()


def outlive_readers() -> None:
    """Let what is printed and logged go nowhere once its reader has gone: `| head -1`, or a worker that was killed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            writer = io.BufferedWriter(_UntilNobodyReads(stream.fileno(), "wb", closefd=False))
        except (AttributeError, OSError):
            continue  # there is none
        # what a terminal has no letter for is shown by its number
        lines = name == "stderr" or stream.line_buffering or stream.isatty()
        setattr(sys, name, io.TextIOWrapper(writer, stream.encoding, "backslashreplace", line_buffering=lines))


class _UntilNobodyReads(io.FileIO):
    """A file whose reader may go (`| head -1`): what is written after that is dropped, since the work is done all the same."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes
