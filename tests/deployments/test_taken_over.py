"""A process that stood still for a while, and whose run has gone on without it, asks for nothing any more."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from flows.service.worker.ownership import STALE_S
from tests.serving import Served, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
IN_FLIGHT, ROWS = 8, 1200
LEFT = "this process leaves the run alone"


def test_a_frozen_process_whose_run_was_taken_over_stops_before_it_asks_on(served: Served) -> None:
    run_id = served.start_run("instruction-sft-nightly", config=slow_config(ROWS, IN_FLIGHT) | {"name": "frozen"})
    asked_at_first = len(served.requests())
    until(lambda: len(served.requests()) > asked_at_first + 200, 120, "the run makes requests")
    frozen = served.process_of_run(run_id)
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    served.set_state(run_id, "CRASHED", "Crashed")  # as the automation does after 90 s
    served.set_state(run_id, "SCHEDULED", "AwaitingRetry")
    until(lambda: served.run(run_id)["run_count"] == 2, 120, "another process has begun")
    time.sleep(STALE_S)
    os.kill(frozen, signal.SIGCONT)
    until(lambda: frozen not in served.processes(), 60, "the frozen process has ended by itself")
    assert [line for line in served.log_of(run_id) if LEFT in line]
    run = served.ended(run_id)
    assert (run["state_type"], run["run_count"]) == ("COMPLETED", 2)
    asked = Counter(served.requests()[asked_at_first:])
    assert len(asked) == ROWS
    assert asked.total() - ROWS <= 2 * IN_FLIGHT  # those in flight when it froze


def test_a_run_that_was_marked_crashed_stops_though_nobody_has_taken_it(served: Served) -> None:
    asked_at_first = len(served.requests())
    run_id = served.start_run("instruction-sft-nightly", config=slow_config(2000, IN_FLIGHT) | {"name": "marked"})
    until(lambda: len(served.requests()) > asked_at_first + 100, 120, "the run makes requests")
    served.set_state(run_id, "CRASHED", "Crashed")
    until(lambda: served.process_of_run(run_id) is None, 60, "its process has ended")
    assert served.run(run_id)["state_type"] == "CRASHED"
    assert len(served.requests()) < asked_at_first + 2000
    assert [line for line in served.log_of(run_id) if LEFT in line and "Crashed" in line]
