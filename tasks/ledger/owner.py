"""Who holds a lease: a process, named so that others on its machine can tell whether it still lives, or a batch."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

from tasks.storage.digest import digest

OF_BATCH = "batch////"
ENDED = ("Z", "X")  # states of a process that was killed and has not been waited for


def new_owner() -> str:
    """A name that nobody else has: host, namespace of process ids, process, when it began, and a random part."""
    started = _state_of(os.getpid())
    return "/".join(
        [socket.gethostname(), _namespace(), str(os.getpid()), started[1] if started else "", secrets.token_hex(4)]
    )


def batch_owner(tag: bytes) -> str:
    """The name of a batch that requests are in, wherever it was submitted."""
    return f"{OF_BATCH}{tag.hex()}"


def batch_in(owner: str) -> bytes | None:
    """The tag of the batch that has a lease; None where it is a process's."""
    return bytes.fromhex(owner.removeprefix(OF_BATCH)) if owner.startswith(OF_BATCH) else None


def shown_owner(owner: str) -> str:
    """The owner as a user can look for it."""
    host, _, process, *_ = owner.split("/")
    return f"process {process} on {host}"


def has_ended(owner: str) -> bool:
    """Whether the process is known to be no more. Of one elsewhere nothing is known: its leases run out."""
    _, namespace, process, started, _ = owner.split("/")
    if not namespace or namespace != _namespace():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # another user's: what /proc says of it may be hidden
    state = _state_of(int(process))
    return state is None or state[0] in ENDED or state[1] != started


@cache
def _namespace() -> str:
    """What process ids mean here: this start of this machine, and this container. Empty where that cannot be told."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
        return digest(boot, str(Path("/proc/self/ns/pid").readlink()))[:8]
    return ""


def _state_of(process: int) -> tuple[str, str] | None:
    """The state of a process, a letter, and when it began; None where there is no such process, or no /proc."""
    with suppress(OSError):
        after_name = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return after_name[0], after_name[19]
    return None
