"""Run as a program, in the sandbox: sets the limits, gives up all rights, and becomes the program that was given.

    python -c INSIDE '{"cpu_s": 10, ...}' PROGRAM

It imports nothing of the house. What it cannot set ends it before the program begins: exit code 97.
"""

import json
import os
import resource
import sys

CANNOT_BEGIN = 97


def give_up_rights(uid: int) -> None:
    """Become a user who owns nothing, where this is root's process."""
    if uid and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        if os.geteuid() == 0:
            raise PermissionError("still root")


def set_limits(told: dict) -> None:  # type: ignore[type-arg]
    """Set each limit, hard and soft."""
    wanted = {
        resource.RLIMIT_CPU: told["cpu_s"],
        resource.RLIMIT_FSIZE: told["file_mb"] << 20,
        resource.RLIMIT_NOFILE: told["open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: told["processes"],
    }
    if sys.platform == "linux":  # macOS has no limit of this kind
        wanted[resource.RLIMIT_AS] = told["memory_mb"] << 20
    for limit, most in wanted.items():
        hard = resource.getrlimit(limit)[1]
        most = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
        last = most + 1 if limit == resource.RLIMIT_CPU and hard in (resource.RLIM_INFINITY, most + 1) else most
        resource.setrlimit(limit, (most, last))  # of time one second is left, so that the signal says what it was


def forbid_more_rights() -> None:
    """No program that this one starts has more rights than it, whatever bits its file has."""
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
            raise PermissionError("no_new_privs")


def main() -> None:
    """Set all up, and run the program."""
    told, program = json.loads(sys.argv[1]), sys.argv[2]
    try:
        forbid_more_rights()
        give_up_rights(told.get("uid", 0))
        set_limits(told)
    except (OSError, ValueError) as error:
        os.write(2, f"the limits cannot be set: {error}\n".encode())
        os._exit(CANNOT_BEGIN)
    sys.argv = ["program"]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})


if __name__ == "__main__":
    main()
