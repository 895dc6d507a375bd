"""What the studio has started: commands as one would type them, each in a process group of its own.

A job outlives the studio: its command, log, output and exit code are files in the home, from which it is found again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.service.child_command import child_command
from flows.watch.live import live_runs
from tasks.errors import ConfigError
from tasks.storage.files import write_atomically
from tasks.storage.home import home, make_private

KEEP_ON = 'trap : TERM INT HUP; "$@"; echo $? > "$0.new"; mv "$0.new" "$0"'
"""A shell that waits for the command, whatever it is sent, and writes down how it ended."""
JOB_NAME = re.compile(r"[0-9]{1,8}")
LOG_BYTES = 20_000
STOPPED = "stopped"
"""The file of a job that says that it was asked to stop."""
ENDINGS = {0: "done", 1: "failed", 2: "mistake", 3: "too many rows failed"}


@dataclass(frozen=True)
class Job:
    """`what`: run, estimate, deploy, export, push, doctor; `about`: the config or dataset. `command`: its words after `stillroom`."""

    number: int
    what: str
    about: str
    command: tuple[str, ...]
    group: int
    began_s: float

    @property
    def folder(self) -> Path:
        """The folder with the job's files."""
        return _jobs() / str(self.number)

    @property
    def code(self) -> int | None:
        """How it ended, None while it goes on."""
        with suppress(OSError, ValueError):
            return int((self.folder / "code").read_text(encoding="utf-8"))
        return None if self._is_alive() else 1

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.code is not None

    @property
    def ending(self) -> str:
        """The job's state in English words: under way, done, stopped, failed, ..."""
        if self.code is None:
            return "under way"
        return "stopped" if self.code and self.was_stopped else ENDINGS.get(self.code, "failed")

    @property
    def was_stopped(self) -> bool:
        """Whether it was asked to stop."""
        return (self.folder / STOPPED).exists()

    @property
    def line(self) -> str:
        """The command as one would type it."""
        return shlex.join(["stillroom", *(word for word in self.command if word != "--json")])

    @property
    def log(self) -> str:
        """The end of what it said."""
        with suppress(OSError), (self.folder / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            return file.read().decode(errors="replace")
        return ""

    @property
    def said(self) -> str:
        """The end of what it printed and logged, without a result that is shown by itself."""
        if self.result is not None:
            return self.log
        with suppress(OSError):
            return (self.folder / "out").read_text(encoding="utf-8", errors="replace")[-LOG_BYTES:] + self.log
        return self.log

    @property
    def result(self) -> Any:
        """The last line of JSON that it printed, None where it printed none."""
        with suppress(OSError, ValueError, IndexError):
            return json.loads((self.folder / "out").read_text(encoding="utf-8").strip().splitlines()[-1])
        return None

    @property
    def live(self) -> dict[str, Any] | None:
        """What its run has come to, while it goes on."""
        return next((told for told in live_runs() if told["group"] == self.group), None)

    def stop(self) -> None:
        """Ask it to stop: what is in flight is let finish, and the same command goes on from there."""
        if not self.is_over:
            write_atomically(self.folder / STOPPED, b"")
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, signal.SIGTERM)

    def _is_alive(self) -> bool:
        with suppress(OSError):
            os.killpg(self.group, 0)
            return True
        return False


def start_job(what: str, about: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Job:
    """Start `stillroom COMMAND`. Raises ConfigError where the same is under way already."""
    busy = next((job for job in jobs_of(about) if not job.is_over and job.what == what), None)
    if busy is not None:
        raise ConfigError("this is under way already", busy.line, "wait for it, or stop it")
    make_private(home() / "studio")
    number = _new_folder()
    folder = _jobs() / str(number)
    words = child_command("flows.command.main", *command)
    with (folder / "log").open("wb") as log, (folder / "out").open("wb") as out:
        child = subprocess.Popen(
            ["sh", "-c", KEEP_ON, str(folder / "code"), *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    threading.Thread(target=child.wait, name="studio-job", daemon=True).start()
    job = Job(number, what, about, tuple(command), child.pid, time.time())
    told = {name: getattr(job, name) for name in ("what", "about", "command", "group", "began_s")}
    write_atomically(folder / "job.json", json.dumps(told).encode())
    return job


def find_job(number: str) -> Job:
    """A job by its number. Raises ConfigError where there is none."""
    if JOB_NAME.fullmatch(number):
        with suppress(OSError, ValueError, KeyError):
            told = json.loads((_jobs() / number / "job.json").read_text(encoding="utf-8"))
            return Job(int(number), told["what"], told["about"], tuple(told["command"]), told["group"], told["began_s"])
    raise ConfigError("no such job", number[:20], "the first page lists what is under way")


def all_jobs() -> list[Job]:
    """All jobs, the newest first."""
    found = []
    for number in sorted((int(one.name) for one in _jobs().glob("*") if JOB_NAME.fullmatch(one.name)), reverse=True):
        with suppress(ConfigError):
            found.append(find_job(str(number)))
    return found


def jobs_of(about: str, *what: str) -> list[Job]:
    """The jobs about a config or a dataset, the newest first. `what`: only of these kinds."""
    return [job for job in all_jobs() if job.about == about and (not what or job.what in what)]


def _new_folder() -> int:
    number = max((int(one.name) for one in _jobs().glob("*") if JOB_NAME.fullmatch(one.name)), default=0)
    while True:
        number += 1
        with suppress(FileExistsError):
            (_jobs() / str(number)).mkdir(parents=True)
            return number


def _jobs() -> Path:
    return home() / "studio" / "jobs"
