"""Datasets mixed by weight: exact shares, duplicates gone across them, and the same by command, YAML and flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from flows.command.main import app
from flows.command.published.mix import part_of
from flows.config_file import load_config
from flows.curate_dataset import CurateDataset
from tasks.errors import ConfigError
from tasks.notices import heard
from tests.flows.test_instruction_sft import dataset_bytes

ANIMALS = ("heron", "otter", "beetle", "salmon", "lynx", "magpie", "newt", "badger", "stork", "weasel")
PLACES = ("Hue", "Lyon", "Osaka", "Turin", "Porto", "Graz", "Leeds", "Bergen", "Lviv", "Izmir")


def question(animal: str, place: str) -> str:
    return f"Where near {place} would somebody with an hour to spare have the best chance to watch a {animal}?"


@pytest.fixture
def parts(home: Path) -> list[dict[str, Any]]:
    """Two files of 20 and 10 rows, of which three ask the same."""
    talks = [question(animal, place) for animal in ANIMALS[:4] for place in PLACES[:5]]
    qa = [*talks[:3], *(question(animal, PLACES[9]) for animal in ANIMALS[3:])]
    Path("talks.jsonl").write_text(
        "\n".join(
            json.dumps(
                {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": f"By the river: {q}"}]}
            )
            for q in talks
        )
    )
    Path("qa.jsonl").write_text("\n".join(json.dumps({"question": q, "answer": f"In the park: {q}"}) for q in qa))
    return [{"source": "talks.jsonl", "weight": 3}, {"source": "qa.jsonl"}]


def mixture(**told: Any) -> dict[str, Any]:
    from flows.curate import curate

    config = CurateDataset(out="out", curate={"filters": None, "deduplicate": {"threshold": 1.0}}, **told)
    config.check_apart()
    return curate(config)


def shares(folder: str = "out") -> dict[str, int]:
    return dict(pl.read_parquet(f"{folder}/data/train.parquet")["source"].value_counts().sort("source").iter_rows())


def test_shares_are_exact_and_a_repeated_question_comes_once(parts: list[dict[str, Any]]) -> None:
    summary = mixture(mixture=parts, rows=16)
    assert (summary["rows"], shares()) == (16, {"qa": 4, "talks": 12})
    rows = pl.read_parquet("out/data/train.parquet")
    asked = [turns[0]["content"] for turns in rows["messages"].to_list()]
    assert len(set(asked)) == 16
    before = dataset_bytes(Path("out"))
    mixture(mixture=parts, rows=16)
    assert dataset_bytes(Path("out")) == before
    again = load_config(CurateDataset, Path("out/dataset.yaml"), {"out": "again"})
    assert [part.source for part in again.mixture] == ["talks.jsonl", "qa.jsonl"]


def test_a_part_that_runs_short_is_told_and_no_other_takes_its_rows(
    parts: list[dict[str, Any]],
) -> None:
    told: list[str] = []
    with heard(told.append):
        summary = mixture(mixture=[parts[0] | {"weight": 1}, parts[1] | {"weight": 1}], rows=24)
    assert (summary["rows"], shares()) == (19, {"qa": 7, "talks": 12})
    assert "parts of the mixture that gave fewer rows than their share: qa 7 of 12" in told


@pytest.mark.slow
def test_the_command_the_yaml_and_the_dry_run_say_the_same(parts: list[dict[str, Any]]) -> None:
    run = CliRunner()
    off = ["--set", "curate.filters=null"]
    told = run.invoke(app, ["mix", "talks.jsonl=3", "qa.jsonl", "--rows", "16", "--out", "cli", *off, "--json"])
    assert told.exit_code == 0, told.output
    Path("mix.yaml").write_text(
        yaml.safe_dump({"mixture": parts, "rows": 16, "out": "yaml", "curate": {"filters": None}})
    )
    again = run.invoke(app, ["curate", "--config", "mix.yaml"])
    assert again.exit_code == 0, again.output
    assert shares("cli") == shares("yaml") == {"qa": 4, "talks": 12}
    assert dataset_bytes(Path("cli")) == dataset_bytes(Path("yaml"))
    dry = run.invoke(app, ["mix", "talks.jsonl=3", "qa.jsonl", "--rows", "16", "--out", "dry", *off, "--dry-run"])
    assert "16 would stay" in dry.output and not Path("dry").exists()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"mixture": [{"source": "a.jsonl"}]}, "a mixture needs to know how many rows"),
        ({"mixture": [{"source": "a.jsonl"}, {"source": "b/a.jsonl"}], "rows": 3}, "two parts of the mixture"),
        ({"mixture": [{"source": "out/data"}], "rows": 3}, "written where it is read from"),
    ],
)
def test_a_mixture_that_cannot_be_is_told(told: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CurateDataset(out="out", **told).check_apart()


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ("datasets/a=3", {"source": "datasets/a", "weight": 3.0}),
        ("hf:owner/name", {"source": "hf:owner/name"}),
        ("a=b.jsonl=0.5", {"source": "a=b.jsonl", "weight": 0.5}),
    ],
)
def test_a_part_is_a_dataset_with_its_weight(told: str, part: dict[str, Any]) -> None:
    assert part_of(told) == part


@pytest.mark.parametrize("told", ["a.jsonl=much", "a.jsonl=0", "a.jsonl=-1", "a.jsonl=inf", "a.jsonl=nan"])
def test_a_weight_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ConfigError, match="weight"):
        part_of(told)
