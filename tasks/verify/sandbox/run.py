"""A Python program run in a sandbox: in processes of its own that end in time, and of which nothing is left.

    run_program("print(1 + 1)", "", "namespaces").output        # "2\n"

Nothing of this process's environment, open files or folder goes along. At most `AT_ONCE` run at a time. Blocks: call it in a
thread.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import Literal

from tasks.verify.sandbox.limits import USUAL_LIMITS, SandboxLimits

SandboxKind = Literal["bubblewrap", "namespaces", "limits"]
HERE = Path(__file__).parent
AT_ONCE = max(1, min(4, os.cpu_count() or 1))
GRACE_S = 10.0
"""Beyond the launcher's own time, after which it is killed itself."""
OUT_OF_TIME, CANNOT_BEGIN = 124, 97
OWN_USERS = (1 << 28, 1 << 30)
"""Numbers of users, none of which a machine is likely to have: a run as root is another one's each time."""
NOBODY = 65534
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
_room = BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """What came of a program. `code`: its exit code, 128 + the signal that ended it, 124 where it was out of time.

    `output`: what it wrote, cut where it wrote too much (`too_much`); `said`: what it wrote as errors, likewise.
    """

    code: int
    output: str
    said: str
    too_much: bool = False

    @property
    def is_late(self) -> bool:
        """Whether it was ended for the time that it took."""
        return self.code in (OUT_OF_TIME, 128 + signal.SIGXCPU)

    @property
    def has_begun(self) -> bool:
        """Whether the sandbox could be set up at all."""
        return self.code != CANNOT_BEGIN


def run_program(program: str, given: str, kind: SandboxKind, limits: SandboxLimits = USUAL_LIMITS) -> ProgramRun:
    """Run a program's text with `given` as its input. Waits for its turn, and until all that it started is gone."""
    with _room, tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777 if kind == "limits" else 0o755)
        process = subprocess.Popen(
            _command(program, kind, limits, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=ENVIRONMENT | ({"HOME": folder, "TMPDIR": folder} if kind == "limits" else {}),
            close_fds=True,
            start_new_session=True,
        )
        try:
            return _heard(process, given.encode(), limits)
        finally:
            _end(process)


def _command(program: str, kind: SandboxKind, limits: SandboxLimits, folder: str) -> list[str]:
    """What is started: the launcher (or bubblewrap within it), and in it Python with the limits and the program."""
    uid = _own_user() if os.geteuid() == 0 else 0
    told = asdict(limits) | {"uid": uid}
    if kind == "limits" and not uid:
        told["processes"] += _tasks_of_user()  # that limit counts all of the user's
    python = [str(_base_python()), "-s", "-S", "-P", "-B"]
    inner = [*python, "-c", (HERE / "inside.py").read_text(encoding="utf-8"), json.dumps(told), program]
    outer = told | {"kind": kind, "parent": os.getpid(), "root": folder, "shown": shown_paths()}
    if kind == "bubblewrap":
        inner = [*_bubblewrap(limits), "--", *inner]
        outer |= {"kind": "limits", "uid": 0}
    return [*python, str(HERE / "launcher.py"), json.dumps(outer), *inner]


def _bubblewrap(limits: SandboxLimits) -> list[str]:
    """Its options: nothing of this machine but Python's files, read-only, no network, an empty folder in memory."""
    command = [shutil.which("bwrap") or "/usr/bin/bwrap", "--die-with-parent", "--new-session"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    if os.geteuid() == 0:
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]  # given up before the program begins
    else:
        command += ["--unshare-user"]
    for path in shown_paths():
        for parent in reversed(Path(path).parents[:-1]):
            command += ["--perms", "0755", "--dir", str(parent)]  # else root's alone
        command += (
            ["--symlink", str(Path(path).readlink()), path] if Path(path).is_symlink() else ["--ro-bind", path, path]
        )
    command += ["--dev", "/dev", "--perms", "1777", "--size", str(limits.folder_mb << 20), "--tmpfs", "/tmp"]
    return [*command, "--chdir", "/tmp"]


@cache
def shown_paths() -> list[str]:
    """What of this machine's files a program sees: Python, and the libraries that it needs."""
    base = [sys.base_prefix, str(_base_python().parent), "/nix/store", "/etc/ld.so.cache"]
    paths = ["/usr", "/bin", "/lib", "/lib64", *base]
    there = [path for path in dict.fromkeys(paths) if Path(path).exists()]
    return [path for path in there if not any(path.startswith(f"{other}/") for other in there)]


def _base_python() -> Path:
    """The Python behind this environment: programs have its own library and no other."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def _own_user() -> int:
    """A user for one run, nobody where this process is root among few users only."""
    try:
        ranges = [
            tuple(map(int, line.split()))
            for line in Path("/proc/self/uid_map").read_text(encoding="utf-8").splitlines()
        ]
    except OSError:
        return NOBODY
    fits = any(first <= OWN_USERS[0] and OWN_USERS[1] <= first + count for first, _, count in ranges)
    return random.SystemRandom().randrange(*OWN_USERS) if fits else NOBODY


def _tasks_of_user() -> int:
    """Threads that this user has running, on all of the machine."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry.stat().st_uid == os.getuid():
                count += len(list((entry / "task").iterdir()))
    return count


def _heard(process: subprocess.Popen[bytes], given: bytes, limits: SandboxLimits) -> ProgramRun:
    """Give a process its input, and hear it out, until it ends, is late, or has written too much."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    until = time.monotonic() + limits.wall_s + GRACE_S
    heard = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    most = limits.output_kb << 10
    too_much = False
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        for file in heard:
            selector.register(file, selectors.EVENT_READ)
        selector.register(process.stdin.fileno(), selectors.EVENT_WRITE)
        while selector.get_map() and time.monotonic() < until and not too_much:
            for key, _ in selector.select(max(0.0, until - time.monotonic())):
                if key.fd in heard:
                    part = os.read(key.fd, 1 << 16)
                    heard[key.fd] += part
                    too_much = too_much or len(heard[key.fd]) > most
                    if not part:
                        selector.unregister(key.fd)
                else:
                    given = _written(key.fd, given)
                    if not given:
                        selector.unregister(key.fd)
                        process.stdin.close()
    code = OUT_OF_TIME
    if not too_much:
        with suppress(subprocess.TimeoutExpired):
            left = process.wait(max(0.0, until - time.monotonic()))
            code = left if left >= 0 else 128 - left
    out, said = (bytes(part[:most]).decode(errors="replace") for part in heard.values())
    return ProgramRun(128 + signal.SIGKILL if too_much else code, out, said, too_much)


def _written(file: int, given: bytes) -> bytes:
    """What is left to write, nothing where nobody reads it."""
    try:
        return given[os.write(file, given[: 1 << 16]) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the launcher's whole group, with which all that it started ends, and wait until it is gone."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)  # the launcher then ends what is left, and itself
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
