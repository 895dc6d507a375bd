"""Answers compared by math-verify, in processes of their own whose time is bounded. Needs: pip install "stillroom[maths]".

At most two run at a time, each until an answer takes it too long or this process ends.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from threading import BoundedSemaphore, Lock

PROGRAM = Path(__file__).with_name("symbolic_process.py")
START_S = 120.0
"""Until sympy is imported, on a machine that has much else to do."""
COMPARE_S = 10.0
AT_ONCE = 2


class TooHardError(Exception):
    """Two answers could not be compared in time."""


def is_installed() -> bool:
    """Whether there is a math-verify to ask."""
    return find_spec("math_verify") is not None


class SymbolicProcess:
    """One process that compares answers, a pair at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for this process to see to
        )
        if self._line(START_S) != "ready":
            self.end()
            raise RuntimeError(f"{PROGRAM.name} did not start: run it by hand to see why")

    def same(self, expected: str, found: str, within_s: float) -> bool | None:
        """Whether they say the same; None where one is no mathematics. Raises TooHardError, after which it is of no use."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([expected, found]).encode() + b"\n")
        except BrokenPipeError as error:
            raise TooHardError from error
        line = self._line(within_s)
        if line is None:
            raise TooHardError
        said: bool | None = json.loads(line)
        return said

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _line(self, within_s: float) -> str | None:
        """The next line that it writes; None where it has not written one in time, or has ended."""
        assert self._process.stdout is not None
        file, read, until = self._process.stdout.fileno(), b"", time.monotonic() + within_s
        with selectors.DefaultSelector() as selector:
            selector.register(file, selectors.EVENT_READ)
            while not read.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    return None
                part = os.read(file, 4096)
                if not part:
                    return None
                read += part
        return read.decode().strip()


class _Processes:
    """Those that wait for the next pair."""

    def __init__(self) -> None:
        self._idle: list[SymbolicProcess] = []
        self._lock, self._room = Lock(), BoundedSemaphore(AT_ONCE)

    def same(self, expected: str, found: str, within_s: float) -> bool | None:
        with self._room:
            with self._lock:
                one = self._idle.pop() if self._idle else None
            one = one or SymbolicProcess()
            try:
                said = one.same(expected, found, within_s)
            except BaseException:
                one.end()
                raise
            with self._lock:
                self._idle.append(one)
            return said

    def end(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().end()


_processes = _Processes()
atexit.register(_processes.end)


def same_by_maths(expected: str, found: str, within_s: float = COMPARE_S) -> bool | None:
    """Whether two answers say the same; None where one is no mathematics. Raises TooHardError. Blocks: call it in a thread."""
    return _processes.same(expected, found, within_s)
