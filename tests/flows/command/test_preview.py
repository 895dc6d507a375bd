"""`--preview`: a few rows through all steps in this process, every word shown, nothing paid for twice, nothing published."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tests.flows.command.test_main import SLOW, environment, questions, stillroom
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.models.server import chat, serving, status

QUESTIONS = [f"question {i}" for i in range(8)]


def unlike(request: Request) -> str:
    """One line of words that no other answer has."""
    return "Describe " + " ".join(f"{request.seed:020d}"[at : at + 4] for at in range(0, 20, 4))


RECIPES: dict[str, tuple[str, Callable[[Request], Any], dict[str, Any]]] = {
    "respond": ("sft", rule, {"recipe": "respond", "seeds": QUESTIONS}),
    "magpie": ("sft", rule, {"recipe": "basic", "rows": 8}),
    "prompting": ("sft", rule, {"recipe": "basic", "rows": 8, "start_from": "prompting"}),
    "seeded": ("sft", rule, {"recipe": "seeded", "seeds": QUESTIONS}),
    "evolved": ("sft", rule, {"recipe": "evolved", "seeds": QUESTIONS}),
    "bootstrap": (
        "sft",
        unlike,
        {"recipe": "seeded", "mode": "bootstrap", "seeds": QUESTIONS, "bootstrap": {"target": 12, "max_rounds": 2}},
    ),
    "bootstrap of some of the seeds": (
        "sft",
        unlike,
        {
            "recipe": "seeded",
            "mode": "bootstrap",
            "seeds": QUESTIONS,
            "max_candidates": 2,
            "bootstrap": {"target": 12, "max_rounds": 2},
        },
    ),
    "pool": ("dpo", judged, {"recipe": "basic", "instructions": QUESTIONS}),
    "improved": ("dpo", judged, {"recipe": "evolved", "instructions": QUESTIONS}),
    "critiqued": ("dpo", judged, {"recipe": "critiqued", "instructions": QUESTIONS}),
    "several judges": (
        "dpo",
        judged,
        {"recipe": "basic", "instructions": QUESTIONS, "roles": {"judge": [{"name": "test"}, {"name": "another"}]}},
    ),
}


@pytest.fixture
def adopt(home: Path) -> Iterator[Callable[..., ScriptedModel]]:
    """Make a scripted model that a preview finds under a name, "test" unless told; no Prefect server."""
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig

    def make(answers: Any, name: str = "test") -> ScriptedModel:
        model = ScriptedModel(answers, name=name)
        process.adopt(ModelConfig(name=name), model)
        return model

    yield make
    process.close()


def shown(kind: str, count: int, /, **options: Any) -> dict[str, Any]:
    from flows.config import InstructionSFT, PreferenceDPO
    from flows.preview import preview

    config = InstructionSFT if kind == "sft" else PreferenceDPO
    return preview(config(**{"model": "test", "out": "out", "max_reject_fraction": 1} | options), count)


def entries(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for step in told["steps"]:
        for entry in step["rows"]:
            yield step["step"], entry


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_preview_asked_the_run_does_not_pay_for_again(name: str, scripted: Scripted) -> None:
    kind, answers, options = RECIPES[name]
    model = scripted(answers)
    scripted(answers, name="another")
    told = shown(kind, 3, **options)
    asked = [ask for _, entry in entries(told) for ask in entry["asked"]]
    assert told["requests"] == len(asked) > 0
    assert {ask["model"] for ask in asked} == ({"test", "another"} if name == "several judges" else {"test"})
    assert model.requests
    assert list(Path("out").iterdir()) == []
    run = (sft if kind == "sft" else dpo)(**options | {"out": "out"})
    assert run["ledger_hits"] == told["requests"]


@pytest.mark.parametrize("name", RECIPES)
def test_each_step_shows_what_went_in_what_was_said_and_what_came_out(name: str, adopt: Scripted) -> None:
    kind, answers, options = RECIPES[name]
    adopt(answers)
    adopt(answers, name="another")
    told = shown(kind, 3, **options)
    assert {entry["lane"] for _, entry in entries(told)} - {None} == {0, 1, 2}
    ids: dict[int, str] = {}
    for step, entry in entries(told):
        lane = entry["lane"]
        if lane is not None:
            assert entry["input"]["row_id"] == ids.get(lane, entry["input"]["row_id"]), (
                f"{step}: not the row made before"
            )
            ids[lane] = entry["made"][0]["row_id"] if entry["made"] else ""
        assert entry["made"] or entry["rejects"]
        for ask in entry["asked"]:
            assert ask.get("prompt") or [m["content"] for m in ask["messages"]]
            assert ask["answer"]
    for row in (ask["row_id"] for _, entry in entries(told) for ask in entry["asked"]):
        assert len(row) == 32


def test_no_more_is_asked_than_the_rows_need_and_a_second_preview_pays_for_nothing(adopt: Scripted) -> None:
    model = adopt(rule)
    first = shown("sft", 2, recipe="respond", seeds=QUESTIONS)
    assert len(model.requests) == first["requests"] == 2
    again = shown("sft", 2, recipe="respond", seeds=QUESTIONS)
    assert (again["requests"], again["ledger_hits"]) == (0, 2)
    assert all(ask["on_record"] for _, entry in entries(again) for ask in entry["asked"])
    assert [e["made"] for _, e in entries(again)] == [e["made"] for _, e in entries(first)]


def test_nothing_is_left_but_the_answers(adopt: Scripted, home: Path) -> None:
    adopt(rule)
    shown("sft", 2, recipe="evolved", seeds=QUESTIONS)
    files = [path.name for path in home.rglob("*") if path.is_file()]
    assert files
    assert [name for name in files if not name.startswith("ledger.sqlite")] == []


def test_an_answer_that_was_not_used_is_shown_with_the_reason(adopt: Scripted) -> None:
    adopt(["", "a good answer", Completion("cut", "length", 5, 5)])
    told = shown("sft", 2, recipe="respond", seeds=["one", "two"], max_attempts=2, model={"name": "test"})
    both = [ask for _, entry in entries(told) for ask in entry["asked"]]
    refused = [ask["refused"] for ask in both if ask["refused"]]
    assert any(reason.startswith("empty") for reason in refused)
    assert any(reason.startswith("truncated") for reason in refused)
    rejected = [reject["reason"] for _, entry in entries(told) for reject in entry["rejects"]]
    assert rejected == ["truncated"]


def test_losses_inside_rows_and_repeated_seeds_are_shown(adopt: Scripted) -> None:
    def lists(request: Request) -> str:
        text = request.messages[-1]["content"] if request.messages else ""
        return (
            "Describe a red house with words\nok\nDescribe a red house with words"
            if "One request per line" in text
            else "Fine."
        )

    adopt(lists)
    told = shown("sft", 2, recipe="seeded", seeds=[{"context": "a house"}, {"context": "a house"}])
    steps = dict(entries(told))
    assert steps["seeds"]["rejects"][0]["reason"] == "duplicate_seed"
    assert "a house" in steps["seeds"]["input"]["input"]
    assert steps["self_instruct"]["losses"], "two of three requests cannot be used"


def test_a_budget_ends_a_preview_and_says_so(adopt: Scripted) -> None:
    adopt(rule)
    told = shown("sft", 3, recipe="evolved", seeds=QUESTIONS, max_requests=2)
    assert told["ended"] == "budget reached"
    assert told["requests"] <= 2
    assert sum(entry["pending"] for _, entry in entries(told)) > 0


def test_recipe_basic_needs_no_number_of_rows_for_a_preview(adopt: Scripted) -> None:
    adopt(rule)
    assert shown("sft", 2, recipe="basic")["requests"] > 0


def test_a_permanent_error_ends_a_preview_in_one_line(home: Path) -> None:
    from tasks.engine.process import process

    with serving(status(401, "no such key")) as server, pytest.raises(ConfigError, match="401"):
        shown("sft", 3, recipe="respond", seeds=QUESTIONS, model=server.name)
    process.close()


def test_an_endpoint_is_asked_and_its_answers_are_shown(home: Path) -> None:
    from tasks.engine.process import process

    with serving(chat("a fine answer")) as server:
        told = shown("sft", 3, recipe="respond", seeds=QUESTIONS, model=server.name)
        assert len(server.bodies) == 3
    assert [ask["answer"] for _, entry in entries(told) for ask in entry["asked"]] == ["a fine answer"] * 3
    assert 0 < told["model_seconds"] <= told["seconds"]
    process.close()


@pytest.mark.slow
def test_the_demo_model_shows_its_rows(tmp_path: Path) -> None:
    said = stillroom(tmp_path, "sft", "--recipe", "seeded", "--preview", "2", "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert [step["step"] for step in told["steps"]] == ["self_instruct", "text_generation", "filters"]
    assert [ask["answer"] for _, entry in entries(told) for ask in entry["asked"]]


def test_the_terminal_shows_each_word(tmp_path: Path) -> None:
    arguments = ["sft", "--recipe", "respond", "--seeds", questions(tmp_path, 4), "--model", SLOW, "--preview", "2"]
    said = stillroom(tmp_path, *arguments)
    assert said.returncode == 0, said.stderr
    for words in (
        "row 1",
        "row 2",
        "instruction: question 1",
        "user: question 1",
        "answer (",
        "out: ",
        "response: ",
        "2 requests paid",
        "nothing is published",
    ):
        assert words in said.stdout
    assert "row 3" not in said.stdout
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.parametrize("option", ["--seeds", "--preview"])
def test_a_mistake_in_what_is_previewed_is_one_line(option: str, tmp_path: Path) -> None:
    wrong = {"--seeds": ["--seeds", "nowhere.jsonl", "--preview", "2"], "--preview": ["--preview", "0"]}[option]
    said = stillroom(tmp_path, "sft", "--recipe", "respond", "--model", SLOW, *wrong)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_a_preview_needs_neither_prefect_nor_torch(tmp_path: Path) -> None:
    arguments = ["sft", "--recipe", "respond", "--seeds", questions(tmp_path, 4), "--model", SLOW, "--preview", "2"]
    code = (
        "import sys\nfrom flows.command.main import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "print([name for name in ('prefect', 'torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
