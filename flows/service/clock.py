"""A clock that goes on while the machine sleeps, unlike `time.monotonic` on Linux."""

from __future__ import annotations

import time


def clock() -> float:
    """Seconds since an unspecified moment, also counted while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
