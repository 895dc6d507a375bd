"""A dataset of several languages: each row is asked for in its own, from its seed to what is published."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.engine.row import language_for
from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft
from tests.flows.test_preference_dpo import dpo

SEEDS = [f"a passage about matter number {i}" for i in range(24)]
BOTH = ["en", "vi"]


@pytest.fixture(autouse=True)
def own_prompts(tmp_path: Path) -> str:
    """Prompts that say their language, and nothing else that matters."""
    folder = tmp_path / "own"
    evolutions = ("constraints", "deepen", "concretise", "reasoning", "complicate", "breadth")
    words = {
        "self_instruct/queries": "{{ context }} list {{ count }}",
        "bootstrap/tasks": "continue {% for task in instructions %}{{ loop.index }}. {{ task }}\n{% endfor %}",
        "basic_prompting/instruction": "new about {{ topic }}",
        "ultrafeedback/overall": "rate {{ response }}",
        **{f"evol_instruct/{name}": "evolve {{ instruction }}" for name in evolutions},
    }
    for language in BOTH:
        for name, text in words.items():
            file = folder / language / f"{name}.j2"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"[{language}] {text}")
    return str(folder)


def speaks(request: Request) -> str:
    """Writes in the language that its prompt names, and names it too."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    marked = re.match(r"\[(\w+)\] (.*)", text, re.DOTALL)
    if marked is None:
        return f"An answer to {text}, number {request.seed % 9973}"
    language, what = marked.groups()
    if what.startswith("rate"):
        return f"Rating: {1 + request.seed % 5}\nReason: {language}"
    if what.startswith("continue"):
        first = what.count("\n") + 2
        tasks = (
            f"Count <{language}> up to {request.seed % 99991}",
            f"Tell {request.seed % 9973} stories in <{language}>",
        )
        return f" {tasks[0]}\n{first + 1}. {tasks[1]}"
    if " list " in what:
        return f"1. <{language}> describe thing {request.seed % 9973}\n2. <{language}> count {request.seed % 8999} beans for us"
    return f"<{language}> rewritten matter of {request.seed % 9973} in a table"


def made(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def asked_in(frame: pl.DataFrame) -> list[str]:
    """The language that each row's question names."""
    return [re.findall(r"<(\w+)>", turns[0]["content"])[0] for turns in frame["messages"]]


def mixed(own_prompts: str, **options: Any) -> dict[str, Any]:
    told = {"recipe": "evolved", "seeds": SEEDS, "prompt_set": "full", "prompts": own_prompts, "language": BOTH}
    return sft(**told | options)


def test_each_row_is_asked_for_in_one_language_all_the_way(scripted: Scripted, own_prompts: str) -> None:
    model = scripted(speaks)
    first = mixed(own_prompts)
    rows = made()
    assert first["rows"] == 48
    assert rows["language"].to_list() == asked_in(rows)
    assert set(rows["language"]) == set(BOTH)
    prompts = [re.findall(r"[<\[](\w\w)[>\]]", turn[-1]["content"]) for r in model.requests if (turn := r.messages)]
    assert all(len(set(named)) == 1 for named in prompts), "no prompt mixes languages"
    before = dataset_bytes(Path("out"))
    again = mixed(own_prompts, language="vi, en")  # the order says nothing
    assert again["requests"] == 0
    assert dataset_bytes(Path("out")) == before


def test_seeds_that_say_their_language_keep_it(scripted: Scripted, own_prompts: str) -> None:
    scripted(speaks)
    named = ["vi", "vi-VN", "EN", "fr", None, " en_GB"]
    seeds = [{"context": f"passage {i}", "language": named[i % len(named)]} for i in range(18)]
    mixed(own_prompts, seeds=seeds, recipe="seeded")
    rows, provenance = made(), pl.read_parquet("out/provenance.parquet")
    parents = dict(provenance.filter(technique="self_instruct").explode("parents").select("row_id", "parents").rows())
    answered = provenance.filter(technique="text_generation").explode("parents").select("row_id", "parents").rows()
    assert Counter(rows["language"])["vi"] >= 12
    assert rows["language"].to_list() == asked_in(rows)
    assert len(parents) == len(answered) == rows.height == 36


def test_a_night_in_two_languages_joins_a_dataset_of_one(scripted: Scripted, own_prompts: str) -> None:
    scripted(speaks)
    mixed(own_prompts, language="en", seeds=SEEDS[:8])
    assert "language" not in made().columns
    before = made()
    second = mixed(own_prompts, incremental=True)
    rows = made()
    assert second["revision"] == 2
    assert rows[: before.height].drop("language").equals(before)
    assert rows["language"][: before.height].null_count() == before.height
    assert rows["language"][before.height :].to_list() == asked_in(rows[before.height :])


def test_a_retry_asks_in_the_language_of_the_row(scripted: Scripted, own_prompts: str) -> None:
    from flows.retry_failed import retry_failed

    scripted(lambda request: "" if "matter number 7" in str(request.messages) else speaks(request))
    first = mixed(own_prompts, recipe="seeded", max_reject_fraction=1)
    assert first["rejects"] == 1
    healing = scripted(speaks)
    healed = retry_failed(first["run"])
    assert healed["rows"] == first["rows"] + 2
    assert made()["language"].to_list() == asked_in(made())
    assert len({request.messages[-1]["content"][:4] for request in healing.requests if request.messages}) == 2


def test_blank_rows_have_a_language_each(scripted: Scripted, own_prompts: str) -> None:
    scripted(speaks)
    mixed(own_prompts, recipe="basic", start_from="prompting", rows=20, seeds=None)
    rows = made()
    assert rows.height == 20
    assert rows["language"].to_list() == asked_in(rows)
    assert set(rows["language"]) == set(BOTH)


def test_the_bootstrap_shows_a_prompt_tasks_of_its_language(scripted: Scripted, own_prompts: str) -> None:
    model = scripted(speaks)
    seeds = [{"instruction": f"Tell in <{one}> fact {i} of bees", "language": one} for i in range(12) for one in BOTH]
    told = {"mode": "bootstrap", "bootstrap": {"target": 40, "prompts_per_round": 8, "max_similarity": 1}}
    mixed(own_prompts, recipe="seeded", seeds=seeds, curate=None, **told)
    rows = made()
    assert rows.height == 40
    assert rows["language"].to_list() == asked_in(rows)
    asked = [re.findall(r"[<\[](\w\w)[>\]]", r.messages[-1]["content"]) for r in model.requests if r.messages]
    assert all(len(set(languages)) == 1 for languages in asked if languages)


@pytest.mark.parametrize("shape", ["messages", "openai", "prompt_completion"])
def test_every_format_says_the_language(shape: str, scripted: Scripted, own_prompts: str) -> None:
    scripted(speaks)
    mixed(own_prompts, recipe="seeded", format=shape, seeds=[{"context": s, "source": "school"} for s in SEEDS[:6]])
    assert set(made()["language"]) == set(BOTH)


@pytest.mark.parametrize("shape", ["dpo", "reward", "kto", "binarized"])
def test_preferences_are_judged_in_the_language_of_a_mixed_dataset(
    shape: str, scripted: Scripted, own_prompts: str
) -> None:
    scripted(speaks)
    mixed(own_prompts, recipe="seeded", seeds=SEEDS[:8])
    language = dict(zip((t[0]["content"] for t in made()["messages"]), made()["language"], strict=True))
    judge = scripted(speaks, "judge")
    dpo(
        recipe="basic",
        instructions="out",
        prompt_set="full",
        prompts=own_prompts,
        language=BOTH,
        format=shape,
        roles={"judge": ["judge"]},
        keep_columns=["response_model"],
    )
    judged = [text[-1]["content"] for request in judge.requests if (text := request.messages)]
    assert judged and all(re.match(r"\[(\w+)\] rate .*<\1>", text) for text in judged)
    pairs = made("pairs")
    assert pairs.columns[-2:] == ["language", "response_model"]
    assert set(pairs["language"]) == set(language.values()) == set(BOTH)


def test_a_recipe_that_asks_in_the_seeds_own_words_wants_their_language(scripted: Scripted, own_prompts: str) -> None:
    model = scripted(speaks)
    with pytest.raises(
        ConfigError, match=r"no step of recipe respond says in which language it asks: en, vi \(give the seeds"
    ):
        mixed(own_prompts, recipe="respond")
    assert model.requests == []
    summary = mixed(own_prompts, recipe="respond", seeds=[{"instruction": "Xin chào", "language": "vi"}])
    assert summary["rows"] == 1
    assert made()["language"].to_list() == ["vi"]


def test_one_language_looks_at_no_column_and_adds_none(scripted: Scripted, own_prompts: str) -> None:
    model = scripted(speaks)
    seeds = [{"context": "a passage", "language": "vi"}]
    mixed(own_prompts, recipe="seeded", language="en", seeds=seeds)
    assert "language" not in made().columns
    assert model.requests[0].messages is not None
    assert model.requests[0].messages[-1]["content"].startswith("[en]")
    assert mixed(own_prompts, recipe="seeded", language=["en"], seeds=seeds)["requests"] == 0


def test_a_column_that_is_kept_may_not_be_called_language(scripted: Scripted, own_prompts: str) -> None:
    scripted(speaks)
    with pytest.raises(ConfigError, match="keep_columns names a column that the dataset has already"):
        mixed(own_prompts, seeds=[{"context": "a passage", "language": "vi"}], keep_columns=["language"])


@pytest.mark.parametrize(
    ("language", "error"),
    [(["en", "xx"], "no prompts in this language: xx"), ("en,,xx", "no prompts in this language: xx")],
    ids=["a list", "a text"],
)
def test_a_language_without_prompts_is_an_error(language: Any, error: str, scripted: Scripted) -> None:
    scripted(speaks)
    with pytest.raises(ConfigError, match=error):
        sft(recipe="evolved", seeds=SEEDS, prompt_set="full", language=language)


def test_one_more_language_takes_rows_from_the_others_and_moves_no_other() -> None:
    rows = [f"row {i}" for i in range(600)]
    two = {row: language_for(0, row, ["en", "vi"]) for row in rows}
    three = {row: language_for(0, row, ["zh", "vi", "en"]) for row in rows}
    assert {row for row in rows if two[row] != three[row]} == {row for row in rows if three[row] == "zh"}
    assert all(150 < count < 250 for count in Counter(three.values()).values())
