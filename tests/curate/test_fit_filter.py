"""`curate.fit`: rows that a trainer would not see whole go, in runs of both kinds and of a dataset that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tests.flows.test_instruction_sft import Scripted, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.models.tiny import CHATML, save_tiny_model

QUESTIONS = [f"question {at}" for at in range(12)]
QUIET = {"filters": None, "deduplicate": None}


def lengthy(request: Any) -> str:
    """Every third answer is longer than the trainer takes."""
    number = int(request.messages[-1]["content"].split()[-1])
    return f"It is {number}." + (" And so on it goes." * 40 if number % 3 == 0 else "")


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_tiny_model(tmp_path / "tiny"))


def rejects(folder: str) -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/rejects.parquet").filter(technique="fit")


def test_answers_that_would_be_cut_go_with_their_reason(scripted: Scripted, home: Path, model: str) -> None:
    scripted(lengthy)
    summary = sft(recipe="respond", seeds=QUESTIONS, curate=QUIET | {"fit": {"model": model, "max_length": 200}})
    assert summary["rows"] == 8
    gone = rejects("out")
    assert set(gone["reason"]) == {"answer_cut"} and set(gone["kind"]) == {"filtered"} and gone.height == 4
    whole = sft(recipe="respond", seeds=QUESTIONS, curate=QUIET | {"fit": {"model": model, "max_length": 4000}})
    assert (whole["rows"], whole["requests"]) == (12, 0)


def test_another_template_looks_at_the_rows_anew(scripted: Scripted, home: Path, model: str) -> None:
    scripted(lengthy)
    fit = QUIET | {"fit": {"model": model, "max_length": 4000}}
    assert sft(recipe="respond", seeds=QUESTIONS, curate=fit)["rows"] == 12
    refusing = (
        CHATML.replace("'refuse'", "'never'") + "{% if messages|length > 1 %}{{ raise_exception('no') }}{% endif %}"
    )
    Path(model, "chat_template.jinja").write_text(refusing)
    from tasks.curate import fit_filter
    from tasks.models.target import open_target

    open_target.cache_clear()
    fit_filter._facts.cache_clear()
    summary = sft(recipe="respond", seeds=QUESTIONS, curate=fit, allow_empty=True)
    assert (summary["rows"], set(rejects("out")["reason"])) == (0, {"refused"})


def test_of_pairs_both_sides_are_looked_at(scripted: Scripted, home: Path, model: str) -> None:
    scripted(judged)
    fit = {"model": model, "max_length": 4}
    plain = dpo(recipe="basic", instructions=QUESTIONS, out="all")
    cut = dpo(recipe="basic", instructions=QUESTIONS, curate={"fit": fit}, allow_empty=True)
    assert plain["rows"] > cut["rows"] == 0
    assert set(rejects("pairs")["reason"]) == {"dropped"}


def test_a_dataset_that_is_there_keeps_what_fits(home: Path, model: str) -> None:
    from flows.curate import curate
    from flows.curate_dataset import CurateDataset

    talks = [
        [{"role": "user", "content": f"a{at}"}, {"role": "assistant", "content": "b" * (900 if at % 2 else 9)}]
        for at in range(10)
    ]
    Path("rows.jsonl").write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    told = {"fit": {"model": model, "max_length": 200}, **QUIET}
    summary = curate(CurateDataset(source="rows.jsonl", out="fitting", curate=told))
    assert summary["rows"] == 5 and set(rejects("fitting")["reason"]) == {"answer_cut"}


def test_mistakes_are_told_before_anything_is_asked(scripted: Scripted, home: Path) -> None:
    asked = scripted(lengthy)
    for fit, said in (
        ({"model": "/nowhere/at/all"}, "no such model folder"),
        ({"model": "demo", "loss": "assistant"}, "does not mark what the assistant says"),
    ):
        with pytest.raises(ConfigError, match=said):
            sft(recipe="respond", seeds=QUESTIONS, curate={"fit": fit})
    assert not asked.requests


def test_what_a_setting_mends_is_told_once(
    scripted: Scripted, home: Path, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    scripted(lengthy)
    sft(recipe="respond", seeds=QUESTIONS[1:2], curate=QUIET | {"fit": {"model": model, "max_length": 4000}})
    lines = [record.getMessage() for record in caplog.records if "curate.fit" in record.getMessage()]
    assert [line for line in lines if "at which generation does not stop" in line][:1] and len(lines) == 1
