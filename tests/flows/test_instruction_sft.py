"""The instruction pipeline under Prefect, on scripted models."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import FULL, Prompts

Scripted = Callable[..., ScriptedModel]
VERBS = ("Describe", "Name", "List", "Explain", "Count")


def rule(request: Request) -> str:
    """Plays every role of the pipeline, asked tersely or in full; what it writes depends on what it is asked."""
    if request.messages is None:
        return f"What is {request.seed % 1000} times two?"
    text = request.messages[-1]["content"]
    if "One request per line" in text or "Requests wanted:" in text:
        return "\n".join(f"{verb} something about number {request.seed % 997} {verb.lower()}ly" for verb in VERBS)
    if "Reply with the rewritten" in text or "Reply with the new" in text or text.startswith("<instruction>"):
        return f"Work out number {request.seed % 10_000} in two steps, with a table"
    if "equal or different" in text or text.startswith("First:\n<instruction>"):
        return "different"
    return f"The answer is {request.seed % 97}, because it is so."


def sft(**options: Any) -> dict[str, Any]:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    return instruction_sft(InstructionSFT(**{"model": "test", "out": "out"} | options))


def task_states(run: str, count: int) -> list[str]:
    """The names of the states of a run's task runs; Prefect's server records them a moment later."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    names: list[str] = []
    deadline = time.monotonic() + 30
    with get_client(sync_client=True) as client:
        flows = [f.id for f in client.read_flow_runs() if str(f.id).startswith(run.removeprefix("sft-"))]
        while len(names) < count and time.monotonic() < deadline:
            time.sleep(0.2)
            tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=flows)))
            names = [
                task.state_name or "" for task in tasks if task.state_type and task.state_type.value == "COMPLETED"
            ]
    return names


def dataset_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def test_a_second_run_makes_no_request_and_its_tasks_are_cached(scripted: Scripted) -> None:
    model = scripted(rule)
    seeds = [f"question {i}" for i in range(100)]
    first = sft(recipe="respond", seeds=seeds, shard_rows=40)
    assert (first["rows"], first["rejects"], first["requests"], first["tables_reused"]) == (100, 0, 100, 0)
    again = sft(recipe="respond", seeds=seeds, shard_rows=40)
    assert (again["rows"], again["requests"], again["tables_reused"]) == (100, 0, len(task_states(again["run"], 8)))
    assert task_states(again["run"], 8) == ["Cached"] * 8
    assert sft(recipe="respond", seeds=[*seeds, "one more"])["requests"] == 1
    changed = sft(recipe="respond", seeds=[*seeds, "one more"], text_generation={"system": "Be brief."})
    assert changed["requests"] == 101
    assert len(model.requests) == 100 + 1 + 101


def test_a_table_whose_file_is_gone_is_made_again_from_the_ledger(scripted: Scripted, home: Path) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=["a", "b"])
    before = dataset_bytes(Path("out"))
    for table in (home / "tables" / "text_generation").glob("*.parquet"):
        table.unlink()
    again = sft(recipe="respond", seeds=["a", "b"])
    assert (again["rows"], again["requests"], again["ledger_hits"]) == (2, 0, 2)
    shutil.rmtree(home / "tables")
    assert sft(recipe="respond", seeds=["a", "b"])["requests"] == 0
    assert dataset_bytes(Path("out")) == before


@pytest.mark.parametrize("recipe", ["respond", "basic", "seeded", "evolved"])
def test_the_same_run_in_two_folders_gives_the_same_bytes(
    recipe: str, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(rule)
    written = []
    for folder in ("one", "two"):
        monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / folder / "home"))
        summary = sft(
            recipe=recipe, seeds=[f"question {i}" for i in range(8)], rows=10 if recipe != "respond" else 5, out=folder
        )
        assert summary["requests"] > 0
        written.append(dataset_bytes(tmp_path / folder))
        written[-1] = {name: data for name, data in written[-1].items() if not name.startswith("home")}
    assert written[0] == written[1]
    beside = {"losses.parquet", "provenance.parquet", "rejects.parquet", "seeds.parquet"}
    assert set(written[0]) == {"data/train.parquet", *beside}


def test_rows_are_the_first_n_accepted_and_the_rest_is_surplus(scripted: Scripted) -> None:
    scripted(rule)
    everything = sft(recipe="respond", seeds=[f"question {i}" for i in range(30)], out="all")
    assert everything["rows"] == 30
    ten = sft(recipe="respond", seeds=[f"question {i}" for i in range(30)], rows=10, out="ten")
    assert ten["rows"] == 10
    whole, part = pl.read_parquet("all/data/train.parquet"), pl.read_parquet("ten/data/train.parquet")
    assert part.equals(whole[:10])
    rejects = pl.read_parquet("ten/rejects.parquet")
    assert set(rejects["reason"]) == {"surplus"}
    assert ten["rejects"] == rejects.height


def test_load_dataset_opens_what_was_written(scripted: Scripted, tmp_path: Path) -> None:
    from datasets import load_dataset

    scripted(rule)
    sft(recipe="evolved", seeds=["How do tides work?", "Why is the sky blue?"], rows=6)
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 6
    assert [turn["role"] for turn in loaded[0]["messages"]] == ["user", "assistant"]
    provenance = pl.read_parquet("out/provenance.parquet")
    assert set(loaded["row_id"]) <= set(provenance["row_id"])
    known = set(provenance["row_id"]) | {p for parents in provenance["parents"] for p in parents}
    assert all(parent in known for parents in provenance["parents"] for parent in parents)


def test_what_failed_is_published_around_and_a_retry_asks_for_nothing_else(scripted: Scripted) -> None:
    from flows.retry_failed import retry_failed
    from flows.runs.verdict import TooManyRejects

    seeds = [f"question {i}" for i in range(40)]
    broken = set(seeds[::4])

    def breaks(request: Request) -> str:
        assert request.messages is not None
        return "" if request.messages[-1]["content"] in broken else rule(request)

    scripted(breaks)
    with pytest.raises(TooManyRejects, match=r"10 of 40 rows failed: \{'empty': 10\}"):
        sft(recipe="respond", seeds=seeds, max_attempts=2, max_reject_fraction=0.1)
    published = pl.read_parquet("out/data/train.parquet")
    assert published.height == 30
    from flows.runs.manifests import manifests

    run = list(manifests())[-1]["run"]
    healed = scripted(rule)
    summary = retry_failed(run)
    assert (summary["rows"], summary["rejects"], summary["requests"]) == (40, 0, 10)
    assert len(healed.requests) == 10
    questions = [messages[0]["content"] for messages in pl.read_parquet("out/data/train.parquet")["messages"]]
    assert questions == seeds


@pytest.mark.parametrize("recipe", ["respond", "seeded"])
def test_a_permanent_error_ends_the_run_with_its_one_line(recipe: str, scripted: Scripted) -> None:
    from tasks.errors import PermanentError

    def refuses(request: Request) -> str:
        raise PermanentError("the key is not accepted", "401", "set OPENAI_API_KEY")

    scripted(refuses)
    with pytest.raises(PermanentError, match="401"):
        sft(recipe=recipe, seeds=["a", "b"])
    assert not Path("out/README.md").exists()


def test_bootstrap_grows_instructions_from_the_seeds(scripted: Scripted) -> None:
    from flows.runs.manifests import manifest

    def continues(request: Request) -> str:
        assert request.messages is not None
        if "9." not in request.messages[-1]["content"]:
            return rule(request)
        topics = ("rivers", "bread", "stars", "chess", "trains", "bees")
        return "\n".join(
            f"{9 + i}. {VERBS[(request.seed + i) % 5]} {request.seed % 1009} {t} for {topics[i - 1]} lovers {request.seed}"
            for i, t in enumerate(topics)
        )

    scripted(continues)
    seeds = [
        f"Write {word} and tell a story about {other}"
        for word in ("poems", "plans", "code")
        for other in ("cats", "dogs", "rain")
    ]
    summary = sft(
        recipe="seeded", seeds=seeds, mode="bootstrap", bootstrap={"target": 12, "prompts_per_round": 4}, shard_rows=5
    )
    assert summary["rows"] == 12
    answered = manifest(summary["run"])["steps"]["text_generation"]
    assert [table["rows_in"] for table in answered] == [5, 5, 2]


@pytest.mark.parametrize("language", ["vi", "zh", "ja"])
def test_without_seeds_the_model_is_asked_about_topics_of_its_language(language: str, scripted: Scripted) -> None:
    asked = scripted(lambda request: f"{request.seed % 1000}?")
    sft(recipe="basic", start_from="prompting", prompt_set="full", language=language, rows=2, max_reject_fraction=1)
    topics = Prompts(FULL, language).lists("basic_prompting")["topics"]
    told = ["\n".join(turn["content"] for turn in request.messages or ()) for request in asked.requests[:2]]
    assert all(any(topic in text for topic in topics[:4]) for text in told)
