"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.errors import ConfigError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary name to write to, renamed to `path` at the end of the block; left alone where nothing was written.

    Raises ConfigError where the disk is full or closed to us; nothing of the attempt stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.exists():
            temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # the first error is the one to report
            temporary.unlink(missing_ok=True)
        fix = "free some space" if error.errno == 28 else "choose a folder that you may write to"
        raise ConfigError("cannot write", f"{path}: {error.strerror or error}", fix) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file at once."""
    with atomically(path) as temporary:
        temporary.write_bytes(data)
