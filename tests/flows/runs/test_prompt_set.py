"""Which prompts a run asks with: full ones for a real model, and for a dataset those that it was begun with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.config import InstructionSFT, PreferenceDPO
from flows.runs.manifests import manifest_path
from flows.runs.plan import plan_of
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tasks.notices import heard
from tasks.text.prompts import FULL, Prompts
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

REAL = "m@http://127.0.0.1:9/v1"
SEEDS = ["cats", "dogs"]


class Served:
    """A model that is no scripted one to the house, and answers by a rule all the same."""

    def __init__(self) -> None:
        self._played = ScriptedModel(rule, name="served")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._played, name)


@pytest.fixture
def served(prefect_server: str, home: Path) -> Any:
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig

    process.adopt(ModelConfig(name="served"), Served())  # type: ignore[arg-type]
    yield "served"
    process.close()


def run(**options: Any) -> tuple[dict[str, Any], list[str]]:
    """The summary of a run, and what it told of prompts."""
    told: list[str] = []
    with heard(told.append):
        summary = sft(model="served", seeds=SEEDS, **options)
    return summary, [line for line in told if "prompts of the set" in line]


@pytest.mark.parametrize(
    ("config", "chosen"),
    [
        (InstructionSFT(), "demo"),
        (InstructionSFT(model="scripted:rules.py:answer"), "demo"),
        (InstructionSFT(model=REAL), "full"),
        (InstructionSFT(model=REAL, prompt_set="demo"), "demo"),
        (InstructionSFT(prompt_set="full"), "full"),
        (InstructionSFT(model="demo-2", recipe="respond"), "full"),
        (PreferenceDPO(roles={"judge": [REAL]}, instructions=SEEDS), "full"),
    ],
    ids=[
        "the demo model",
        "a scripted one",
        "an endpoint",
        "named",
        "named for the demo",
        "the second built-in model",
        "one real judge",
    ],
)
def test_the_set_is_that_of_the_models_unless_one_is_named(config: Any, chosen: str, home: Path) -> None:
    assert plan_of(config).prompts.set == chosen


def test_a_dataset_of_before_goes_on_with_its_prompts_at_no_cost_until_another_set_is_named(served: str) -> None:
    first, told = run(prompt_set="demo")
    assert first["requests"] > 0 and not told
    _as_of_old(Path("out"), first["run"])
    again, told = run()
    assert (again["requests"], again["rows"]) == (0, first["rows"])
    assert len(told) == 1 and "set `demo`" in told[0] and "prompt_set=full" in told[0]
    named, told = run(prompt_set="full")
    assert named["requests"] > 0 and not told
    last, told = run()
    assert last["requests"] == 0 and not told


def _as_of_old(out: Path, run: str) -> None:
    """History and manifest as they were written when there was one set."""
    lines = [json.loads(line) for line in (out / "revisions.jsonl").read_text().splitlines()]
    assert [line.pop("prompt_set") for line in lines] == ["demo"]
    (out / "revisions.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    loaded = json.loads(manifest_path(run).read_text())
    del loaded["settings"]["prompts"]
    loaded["config"]["prompt_set"] = None
    manifest_path(run).write_text(json.dumps(loaded))


def test_a_retry_asks_with_the_prompts_of_the_run_that_it_heals(served: str) -> None:
    first, _ = run(prompt_set="demo")
    run(prompt_set="full")
    loaded = json.loads(manifest_path(first["run"]).read_text())
    config = InstructionSFT(**loaded["config"] | {"retry": first["run"], "prompt_set": None})
    assert plan_of(config).prompts.set == "demo"


def test_a_run_that_was_left_without_a_row_has_begun_its_dataset_too(served: str) -> None:
    """Its answers are paid for, and stand in the ledger."""
    budget = {"max_requests": 1, "seeds": ["cats"]}
    with heard(lambda _: None):
        none = sft(model="served", prompt_set="demo", **budget)
    assert not none["published"]
    assert plan_of(InstructionSFT(model="served", out="out")).prompts.set == "demo"
    assert plan_of(InstructionSFT(model="served", out="another")).prompts.set == "full"


def test_of_a_dataset_with_the_usual_set_nothing_is_told(served: str) -> None:
    assert run()[1] == [] and run()[1] == []


MARK = "Dig until you strike rock."


def laid_over(name: str) -> str:
    """A folder of the user's own, with one prompt that says one sentence more than ours."""
    copy = Path("mine") / f"{name}.j2"
    copy.parent.mkdir(parents=True)
    ours = Prompts(FULL).file(name).read_text()
    copy.write_text(ours.replace("{% block system %}", f"{{% block system %}}\n{MARK}"))
    assert MARK in copy.read_text()
    return "mine"


def heeding(answer: Callable[[Request], str]) -> Callable[[Request], str]:
    """The same answers, but for those to the changed prompt, and for what depends on one."""

    def said(request: Request) -> str:
        return answer(request).replace("Work out", "Dig for") if MARK in words_of(request) else answer(request)

    return said


def words_of(request: Request) -> str:
    return "\n".join(message["content"] for message in request.messages or ())


def test_one_changed_prompt_is_asked_anew_with_what_depends_on_its_answers_and_nothing_else(scripted: Scripted) -> None:
    model = scripted(heeding(rule))
    options = {"recipe": "evolved", "seeds": [f"question {n}" for n in range(6)], "prompt_set": "full"}
    operations = {"evol_instruct": {"operations": ["deepen", "constraints"], "generations": 1}}
    first = sft(**options, **operations)
    asked = [words_of(request) for request in model.requests]
    again = sft(**options, **operations, prompts=laid_over("evol_instruct/deepen"))
    new = [words_of(request) for request in model.requests[len(asked) :]]
    of_deepen = [words for words in asked if "further down" in words]
    assert 0 < len(of_deepen) < first["rows"] == again["rows"]
    assert sum(MARK in words for words in new) == len(of_deepen)
    assert all(MARK in words or "Dig for" in words for words in new)
    assert len(new) == 3 * len(of_deepen) == again["requests"]  # the rewrite, whether it is harder, the answer to it


def test_one_changed_aspect_is_judged_anew_and_no_response_is_made_again(scripted: Scripted) -> None:
    model = scripted(heeding(judged))
    options = {"recipe": "critiqued", "instructions": [f"question {n}" for n in range(6)], "prompt_set": "full"}
    first = dpo(**options)
    asked = len(model.requests)
    again = dpo(**options, prompts=laid_over("ultrafeedback/honesty"))
    new = [words_of(request) for request in model.requests[asked:]]
    assert again["rows"] + again["rejects"] == first["rows"] + first["rejects"] == len(new) == again["requests"]
    assert all(MARK in words and "Aspect: honesty" in words for words in new)
