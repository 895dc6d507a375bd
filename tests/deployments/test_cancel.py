"""*Cancel* in the UI, and a process that is told to stop: a run asks for nothing any more, and keeps what was in flight."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from tests.serving import THINKING_RULES, Served, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
IN_FLIGHT, ROWS = 8, 96
KEPT = "no request is made any more"


def config(name: str) -> dict[str, Any]:
    """A run whose requests take longer than the way from a click to the run."""
    seeds = [{"instruction": f"{name} {i}"} for i in range(ROWS)]
    model = {"name": THINKING_RULES, "max_in_flight": IN_FLIGHT}
    return slow_config(0, IN_FLIGHT) | {"name": name, "seeds": seeds, "model": model}


def asked(served: Served, name: str) -> list[str]:
    return [question for question in served.requests() if question.startswith(name)]


def started(served: Served, name: str) -> str:
    run_id = served.start_run("instruction-sft-nightly", config=config(name))
    until(lambda: len(asked(served, name)) >= 2 * IN_FLIGHT, 120, "the run makes requests")
    return run_id


def assert_all_kept(served: Served, run_id: str, name: str) -> None:
    """Goes on to the end: nothing that was asked before is asked again."""
    assert served.ended(run_id)["state_type"] == "COMPLETED"
    assert Counter(asked(served, name)).total() == len(set(asked(served, name))) == ROWS


def test_cancel_lets_what_is_in_flight_finish_and_asks_for_nothing_more(served: Served) -> None:
    run_id = started(served, "cancelled")
    before = len(asked(served, "cancelled"))
    served.set_state(run_id, "CANCELLING", "Cancelling")
    assert served.ended(run_id)["state_type"] == "CANCELLED"
    until(lambda: served.process_of_run(run_id) is None, 60, "the process is gone")
    sent = asked(served, "cancelled")
    assert len(sent) <= before + 2 * IN_FLIGHT
    assert sorted(answer for answer in served.answers() if answer.startswith("cancelled")) == sorted(sent)
    assert [line for line in served.log_of(run_id) if KEPT in line and "cancelled" in line]
    served.set_state(run_id, "SCHEDULED", "AwaitingRetry")
    assert_all_kept(served, run_id, "cancelled")


def test_a_run_whose_process_is_told_to_stop_keeps_what_was_in_flight_and_goes_on(served: Served) -> None:
    run_id = started(served, "stopped")
    child = served.process_of_run(run_id)
    assert child is not None
    os.kill(child, signal.SIGTERM)
    until(lambda: served.run(run_id)["run_count"] == 2, 120, "the run goes on")
    assert [line for line in served.log_of(run_id) if KEPT in line and "worker stops" in line]
    assert_all_kept(served, run_id, "stopped")
