"""`stillroom sft` with models that write as their families do: the answer is the response, the reasoning is provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.flows.command.in_process import run_command
from tests.models.answers.families import FAMILIES, FOUR, SUM, prompt_of, save_family
from tests.models.tiny import one_thread

INSTRUCTION = "What is 2 + 2?"


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_dataset_of_every_family_says_that_it_is_four(
    name: str, tmp_path: Path, home: Path, prefect_server: str
) -> None:
    family = FAMILIES[name]
    prompt = prompt_of(family, [{"role": "user", "content": INSTRUCTION}])
    model = save_family(tmp_path / "model", family, [prompt])
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text(json.dumps({"instruction": INSTRUCTION}))
    arguments = [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        str(seeds),
        "--model",
        str(model),
        "--out",
        "out",
        "--set",
        "model.temperature=0",
        "--set",
        f"model.thinking={family.thinking}",
        "--json",
    ]
    done = run_command(*arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = pl.read_parquet(tmp_path / "out/data/*.parquet").to_dicts()
    assert row["messages"][-1] == {"role": "assistant", "content": FOUR}
    (call,) = pl.read_parquet(tmp_path / "out/provenance.parquet").to_dicts()
    assert call["reasoning"] == (SUM if family.reasons else None)
