"""A lock between runs and a clean-up: while a run is under way, no table is removed that it may be about to read.

Each run holds the lock with others; a clean-up takes it alone, for a batch of files at a time, and only where no run holds
it. The kernel gives it back however a process ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from typing import IO

from tasks.storage.home import home

LOCK = "runs.lock"


def hold_tables() -> IO[str]:
    """The lock of a run, until it is closed: waits while a clean-up removes its batch."""
    lock = (home() / LOCK).open("a+")
    flock(lock, LOCK_SH)
    return lock


@contextmanager
def alone() -> Iterator[bool]:
    """Whether no run is under way; if so, none begins before the end of the block."""
    with (home() / LOCK).open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
