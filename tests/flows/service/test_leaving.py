"""The end of a command: its exit code, its words, and nothing that it waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.serving import free_port

LEAVING = "import sys, threading\nfrom flows.service.leaving import leaving_at_once\nwith leaving_at_once():\n    "


def ended(block: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", before + LEAVING + block], capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    ("block", "code"),
    [
        pytest.param("pass", 0, id="to its end"),
        pytest.param("sys.exit()", 0, id="no code"),
        pytest.param("sys.exit(3)", 3, id="a code"),
        pytest.param("sys.exit('words')", 1, id="words"),
        pytest.param("raise ValueError('a bug')", 1, id="a bug"),
    ],
)
def test_the_exit_code_is_the_one_that_python_would_give(block: str, code: int) -> None:
    assert ended(block).returncode == code


def test_what_was_printed_comes_out_and_a_bug_has_its_traceback() -> None:
    done = ended("print('said', end=''); raise ValueError('a bug')")
    assert done.stdout == "said"
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ValueError: a bug\n")


def test_no_thread_is_waited_for() -> None:
    assert ended("threading.Thread(target=threading.Event().wait).start(); sys.exit(3)").returncode == 3


def test_events_for_a_server_that_is_gone_hold_up_the_end_no_longer_than_they_may() -> None:
    before = f"import os; os.environ['PREFECT_API_URL'] = 'http://127.0.0.1:{free_port()}/api'\n"
    block = (
        "from flows.service.away.patience import leave; from prefect.events import emit_event\n"
        "    emit_event('a', resource={'prefect.resource.id': 'b'})\n"
        "    leave(0.5); sys.exit(3)"
    )
    assert ended(block, before).returncode == 3
