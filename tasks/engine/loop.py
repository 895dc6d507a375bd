"""The one asyncio loop of a process, in a thread of its own. Shards, in Prefect's threads, hand their rows to it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


_starting = threading.Lock()


@cache
def _started() -> asyncio.AbstractEventLoop:
    # A row makes many small objects that die young: by default the collector takes 40 % of the time looking at them
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    loop = uvloop.new_event_loop()  # a request costs a fifth less CPU on it than on asyncio's own
    threading.Thread(target=loop.run_forever, name="stillroom-loop", daemon=True).start()
    return loop


def the_loop() -> asyncio.AbstractEventLoop:
    """The loop, started with its thread on first use."""
    with _starting:  # `cache` alone would let two threads start one each
        return _started()


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop and wait for it. Interrupted while waiting, the work is cancelled first."""
    future = asyncio.run_coroutine_threadsafe(work, the_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
