"""What workers count in processes of their own, brought home; and the word to stop, brought to them.

Each worker keeps one small file in a place that all of them reach (beside the tables), written anew about once a second
and when its shard ends; a worker that is lost takes at most its last second's counts with it. The run adds the files up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import orjson

from tasks.engine.accounting import StepTally, Tally
from tasks.engine.context import Context
from tasks.engine.loop import the_loop
from tasks.storage import places

REPORT_EVERY_S = 1.0
WORKER = uuid4().hex
STOP = "stop"


@contextmanager
def reporting(place: str | None, context: Context) -> Iterator[None]:
    """While the block runs, and at its end, report the counts of this process to a place, and heed a stop from there."""
    if place is None:
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_keep_reporting, args=(place, context, done), name="stillroom-report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _report(place, context)


def gather(place: str, context: Context) -> None:
    """Make the tally of a run the sum of what its workers have reported; tell them to stop where it has been stopped."""
    reports = [orjson.loads(places.read(file)) for file in places.files_in(place) if file.endswith(".json")]
    context.accounting.tally = tally_of(sum_of(reports))
    if context.stop.is_set():
        places.write(f"{place}/{STOP}", b"")


def clear(place: str) -> None:
    """Remove all reports, and the word to stop."""
    for file in places.files_in(place):
        places.remove(file)


def sum_of(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Nested counts added up, name by name."""
    total: dict[str, Any] = {}
    for one in counts:
        for name, value in one.items():
            if isinstance(value, dict):
                total[name] = sum_of([total.get(name, {}), value])
            else:
                total[name] = total.get(name, 0) + value
    return total


def tally_of(counts: Mapping[str, Any]) -> Tally:
    """The tally that `as_dict` gave these counts."""
    tally = Tally(**_counters({name: value for name, value in counts.items() if name != "steps"}))
    for step, of_step in counts.get("steps", {}).items():
        tally.steps[step] = StepTally(**_counters(of_step))
    return tally


def _counters(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Counter(value) if isinstance(value, dict) else value for name, value in counts.items()}


def _keep_reporting(place: str, context: Context, done: threading.Event) -> None:
    while not done.wait(REPORT_EVERY_S):
        _report(place, context)
        if places.is_there(f"{place}/{STOP}"):
            the_loop().call_soon_threadsafe(context.halt)


def _report(place: str, context: Context) -> None:
    places.write(f"{place}/{WORKER}.json", orjson.dumps(context.accounting.tally.as_dict()))
