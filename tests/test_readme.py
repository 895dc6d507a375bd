"""What the README shows is run as it is printed there."""

import asyncio
import re
import textwrap
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from tasks.engine import templates
from tasks.engine.ask import Member, Models
from tasks.engine.context import Context
from tasks.engine.gate import Gate
from tasks.engine.row import seed_row_id
from tasks.engine.shard import run_shard
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.schemas import MESSAGE
from tests.rows import a_row

README = Path(__file__).parents[1] / "README.md"
LONG, SHORT = "Say, if you would be so kind, what time it is.", "What time is it?"
TALK = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Noon."}]
ANSWERED = {"instruction": LONG, "response": "Noon.", "response_model": "m", "messages": TALK}


def printed(section: str, language: str) -> str:
    """The one block of code in this language in a section."""
    text = README.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    [block] = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(block)


@pytest.fixture
def shorten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the README's technique, with its prompt where the README puts it."""
    section = "Add a technique in four steps"
    words = tmp_path / "prompts/readme/shorten/shorten.j2"
    words.parent.mkdir(parents=True)
    words.write_text(printed(section, "jinja"))
    monkeypatch.setattr(templates, "PROMPTS", tmp_path / "prompts")
    (tmp_path / "shorten.py").write_text(printed(section, "python"))
    spec = spec_from_file_location("shorten", tmp_path / "shorten.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models() -> tuple[ScriptedModel, Models]:
    model = ScriptedModel(lambda _: SHORT)
    return model, Models({"generator": [Member(model, ModelConfig(name="scripted"))]}, Context(language="readme"))


def test_the_example_of_a_technique_takes_no_stale_answer_along(shorten: ModuleType) -> None:
    model, asked = models()
    [child] = asyncio.run(shorten.shorten(a_row(**ANSWERED, topic="t"), asked, shorten.Shorten()))
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


def test_the_example_of_a_technique_runs_over_a_table(shorten: ModuleType) -> None:
    schema = {"row_id": pl.String, "instruction": pl.String, "response": pl.String, "response_model": pl.String,
              "messages": pl.List(MESSAGE)}  # fmt: skip
    frame = pl.DataFrame([{"row_id": seed_row_id(ANSWERED), **ANSWERED}], schema=schema)
    asked = models()[1]
    outcome = run_shard(shorten.shorten, frame, asked, shorten.Shorten(), Context(language="readme"), gate=Gate(1))
    assert outcome.rows.drop("row_id").rows() == [(SHORT, None, None, None)]
    assert outcome.rows.schema == frame.schema
