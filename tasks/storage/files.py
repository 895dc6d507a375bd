"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.errors import ConfigError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary name to write to, renamed to `path` at the end of the block; left alone where nothing was written.

    Raises ConfigError where the disk is full or closed to us; nothing of the attempt stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.exists():
            temporary.replace(path)
    except OSError as error:
        fix = (
            "free some space"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "choose a folder that you may write to"
        )
        raise ConfigError("cannot write", f"{path}: {error.strerror or error}", fix) from error
    finally:
        with suppress(OSError):  # what went wrong before is what is reported
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file at once."""
    with atomically(path) as temporary:
        temporary.write_bytes(data)


def link_file(path: Path, second: Path) -> None:
    """Give a file a second name, in a folder that is made. Where nothing is at `path`, nothing is done."""
    if not path.exists():
        return
    second.parent.mkdir(parents=True, exist_ok=True)
    try:
        second.hardlink_to(path)
    except OSError:  # a file system without links: the only way is a copy
        shutil.copy2(path, second)
