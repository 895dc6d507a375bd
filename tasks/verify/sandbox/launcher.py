"""Run as a program: starts a command apart from all else, ends it in time, and leaves none of its processes behind.

    python launcher.py '{"kind": "namespaces", "wall_s": 30, "root": "/tmp/empty", "shown": ["/usr"], ...}' COMMAND ...

`namespaces` (Linux, as root or where users may make namespaces): no network, no process and no file but Python's own to be
seen, those read-only, and an empty folder in memory. The command's processes end with the first of them, which the kernel sees
to. `limits`: none of this; the command runs as another user where this one is root, and what is left of it is looked for.

It imports nothing of the house. Exit codes: the command's, 128 + its signal, 124 out of time, 97 where it could not begin.
"""

# It is started anew for each run, and pathlib takes as long to load as all the rest.
# ruff: noqa: PTH103, PTH112, PTH114, PTH115, PTH120, PTH123, PTH208, PTH211

import ctypes
import json
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

OUT_OF_TIME, CANNOT_BEGIN = 124, 97
NEW_NAMESPACES = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # mounts, pids, network, IPC, host name
NEW_USER = 0x10000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
SAME_FLAGS = NO_SUID | NO_DEVICES | NO_PROGRAMS | 1024 | 2048  # those of a mount that may not be dropped
DIES_WITH_PARENT, IS_REAPER = 1, 36
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
DEVICES = ("null", "zero", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def call_has_worked(result: int, what: str) -> None:
    """Raise OSError where a call of the C library has failed."""
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2) of the C library. Raises OSError."""
    told = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    call_has_worked(libc.mount(*told), f"mount {target}")


def show_path(path: str, root: str) -> None:
    """Let a file, folder or link be seen under a new root, read-only."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        if not os.path.lexists(target):
            os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        open(target, "a").close()
    mount(path, target, "", BIND)
    same = os.statvfs(path).f_flag & SAME_FLAGS
    mount(path, target, "", BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES | same)


def show_only(told: dict) -> None:  # type: ignore[type-arg]
    """Make a folder in memory the root of all files, with what is shown and an empty /tmp in it."""
    root = told["root"]
    mount("none", "/", "", RECURSIVE | PRIVATE)
    mount("tmpfs", root, "tmpfs", NO_SUID, "size=1m,mode=755")
    for path in told["shown"]:
        show_path(path, root)
    os.makedirs(f"{root}/dev")
    for name in DEVICES:
        open(f"{root}/dev/{name}", "w").close()
        mount(f"/dev/{name}", f"{root}/dev/{name}", "", BIND)
    os.makedirs(f"{root}/tmp")
    mount("tmpfs", f"{root}/tmp", "tmpfs", NO_SUID | NO_DEVICES, f"size={told['folder_mb']}m,mode=1777")
    mount("tmpfs", root, "", REMOUNT | READ_ONLY | NO_SUID)
    os.chdir(root)
    call_has_worked(libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    call_has_worked(libc.umount2(b".", DETACH), "umount")
    os.chdir("/tmp")


def leave_all() -> None:
    """Into namespaces of its own; a user's too, where this is not root."""
    if os.geteuid() == 0:
        call_has_worked(libc.unshare(NEW_NAMESPACES), "unshare")
        return
    uid, gid = os.geteuid(), os.getegid()
    call_has_worked(libc.unshare(NEW_NAMESPACES | NEW_USER), "unshare")
    for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{file}", "w") as out:
            out.write(text)


def die_with(parent: int) -> None:
    """Be killed when the parent is gone."""
    if sys.platform == "linux":
        libc.prctl(DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if parent and os.getppid() != parent:
        os._exit(CANNOT_BEGIN)


def begin(command: list[str]) -> int:
    """Start the command; its process. What it writes goes where this program's goes."""
    child = os.fork()
    if child == 0:
        try:
            os.execv(command[0], command)
        finally:
            os._exit(CANNOT_BEGIN)
    return child


def exit_code_of(status: int) -> int:
    """The exit code, 128 + the signal where there was one."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def first_of_all(told: dict, command: list[str]) -> None:  # type: ignore[type-arg]
    """The first process in the new namespaces: the kernel kills all others there when it ends."""
    try:
        die_with(0)
        show_only(told)
        child = begin(command)
    except OSError as error:
        os.write(2, f"{error}\n".encode())
        os._exit(CANNOT_BEGIN)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os._exit(exit_code_of(status))


def stop_at(wall_s: float) -> None:
    """Raise TimeoutError in this process after so many seconds, or when it is told to end."""

    def late(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGTERM, late)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def waited(child: int, wall_s: float) -> int:
    """The exit code of a child; out of time it is killed."""
    try:
        stop_at(wall_s)
        _, status = os.waitpid(child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return exit_code_of(status)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return OUT_OF_TIME


def left_over(uid: int) -> list[int]:
    """The processes that came of the command: children of this one by now, or those of the user that it ran as."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/status") as file:
            said = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
            is_ours = int(said["PPid"]) == os.getpid() or (uid and int(said["Uid"].split()[0]) == uid)
            if is_ours and not said["State"].strip().startswith("Z"):
                found.append(int(name))
    return found


def end_left_over(uid: int) -> None:
    """Kill them until there is none."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        pids = left_over(uid) if os.path.isdir("/proc/self") else []
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not pids:
            return


def main() -> None:
    """Start the program in the sandbox, wait for it, and end all that it has started."""
    told, command = json.loads(sys.argv[1]), sys.argv[2:]
    die_with(told["parent"])
    if told["kind"] == "namespaces":
        try:
            leave_all()
        except OSError as error:
            os.write(2, f"{error}\n".encode())
            os._exit(CANNOT_BEGIN)
        child = os.fork()
        if child == 0:
            first_of_all(told, command)
        os._exit(waited(child, told["wall_s"]))
    if sys.platform == "linux":
        libc.prctl(IS_REAPER, 1, 0, 0, 0)
    code = waited(begin(command), told["wall_s"])
    end_left_over(told.get("uid", 0))
    os._exit(code)


if __name__ == "__main__":
    main()
