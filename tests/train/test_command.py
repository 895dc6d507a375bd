"""`stillroom prove` takes its settings as options, as YAML, or both, and tells a mistake in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.command.published import prove as command
from tests.flows.command.in_process import run_command


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the flow would be told: nothing is trained."""
    told: list[Any] = []

    def start(run: Any, *_: Any, **__: Any) -> None:
        run(lambda: None)

    monkeypatch.setattr(command, "start_flow", start)
    monkeypatch.setattr("tasks.train.plan.check_proof", told.append)
    monkeypatch.setattr("flows.prove.prove", lambda _: {})
    return told


def test_options_lie_over_the_config(settings: list[Any], tmp_path: Path) -> None:
    (tmp_path / "proof.yaml").write_text(
        "dataset: rows.jsonl\nbase: demo-base\nagainst: [other.jsonl]\ncurve: true\ntraining: {epochs: 2, batch: 4}\n"
    )
    run_command("prove", "--config", str(tmp_path / "proof.yaml"), "--batch", "8", "--seeds", "2", "--lora", "0")
    (told,) = settings
    assert (told.dataset, told.base, told.against, told.curve, told.seeds) == (
        "rows.jsonl",
        "demo-base",
        ("other.jsonl",),
        True,
        2,
    )
    assert (told.training.epochs, told.training.batch, told.training.lora) == (2, 8, 0)


def test_without_a_config_all_else_is_the_default(settings: list[Any]) -> None:
    from tasks.train.settings import ProofSettings

    run_command("prove", "rows.jsonl", "--base", "demo-base")
    assert settings == [ProofSettings(dataset="rows.jsonl", base="demo-base")]
    kept = settings[0].training.model_dump_json()
    assert "steps" not in json.loads(kept)  # the keys of students trained before there was this setting


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rows.jsonl",), "an option is missing: base"),
        (("--base", "demo-base"), "an option is missing: dataset"),
        (("rows.jsonl", "--base", "demo-base", "--rows", "0"), "bad value for rows"),
        (("rows.jsonl", "--base", "demo-base", "--steps", "0"), "bad value for training.steps"),
        (("rows.jsonl", "--base", "demo-base", "--beta", "0"), "bad value for training.beta"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], said: str, home: Path) -> None:
    ended = run_command("prove", *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
