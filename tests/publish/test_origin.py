"""The story of a row, of a reject and of what was lost, down to a seed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.command.main import app
from flows.command.published.story import whole_story
from tasks.engine.process import process
from tasks.models.config import ModelConfig
from tasks.publish.origin import find_rows, story_of
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

ROOT = Path(__file__).parents[2]


def explain(*words: str) -> str:
    result = CliRunner().invoke(app, ["explain", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def roots(lines: list[dict[str, object]]) -> set[object]:
    parents = {line["row_id"]: line["parents"] for line in lines}
    return {row_id for row_id, above in parents.items() if not above or not set(above) & set(parents)}  # type: ignore[arg-type, call-overload]


def test_every_row_leads_back_to_a_seed(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="evolved", seeds=[f"question {at}" for at in range(6)], curate=None)
    seeds = set(pl.read_parquet("out/seeds.parquet")["row_id"])
    for row in pl.read_parquet("out/data/train.parquet").head(10).iter_rows(named=True):
        story = story_of(Path("out"), row["row_id"])
        assert story["row"] == row
        assert {"evol_instruct", "self_instruct"} <= {line["technique"] for line in story["lines"]}
        above = {parent for line in story["lines"] for parent in line["parents"] or ()}
        assert seeds & (above | roots(story["lines"]))


def test_rejects_are_told_with_their_reason_and_what_was_said(scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {at}" for at in range(12)])
    rejects = pl.read_parquet("pairs/rejects.parquet")
    assert rejects.height
    for row_id in rejects["row_id"].unique().head(10):
        story = json.loads(explain("pairs", row_id, "--json"))
        assert story["row"] is None
        assert [one["reason"] for one in story["rejects"]]
        assert f"rejects: {story['rejects'][0]['kind']} {story['rejects'][0]['reason']}" in explain("pairs", row_id)


def test_a_row_is_found_by_what_it_says(scripted: Scripted) -> None:
    scripted(lambda request: "" if "13" in (request.messages or ())[-1]["content"] else "An answer of Élan")
    sft(recipe="respond", seeds=[f"question {at}" for at in range(14)], max_attempts=1)
    ids = {
        turns[0]["content"]: row_id
        for row_id, turns in pl.read_parquet("out/data/train.parquet").select("row_id", "messages").iter_rows()
    }
    assert [(row_id, where) for row_id, where, _ in find_rows(Path("out"), "QUESTION 7")] == [
        (ids["question 7"], "row")
    ]
    assert len(list(find_rows(Path("out"), "élan"))) == 13
    [(_, where, said)] = find_rows(Path("out"), "question 13")
    assert where == "rejects: empty" and "question 13" in said
    assert ids["question 7"] in explain("out", "--find", "question 7")
    assert json.loads(explain("out", "--find", "question 7", "--json"))[0]["row_id"] == ids["question 7"]


def test_a_story_has_each_prompt_and_raw_answer_attempts_and_cost_and_pays_for_nothing(
    scripted: Scripted, home: Path
) -> None:
    answers = {0: "", 1: "Ulm <b>lies</b> on the Danube."}
    model = scripted(lambda _: answers[len(model.requests) % 2 == 0])
    priced = {"name": "test", "price_prompt": 1.0, "price_completion": 2.0}
    process.adopt(ModelConfig.model_validate(priced), model)
    sft(recipe="respond", seeds=["Where is Ulm?"], model=priced)
    [row_id] = pl.read_parquet("out/data/train.parquet")["row_id"]
    asked = len(model.requests)
    story = json.loads(explain("out", row_id, "--json", "--html", "story.html"))
    [step] = story["passages"]
    assert [(one["attempt"], one["answer"], bool(one["refused"])) for one in step["asked"]] == [
        (1, "", True),
        (2, answers[1], False),
    ]
    assert step["asked"][0]["messages"][-1]["content"] == step["input"]["instruction"] == "Where is Ulm?"
    assert (story["requests"], story["passed"], story["not_shown"]) == (2, ["filters", "deduplicate"], [])
    assert story["cost"] == (story["prompt_tokens"] + 2 * story["completion_tokens"]) / 1e6 > 0
    page = Path("story.html").read_text()
    assert "Where is Ulm?" in page and "Ulm &lt;b&gt;lies" in page and "<b>" not in page
    assert len(model.requests) == asked
    shutil.rmtree(home / "tables")
    assert json.loads(explain("out", row_id, "--json"))["passages"] == [step], "first rows are kept beside the manifest"
    shutil.rmtree(home / "runs")
    [line] = json.loads(explain("out", row_id, "--json"))["not_shown"]
    assert "this home does not know the runs" in line
    assert line in explain("out", row_id)


def test_a_reject_has_what_was_asked_and_a_row_knows_what_came_beside_it(scripted: Scripted) -> None:
    scripted(lambda request: "" if "Name something" in (request.messages or ())[-1]["content"] else rule(request))
    sft(recipe="seeded", seeds=["question one", "question two"], max_attempts=2, max_reject_fraction=1.0)
    rejects = pl.read_parquet("out/rejects.parquet").filter(pl.col("reason") == "empty")
    reject = json.loads(explain("out", rejects["row_id"][0], "--json"))
    step = next(one for one in reject["passages"] if one["step"] == "text_generation")
    assert [one["refused"] for one in step["asked"]] == ["empty", "empty"]
    assert step["rejects"][0]["reason"] == "empty" and reject["lines"][0]["technique"] == "self_instruct"
    rows = pl.read_parquet("out/data/train.parquet")["row_id"]
    beside = [one for row_id in rows for one in json.loads(explain("out", row_id, "--json"))["siblings"]]
    assert {"a row", "failed: empty by text_generation"} <= {one["became"] for one in beside}


def test_a_reject_that_was_filtered_after_it_asked_has_what_was_asked_and_what_it_took(scripted: Scripted) -> None:
    """Of a pool whose answers are all alike nothing has failed: it asked, and the row is a reject by decision."""
    scripted(lambda _: "Paris.")
    dpo(recipe="basic", instructions=["What is the capital of France?"], allow_empty=True, out="pairs")
    [reject] = pl.read_parquet("pairs/rejects.parquet").to_dicts()
    assert (reject["reason"], reject["attempts"]) == ("one_response", 0)
    story = json.loads(explain("pairs", reject["row_id"], "--json"))
    [step] = story["passages"]
    assert step["step"] == "model_pool" and {one["answer"] for one in step["asked"]} == {"Paris."}
    assert all("capital of France" in one["messages"][-1]["content"] for one in step["asked"])
    assert story["requests"] == len(step["asked"]) > 1
    assert story["completion_tokens"] == sum(one["completion_tokens"] for one in step["asked"]) > 0


def test_a_pair_tells_of_the_dataset_that_its_instruction_is_from_down_to_a_seed(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="evolved", seeds=["question one", "question two"], evol_instruct={"generations": 1})
    scripted(judged)
    dpo(recipe="basic", instructions="out")
    row_id = pl.read_parquet("pairs/data/train.parquet")["row_id"][0]
    story = json.loads(explain("pairs", row_id, "--json"))
    techniques = list(dict.fromkeys(line["technique"] for line in story["lines"]))
    assert {"pair", "seeds"} <= set(techniques) and techniques[-2:] == ["evol_instruct", "self_instruct"]
    seeds = pl.read_parquet("out/seeds.parquet")["row_id"].to_list()
    assert story["lines"][-1]["parents"][0] in seeds
    assert story["source"] == "out" and "made from out" in explain("pairs", row_id)
    assert {"self_instruct", "evol_instruct", "model_pool"} <= {step["step"] for step in story["passages"]}
    shutil.rmtree("out")
    there = json.loads(explain("pairs", row_id, "--json"))
    assert there["lines"][-1]["technique"] == "seeds", "where it ends, once that dataset is gone"


def test_a_curated_row_tells_where_it_was_curated_from_down_to_a_seed(scripted: Scripted) -> None:
    from flows.curate import curate
    from flows.curate_dataset import CurateDataset

    scripted(rule)
    sft(recipe="respond", seeds=["question one", "question two"])
    curate(CurateDataset(source="out", out="curated"))
    row_id = pl.read_parquet("curated/data/train.parquet")["row_id"][0]
    story = json.loads(explain("curated", row_id, "--json"))
    assert [line["technique"] for line in story["lines"]] == ["records", "text_generation"]
    assert (story["source"], story["requests"], story["not_shown"]) == ("out", 1, [])
    assert [step["step"] for step in story["passages"]] == ["text_generation"]
    told = explain("curated", row_id)
    assert "records  where it begins" in told and "made from out" in told
    shutil.rmtree("out")
    assert [line["technique"] for line in json.loads(explain("curated", row_id, "--json"))["lines"]] == ["records"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_rows_and_ten_rejects_of_the_demo_lead_back_to_a_seed(home: Path) -> None:
    making = [
        sys.executable,
        "-m",
        "flows.command.main",
        "sft",
        "--recipe",
        "seeded",
        "--max-seeds",
        "20",
        "--out",
        "out",
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*making, "--rows", "10", "--json"], env=env, check=True, timeout=1000, stdout=subprocess.DEVNULL)
    out = Path("out")
    rows = pl.read_parquet("out/data/train.parquet")["row_id"].to_list()
    rejects = pl.read_parquet("out/rejects.parquet")["row_id"].unique(maintain_order=True).head(10).to_list()
    assert len(rows) == 10 and rejects
    seeds = set(pl.concat(map(pl.read_parquet, home.glob("runs/*/first/*.parquet")), how="diagonal")["row_id"])
    try:
        for row_id in [*rows, *rejects]:
            story = whole_story(out, row_id)
            above = {row_id} | {parent for line in story["lines"] for parent in line["parents"] or ()}
            assert seeds & above and story["not_shown"] == []
            assert story["passages"] or row_id in seeds
            asked = [one for step in story["passages"] for one in step["asked"]]
            assert all(one["messages"] and one["answer"] is not None and one["on_record"] for one in asked)
    finally:
        process.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out"], "takes the id of a row, or a text"),
        (["out", "0", "--find", "x"], "takes the id of a row, or a text"),
        (["out", "--find", "no such words"], "no row, reject or loss holds it: no such words"),
        (["out", "--find", " "], "an empty text"),
        (["out", "zz"], "no such row in the dataset: zz"),
        (["nowhere", "0"], "no dataset there: nowhere"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=["a question"])
    result = CliRunner().invoke(app, ["explain", *words])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert said in result.stderr
