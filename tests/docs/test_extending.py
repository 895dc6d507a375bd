"""The technique that docs/extending.md shows is run as it is printed there, in a folder of the user's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.column_types import MESSAGE
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import seed_row_id
from tasks.engine.shard import run_shard
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.own_code import load
from tasks.text.prompts import Prompts
from tests.docs.printed import ROOT, blocks
from tests.rows import a_row

PAGE = ROOT / "docs/extending.md"
LONG, SHORT = "Say, if you would be so kind, what time it is.", "What time is it?"
TALK = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Noon."}]
ANSWERED = {"instruction": LONG, "response": "Noon.", "response_model": "m", "messages": TALK}


@pytest.fixture
def shorten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The technique, with its file and its prompt where the page puts them."""
    monkeypatch.chdir(tmp_path)
    words = tmp_path / "my_prompts/shorten/shorten.j2"
    words.parent.mkdir(parents=True)
    words.write_text(blocks(PAGE, "jinja")[0])
    for name, text in zip(("my_steps.py", "test_my_steps.py"), blocks(PAGE, "python")[:2], strict=True):
        (tmp_path / name).write_text(text)
    return load("my_steps.py:shorten", "a technique")


def context() -> Context:
    return Context(prompts=Prompts(own="my_prompts").resolved())


def models() -> tuple[ScriptedModel, Models]:
    model = ScriptedModel(lambda _: SHORT)
    return model, Models({"generator": [Member(model, ModelConfig(name="scripted"))]}, context())


def test_the_example_of_a_technique_takes_no_stale_answer_along(shorten: Any) -> None:
    model, asked = models()
    [child] = asyncio.run(shorten(a_row(**ANSWERED, topic="t"), asked, shorten.params()))
    assert dict(child) == {
        "instruction": SHORT,
        "response": None,
        "response_model": None,
        "messages": None,
        "topic": "t",
    }
    assert model.requests[0].messages == (
        {"role": "user", "content": f"Say this in at most 20 words. Write nothing else.\n\n{LONG}"},
    )


def test_the_test_of_the_example_passes(shorten: Any) -> None:
    load("test_my_steps.py:test_an_instruction_is_said_in_fewer_words", "a test")()


def test_the_example_of_a_technique_runs_over_a_table(shorten: Any) -> None:
    texts = ("row_id", "instruction", "response", "response_model")
    schema = dict.fromkeys(texts, pl.String) | {"messages": pl.List(MESSAGE)}
    frame = pl.DataFrame([{"row_id": seed_row_id(ANSWERED), **ANSWERED}], schema=schema)
    outcome = run_shard(shorten, frame, models()[1], shorten.params(), context(), admission=Admission(1))
    assert outcome.rows.drop("row_id").rows() == [(SHORT, None, None, None)]
    assert outcome.rows.schema == frame.schema
