"""The main thread heeds a signal at once, whichever thread of the process the kernel gives it to."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NUDGE = signal.SIGURG  # which does nothing where nobody asked for it


@contextmanager
def waking_the_main_thread() -> Iterator[None]:
    """Wake the main thread, which runs the block, for each signal that comes meanwhile.

    Python runs handlers in the main thread alone, and wakes it for a signal only where that thread got it. With threads
    that start processes about one in fifty goes to another one: a main thread that waits for a lock slept on until the
    run was over. Python's wake-up file is written to in any thread; a thread that reads it sends the main thread a
    signal that nobody else can take.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False), signal.getsignal(NUDGE)
    signal.signal(NUDGE, lambda *_: None)  # ignored, it would wake nobody
    nudging = threading.Thread(target=_nudge, args=(heard, threading.get_ident()), name="stillroom-nudge", daemon=True)
    nudging.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before[0])
        told.close()
        nudging.join()
        heard.close()
        signal.signal(NUDGE, before[1])


def _nudge(heard: socket.socket, main_thread: int) -> None:
    """Wake the main thread for each signal that is heard of, but for those that wake it."""
    while numbers := heard.recv(64):
        if any(number != NUDGE for number in numbers):
            signal.pthread_kill(main_thread, NUDGE)
