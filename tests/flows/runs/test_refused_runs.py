"""What the command says of a server that refuses, and of what it had to be told otherwise."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import polars as pl
import pytest

from flows.runs.verdict import raise_first, too_many_rejects
from tasks.errors import Interrupted, PermanentError
from tasks.models.open import DEMO_WEIGHTS
from tasks.storage.tables import REJECTS, write_table
from tests.engine.test_refusals import CREDIT, NOBODY_FORESAW, PARAMETER, WORDS, refusing
from tests.flows.command.in_process import run_command
from tests.flows.command.test_main import questions, stillroom
from tests.models.cases import played
from tests.models.server import chat, serving


def respond(folder: Path, rows: int, model: str) -> list[str]:
    return [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(folder, rows),
        "--model",
        model,
        "--out",
        "out",
        "--json",
    ]


@pytest.mark.slow
def test_a_run_that_is_refused_as_a_whole_is_one_line_and_the_same_command_goes_on(
    tmp_path: Path, prefect_server: str
) -> None:
    with serving(CREDIT) as server:
        arguments = respond(tmp_path, 3, server.name)
        for refusal, words in ((CREDIT, WORDS[0]), (NOBODY_FORESAW, WORDS[2])):
            server.behaviours = [refusal]
            ended = stillroom(tmp_path, *arguments, server=prefect_server)
            assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr
            assert words in ended.stderr
            assert not (tmp_path / "out" / "data").exists()
        server.behaviours = [chat()]
        ended = stillroom(tmp_path, *arguments, server=prefect_server)
        assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["rows"] == 3


def test_of_several_errors_the_one_that_brought_about_the_others_is_told() -> None:
    cause = PermanentError("no credit is left", "model", "pay")
    for errors in permutations((OSError("a shard by itself"), Interrupted("the run was told to stop"), cause)):
        with pytest.raises(PermanentError, match="no credit"):
            raise_first(errors)
    raise_first([])


def test_rows_that_failed_count_as_far_as_they_are_more_than_allowed_and_filtered_ones_do_not(tmp_path: Path) -> None:
    kinds = ["failed"] * 2 + ["filtered"] * 3
    rejects = [{"row_id": f"{at}", "kind": kind, "reason": "empty"} for at, kind in enumerate(kinds)]
    beside = {"rejects": pl.DataFrame(rejects, schema=REJECTS)}
    rows = pl.DataFrame({"row_id": list("abcde")})
    steps = {"a step": [write_table(tmp_path / "table.parquet", "a step", rows, beside, rows_in=10)]}
    assert too_many_rejects(steps, 0.2) is None
    assert "2 of 10 rows failed" in str(too_many_rejects(steps, 0.19))


def test_what_is_left_out_is_one_line_on_the_terminal(connected: Path) -> None:
    with serving(refusing("temperature", PARAMETER)) as server:
        ended = run_command(*respond(connected, 3, server.name))
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stderr.splitlines() if "`temperature`" in line] == ended.stderr.strip().splitlines()
    assert json.loads(ended.stdout)["rows"] == 3


def test_the_name_that_a_server_gives_the_model_is_in_card_and_provenance(connected: Path) -> None:
    with serving(played("other_model")) as server:
        ended = run_command(*respond(connected, 2, server.name))
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert f"| {server.name} (served: some-other-model-1b) |" in (connected / "out" / "README.md").read_text()
    names = pl.read_parquet(connected / "out" / "provenance.parquet")["model"].drop_nulls().unique().to_list()
    assert names == ["a-model (served: some-other-model-1b)"]


@pytest.mark.parametrize("model", ["demo", "an endpoint"])
def test_thinking_without_a_switch_in_a_known_template_is_refused_before_anything_starts(
    model: str, connected: Path
) -> None:
    with serving(chat()) as server:
        name, tokenizer = (
            ("demo", ()) if model == "demo" else (server.name, ("--set", f"model.tokenizer={DEMO_WEIGHTS}"))
        )
        ended = run_command(*respond(connected, 2, name), "--set", "model.thinking=on", *tokenizer)
        assert server.bodies == []
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended
    assert "the chat template has no switch for `thinking: on`" in ended.stderr
