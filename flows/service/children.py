"""Processes that end when this one does, however it ends: at a signal, by an error, or killed.

Each child leads a process group of its own, so that what it starts in its turn ends with it, and so that a Ctrl-C at the
terminal reaches this process alone. For the case that this process is killed, a small shell reads the groups from a
pipe, and ends them when the pipe ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

WATCH = """
trap '' HUP INT TERM
groups=
while read -r group; do groups="$groups -$group"; done
kill -s TERM -- $groups; sleep 5; kill -s KILL -- $groups
"""
POLL_S = 0.1
PROC = Path("/proc")


class Children:
    """The children of this process, each with a log in `logs`. A context manager: on leaving, all have ended."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._groups: list[int] = []

    def __enter__(self) -> Children:
        self._logs.mkdir(parents=True, exist_ok=True)
        quiet = subprocess.DEVNULL
        self._watch = subprocess.Popen(
            ["sh", "-c", WATCH], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        for group in self._groups:
            _signal(group, signal.SIGKILL)
        self._watch.kill()  # before its pipe ends: there is nothing left for it to do
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a child; what it says goes to its log, and the log of its forerunner to `NAME.log.1`."""
        log = self.log(name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            child = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._groups.append(child.pid)
        assert self._watch.stdin is not None
        self._watch.stdin.write(f"{child.pid}\n".encode())
        self._watch.stdin.flush()
        return child

    def log(self, name: str) -> Path:
        """Where a child's log lies."""
        return self._logs / f"{name}.log"

    def end_members(self, leader: subprocess.Popen[bytes], patience_s: float) -> None:
        """Ask all that a child has started to stop, and wait; meanwhile the child itself stands still, and starts nothing.

        Prefect's worker, asked to stop, kills its runs at once.
        """
        deadline = time.monotonic() + patience_s
        os.kill(leader.pid, signal.SIGSTOP)
        try:
            for pid in _members(leader.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            while time.monotonic() < deadline and _members(leader.pid):
                time.sleep(POLL_S)
        finally:
            os.kill(leader.pid, signal.SIGCONT)

    def end(self, child: subprocess.Popen[bytes], patience_s: float) -> None:
        """Ask a child and all that it started to stop; after `patience_s` seconds end what is still there."""
        deadline = time.monotonic() + patience_s
        _signal(child.pid, signal.SIGTERM)
        while time.monotonic() < deadline and (child.poll() is None or _signal(child.pid, 0)):
            time.sleep(POLL_S)
        _signal(child.pid, signal.SIGKILL)
        child.wait()
        self._groups.remove(child.pid)


def _members(group: int) -> list[int]:
    """The processes of a group that run, without the one that leads it."""
    found = [line.split() for line in (_listed() if (PROC / "self/stat").exists() else _told_by_ps())]
    return [int(pid) for pid, of, state in found if int(of) == group != int(pid) and not state.startswith("Z")]


def _listed() -> Iterator[str]:
    """Process, group and state of all processes, as Linux lists them: an image may have no `ps`."""
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            pid, _, rest = file.read_text(encoding="utf-8", errors="replace").partition(" (")
            state, _parent, group = rest.rpartition(") ")[2].split()[:3]
            yield f"{pid} {group} {state}"


def _told_by_ps() -> list[str]:
    command = ["ps", "-A", "-o", "pid=,pgid=,stat="]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _signal(group: int, number: int) -> bool:
    """Signal a process group; False where there is none any more."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False
