"""Where tries are begun, one after the other, and followed while they go on. Those that have ended are kept as files.

A try is what its config and the ledger make it: the same config tried again gives the same rows and costs nothing. It is
kept so that two of them can be laid side by side.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.service.child_command import child_command
from flows.studio.folders import CONFIG_NAME
from tasks.errors import ConfigError
from tasks.storage.files import write_atomically
from tasks.storage.home import home, make_private

IDLE_S = 600.0
"""A worker that has had nothing to do for so long ends, and with it go the models that it holds."""
MOST_WAITING = 8


@dataclass
class Try:
    """`about`: the config that it tries; "" for a plan. `events`: what the worker has said so far. `text`: of the config."""

    number: int
    about: str
    asked: Mapping[str, Any]
    text: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False
    began_s: float = field(default_factory=time.time)

    @property
    def wrong(self) -> str:
        """Why it came to nothing; "" where it did not, or not yet."""
        return str(next((one["wrong"] for one in self.events if "wrong" in one), ""))

    @property
    def draw(self) -> int:
        """Which other answer it asks one of the rows for; 0 where it tries them all."""
        return int(self.asked.get("draw", 0))

    @property
    def lane(self) -> int:
        """The row that it asks again."""
        return int(self.asked.get("lane", 0))

    @property
    def told(self) -> dict[str, Any] | None:
        """What a preview has told in the end."""
        return next((one["told"] for one in self.events if "told" in one), None)


class Desk:
    """The tries of one studio. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._worker: subprocess.Popen[str] | None = None
        self._tries: dict[tuple[str, int], Try] = {}
        self._used_s = time.monotonic()

    def begin(self, about: str, asked: Mapping[str, Any], text: str = "") -> Try:
        """Begin a try, after those that wait. Raises ConfigError where too many do."""
        with self._lock:
            if sum(not one.ended for one in self._tries.values()) >= MOST_WAITING:
                raise ConfigError("too many tries are waiting", MOST_WAITING, "wait for one, or stop it")
            numbers = [number for name, number in self._tries if name == about]
            number = max([*numbers, *(one.number for one in self.kept(about)), 0]) + 1
            made = self._tries[about, number] = Try(number, about, asked, text)
        threading.Thread(target=self._work, args=(made,), name="studio-try", daemon=True).start()
        return made

    def find(self, about: str, number: int) -> Try | None:
        """A try of this studio, or one that was kept by an earlier one."""
        with self._lock:
            found = self._tries.get((about, number))
        return found or next((one for one in self.kept(about) if one.number == number), None)

    def all_of(self, about: str) -> list[Try]:
        """The tries of a config, the newest first."""
        with self._lock:
            mine = {number: one for (name, number), one in self._tries.items() if name == about}
        return [one for _, one in sorted(({one.number: one for one in self.kept(about)} | mine).items(), reverse=True)]

    def stop(self, about: str, number: int) -> None:
        """End a try that is under way: its worker ends, and what was paid for is in the ledger."""
        found = self.find(about, number)
        if found is not None and not found.ended:
            found.events.append({"wrong": "stopped"})
            found.ended = True
            self.close()

    def close(self) -> None:
        """End the worker and let go of its models; the next try starts one."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with suppress(OSError, ValueError):  # what was not sent is sent to nobody
                    pipe.close()  # type: ignore[union-attr]  # both were asked for

    def warm(self) -> None:
        """Have a worker ready, since a try is likely to come."""
        with suppress(OSError):
            self._ready()
            self._used_s = time.monotonic()

    def kept(self, about: str) -> list[Try]:
        """The tries that ended well, from their files."""
        found = []
        for path in _folder(about).glob("*.json") if about else ():
            with suppress(OSError, ValueError, KeyError):
                told = json.loads(path.read_text(encoding="utf-8"))
                events = [{"told": told["told"]}]
                found.append(Try(int(path.stem), about, told["asked"], told["text"], events, True, told["began_s"]))
        return found

    def _work(self, one: Try) -> None:
        with self._turn:
            if one.ended:
                return
            try:
                self._follow(one, self._ready())
            except OSError as error:
                one.events.append({"wrong": f"the worker cannot be started: {error.strerror}"})
            one.ended, self._used_s = True, time.monotonic()
            if one.about and one.told is not None:
                kept = {"asked": dict(one.asked), "text": one.text, "told": one.told, "began_s": one.began_s}
                with suppress(ConfigError):
                    write_atomically(_folder(one.about) / f"{one.number}.json", json.dumps(kept).encode())
        threading.Timer(IDLE_S, self._rest).start()

    def _rest(self) -> None:
        if time.monotonic() - self._used_s >= IDLE_S and not self._turn.locked():
            self.close()

    def _follow(self, one: Try, worker: subprocess.Popen[str]) -> None:
        assert worker.stdin is not None
        assert worker.stdout is not None
        with suppress(BrokenPipeError):
            worker.stdin.write(json.dumps(one.asked) + "\n")
            worker.stdin.flush()
        for line in worker.stdout:
            told = json.loads(line)
            one.events.append(told)
            if {"told", "plan", "wrong"} & told.keys():
                return
        if not one.ended:
            log = home() / "studio" / "worker.log"
            one.events.append({"wrong": f"the worker has ended: {_last_line(log)}"})

    def _ready(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._worker is None or self._worker.poll() is not None:
                place = home() / "studio"
                make_private(place)
                with (place / "worker.log").open("w") as log:
                    self._worker = subprocess.Popen(
                        child_command("flows.studio.trials.worker"),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        text=True,
                        env=os.environ | {"TOKENIZERS_PARALLELISM": "false"},
                        start_new_session=True,  # a Ctrl-C at the terminal is for the studio
                    )
            return self._worker


def _folder(about: str) -> Path:
    if not CONFIG_NAME.fullmatch(about):
        raise ConfigError("no such config", about[:100], "the first page lists what there is")
    return home() / "studio" / "tries" / about


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "without a word"
