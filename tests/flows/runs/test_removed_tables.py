"""The tables of a home removed by hand: every later run, retry and night goes on, and nothing is asked for again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tests.flows.runs.test_healing import run_again
from tests.flows.runs.test_lineage import QUESTIONS, asked, failing, night, retry, text_of
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

BROKEN = {"question 3", "question 13"}
Make = Callable[[int], dict[str, Any]]


def whole(until: int) -> dict[str, Any]:
    return sft(recipe="respond", seeds=QUESTIONS[:until], max_attempts=2)


def incremental(until: int) -> dict[str, Any]:
    return night(QUESTIONS[:until], max_attempts=2)


def remove_tables(home: Path) -> None:
    shutil.rmtree(home / "tables", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("make", [whole, incremental])
def test_after_a_retry_the_dataset_lives_on_without_its_tables(make: Make, scripted: Scripted, home: Path) -> None:
    scripted(failing(rule, BROKEN.__contains__))
    make(20)
    second = make(30)
    scripted(rule)
    for run in (second["run"], None):  # None: every run that left failed rows
        retry(run)
    assert asked() == QUESTIONS[:30]
    before = pl.read_parquet("out/data/train.parquet")
    model = scripted(rule)
    runs = [second["run"]]
    for again in (make, None, incremental, None, whole):
        remove_tables(home)
        done = again(30) if again else retry(runs[-1])
        assert done["requests"] == 0
        runs.append(done["run"])
        assert pl.read_parquet("out/data/train.parquet").equals(before)
    remove_tables(home)
    grown = make(40)
    assert (grown["requests"], grown["rows"], asked()) == (10, 40, QUESTIONS)
    assert len(model.requests) == 10


def test_rejects_that_were_removed_are_told_in_one_line(scripted: Scripted, home: Path) -> None:
    from flows.command.terminal import show_rejects

    scripted(failing(rule, BROKEN.__contains__))
    run = whole(20)["run"]
    remove_tables(home)
    with pytest.raises(ConfigError, match=r"tables of the run were removed.*out/rejects.parquet"):
        show_rejects(run, 20)


@pytest.mark.parametrize("make", [whole, incremental])
def test_what_failed_is_healed_though_its_tables_are_gone(make: Make, scripted: Scripted, home: Path) -> None:
    scripted(failing(rule, BROKEN.__contains__))
    first = make(20)
    remove_tables(home)
    model = scripted(rule)
    assert retry(first["run"])["requests"] == 2
    assert {text_of(request) for request in model.requests} == BROKEN
    assert asked() == QUESTIONS[:20]


def test_rows_added_since_stay_when_a_run_is_healed_without_its_tables(scripted: Scripted, home: Path) -> None:
    scripted(failing(rule, BROKEN.__contains__))
    first = incremental(20)
    incremental(30)
    remove_tables(home)
    model = scripted(rule)
    healed = retry(first["run"])
    assert (healed["requests"], healed["changes"]) == (2, {"added": 2, "changed": 0, "gone": 0})
    assert (asked(), len(model.requests)) == (QUESTIONS[:30], 2)


def test_the_button_of_prefects_ui_heals_a_run_without_its_tables(scripted: Scripted, home: Path) -> None:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    scripted(failing(rule, BROKEN.__contains__))
    config = InstructionSFT(recipe="respond", seeds=QUESTIONS, model="test", out="out", max_reject_fraction=0.01)
    state = instruction_sft(config, return_state=True)
    assert state.is_failed()
    remove_tables(home)
    scripted(rule)
    again = run_again(instruction_sft, state.state_details.flow_run_id, {"config": config})
    assert (again["requests"], asked()) == (2, QUESTIONS)


def test_pairs_are_healed_without_the_tables(scripted: Scripted, home: Path) -> None:
    options: dict[str, Any] = {"recipe": "basic", "max_attempts": 1, "instructions": QUESTIONS[:8]}
    scripted(failing(judged, lambda text: text in ("question 1", "question 7")))
    first = dpo(**options, out="pairs")
    remove_tables(home)
    model = scripted(judged)
    retry(first["run"])
    asked_again = len(model.requests)
    assert asked_again
    remove_tables(home)
    assert dpo(**options, out="pairs")["requests"] == 0
    assert len(model.requests) == asked_again


def test_a_home_from_before_with_its_tables_is_read_and_without_them_keeps_what_was_healed(
    scripted: Scripted, home: Path
) -> None:
    def forget_what_is_kept() -> None:
        for path in home.glob("runs/*/*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "manifest.json":
                path.unlink()

    scripted(failing(rule, BROKEN.__contains__))
    first = whole(20)
    forget_what_is_kept()
    model = scripted(rule)
    healed = retry(first["run"])
    assert (healed["requests"], asked()) == (2, QUESTIONS[:20])
    forget_what_is_kept()
    assert whole(20)["requests"] == 0
    forget_what_is_kept()
    remove_tables(home)
    with pytest.raises(ConfigError, match=r"tables of the run are gone.*run it again"):
        retry(healed["run"])
    again = whole(20)
    assert (again["requests"], again["rows"], len(model.requests)) == (0, 20, 2)
    assert asked() == QUESTIONS[:20]
