"""What failed is asked for again, and nothing else: by `stillroom retry`, by the schedule, by the button in Prefect's UI."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tests.flows.runs.test_lineage import QUESTIONS, asked, failing, loaded, night, publications, retry, text_of
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged


def test_what_failed_on_the_first_day_is_healed_with_a_request_each_and_in_its_place(
    scripted: Scripted, tmp_path: Path
) -> None:
    broken = set(QUESTIONS[3::10])
    scripted(failing(rule, broken.__contains__))
    first = sft(recipe="respond", seeds=QUESTIONS, max_attempts=2)
    assert (first["rows"], first["rejects"], first["revision"]) == (36, 4, 1)
    model = scripted(rule)
    healed = retry(first["run"])
    assert (healed["rows"], healed["rejects"], healed["requests"]) == (40, 0, 4)
    assert sorted(map(text_of, model.requests)) == sorted(broken)
    assert healed["changes"] == {"added": 4, "changed": 0, "gone": 0}
    assert loaded(tmp_path) == asked() == QUESTIONS
    assert loaded(tmp_path, "r1") == [question for question in QUESTIONS if question not in broken]
    assert [(line["revision"], line["retried"]) for line in publications()] == [(1, None), (2, first["run"])]
    assert "| r2 | 40 | 4 | 0 | 0 |" in Path("out/README.md").read_text()


def test_what_was_healed_stays_healed_when_the_dataset_is_made_anew(scripted: Scripted) -> None:
    broken = set(QUESTIONS[3::10])
    scripted(failing(rule, broken.__contains__))
    first = sft(recipe="respond", seeds=QUESTIONS[:30], max_attempts=2)
    model = scripted(rule)
    healed = retry(first["run"])
    anew = sft(recipe="respond", seeds=QUESTIONS[:30], max_attempts=2)
    assert (anew["rows"], anew["rejects"], anew["requests"], anew["revision"]) == (30, 0, 0, healed["revision"])
    grown = sft(recipe="respond", seeds=QUESTIONS, max_attempts=2)
    assert (grown["rows"], grown["requests"], grown["changes"]) == (40, 10, {"added": 10, "changed": 0, "gone": 0})
    assert asked() == QUESTIONS
    assert len(model.requests) == 3 + 10


def test_a_retry_when_nothing_failed_asks_nothing_and_makes_no_revision(scripted: Scripted) -> None:
    model = scripted(rule)
    first = sft(recipe="respond", seeds=QUESTIONS)
    before = dataset_bytes(Path("out"))
    again = retry(first["run"])
    assert (again["rows"], again["requests"], again["revision"]) == (40, 0, 1)
    assert dataset_bytes(Path("out")) == before
    assert len(model.requests) == 40
    assert retry() == {"healed": []}


def test_a_retry_goes_on_from_the_latest_retry_of_its_run(scripted: Scripted) -> None:
    scripted(failing(rule, lambda text: text.endswith("3")))
    first = sft(recipe="respond", seeds=QUESTIONS, max_attempts=2)
    model = scripted(failing(rule, lambda text: text in ("question 3", "question 13")))
    second = retry(first["run"])
    assert (second["rows"], second["requests"]) == (38, 2 + 2 * 2)
    third = retry(first["run"])  # named after the first run, which is healed in part already
    assert third["retried"] == second["run"]
    assert (third["rows"], third["requests"], third["revision"]) == (38, 2 * 2, 2)
    scripted(rule)
    assert (retry()["healed"][0]["rows"], asked()) == (40, QUESTIONS)
    assert len(model.requests) == 10


def test_the_latest_retry_is_found_by_when_runs_ended_and_not_by_their_names(home: Path) -> None:
    from flows.runs.manifests import latest_retry, manifest_path

    for at, (run, retried) in enumerate((("sft-c", None), ("sft-d", None), ("sft-b", "sft-c"), ("sft-a", "sft-b"))):
        manifest_path(run).parent.mkdir(parents=True)
        manifest_path(run).write_text(json.dumps({"run": run, "summary": {"retried": retried}}))
        os.utime(manifest_path(run), (at, at))
    assert [latest_retry(run) for run in ("sft-c", "sft-b", "sft-d")] == ["sft-a", "sft-a", "sft-d"]


def test_a_retry_asks_for_the_rows_of_its_run_though_the_file_of_seeds_has_grown(scripted: Scripted) -> None:
    file = Path("seeds.jsonl")
    file.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in QUESTIONS))
    scripted(failing(rule, lambda text: text == "question 7"))
    first = sft(recipe="respond", seeds=str(file))
    with file.open("a") as more:
        more.write(json.dumps({"instruction": "a new one"}) + "\n")
    scripted(rule)
    assert retry(first["run"])["requests"] == 1
    assert asked() == QUESTIONS


def test_in_recipe_evolved_later_steps_ask_only_for_healed_rows(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [f"About number {i}" for i in range(10)]
    fails = {seeds[4], seeds[7]}
    options = {"recipe": "evolved", "seeds": seeds, "max_attempts": 1, "max_reject_fraction": 0.3}
    whole = scripted(rule)
    reference = sft(**options, out="reference")
    scripted(failing(rule, lambda text: text.endswith(tuple(f"Text: {seed}" for seed in fails))))
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another"))
    first = sft(**options)
    assert first["rejects"] == 2
    model = scripted(rule)
    healed = retry(first["run"])
    kinds = Counter("seed" if "One request per line" in text_of(r) else "later" for r in model.requests)
    assert kinds["seed"] == 2
    rows_healed = healed["changes"]["added"]
    assert rows_healed == 10
    later = len(whole.requests) - len(seeds)
    assert kinds["later"] == later * rows_healed / reference["rows"]  # every row takes as many asks as the others
    assert healed["rows"] == reference["rows"]
    ids = [pl.read_parquet(f"{folder}/data/train.parquet")["row_id"].to_list() for folder in ("out", "reference")]
    assert ids[0] == ids[1]


def test_in_recipe_critiqued_only_the_refused_ratings_are_asked_for_again(scripted: Scripted) -> None:
    broken = ("question 3", "question 8")

    def refuses(text: str) -> bool:
        return "Response 1" in text and any(f"{question}\n" in text for question in broken)

    scripted(failing(judged, refuses))
    first = dpo(recipe="critiqued", instructions=[f"question {i}" for i in range(10)], max_attempts=1)
    refused = pl.read_parquet("pairs/rejects.parquet").filter(reason="no_rating")
    assert refused.height == 2
    model = scripted(judged)
    healed = retry(first["run"])
    assert len(model.requests) == healed["requests"] == 2 * 4  # the aspects of each
    assert all(refuses(text_of(request)) for request in model.requests)
    assert healed["changes"]["added"] == healed["rows"] - first["rows"] > 0
    assert healed["changes"]["gone"] == healed["changes"]["changed"] == 0


def test_too_many_failures_publish_all_there_is_and_prefects_retry_heals_it_the_same_way(scripted: Scripted) -> None:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft
    from flows.runs.verdict import TooManyRejects

    scripted(failing(rule, lambda text: text.endswith("3")))
    config = InstructionSFT(
        recipe="respond", seeds=QUESTIONS, max_attempts=2, max_reject_fraction=0.05, model="test", out="out"
    )
    state = instruction_sft(config, return_state=True)
    assert state.is_failed()
    with pytest.raises(TooManyRejects, match="4 of 40 rows failed"):
        state.result()
    assert len(asked()) == 36
    model = scripted(rule)
    summary = run_again(instruction_sft, state.state_details.flow_run_id, {"config": config})
    assert (summary["rows"], summary["requests"], summary["changes"]["added"]) == (40, 4, 4)
    assert summary["run"] == summary["retried"]
    assert len(model.requests) == 4
    assert asked() == QUESTIONS
    again = run_again(instruction_sft, state.state_details.flow_run_id, {"config": config})
    assert (again["requests"], again["revision"]) == (0, 2)


def run_again(flow: Any, flow_run_id: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the button Retry and a worker do: the same flow run is scheduled again, and run."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import AwaitingRetry

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, AwaitingRetry(), force=True)
        flow_run = client.read_flow_run(flow_run_id)
        count = flow_run.run_count
        summary: dict[str, Any] = run_flow(flow, flow_run=flow_run, parameters=parameters)
        assert client.read_flow_run(flow_run_id).run_count == count + 1
    return summary


def test_a_run_whose_rows_the_dataset_holds_no_more_is_not_retried(scripted: Scripted) -> None:
    scripted(failing(rule, lambda text: text.endswith("3")))
    first = sft(recipe="respond", seeds=QUESTIONS)
    second = sft(recipe="respond", seeds=QUESTIONS[:30])
    with pytest.raises(ConfigError, match=rf"holds no more|does not hold.*{first['run']}.*retry {second['run']}"):
        retry(first["run"])
    scripted(rule)
    assert [one["retried"] for one in retry()["healed"]] == [second["run"]]


class Killed(BaseException):
    """What ends a run in the middle of publishing."""


def killed_night(monkeypatch: pytest.MonkeyPatch, *, published: bool, **options: Any) -> None:
    """A night that is killed as it publishes: before its dataset is switched over, or right after."""
    from flows.runs import lineage

    switch = lineage.switch

    def killed(*given: Any) -> None:
        if published:
            switch(*given)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(lineage, "switch", killed)
        night(**options)


@pytest.mark.parametrize("published", [False, True], ids=["before the switch", "after it"])
@pytest.mark.parametrize("incremental", [False, True])
def test_a_run_that_was_killed_as_it_published_is_healed_like_any_other(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, *, incremental: bool, published: bool
) -> None:
    scripted(failing(rule, lambda text: text.endswith("3")))
    night(QUESTIONS[:10], max_attempts=1)
    killed_night(monkeypatch, published=published, seeds=QUESTIONS[:30], incremental=incremental, max_attempts=1)
    night(QUESTIONS, max_attempts=1)  # the next night goes on, and fails at a row of its own
    scripted(rule)
    retry()
    assert sorted(asked()) == sorted(QUESTIONS)
    assert pl.read_parquet("out/rejects.parquet").is_empty()


@pytest.mark.parametrize("published", [False, True], ids=["before the switch", "after it"])
def test_prefects_retry_heals_a_run_that_was_killed_as_it_published(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, *, published: bool
) -> None:
    from prefect.client.orchestration import get_client

    from flows.instruction_sft import instruction_sft
    from flows.runs.manifests import manifests

    scripted(failing(rule, lambda text: text.endswith("3")))
    killed_night(monkeypatch, published=published, seeds=QUESTIONS, max_attempts=1)
    (past,) = manifests()
    with get_client(sync_client=True) as client:
        (run,) = (run for run in client.read_flow_runs() if str(run.id).startswith(past["run"].removeprefix("sft-")))
    model = scripted(rule)
    healed = run_again(instruction_sft, run.id, run.parameters)
    assert (healed["rows"], healed["rejects"], len(model.requests)) == (40, 0, 4)
    assert asked() == QUESTIONS


def test_runs_that_fail_again_and_again_are_left_alone_by_the_schedule(scripted: Scripted) -> None:
    model = scripted(failing(rule, lambda text: text.endswith("3")))
    sft(recipe="respond", seeds=QUESTIONS, max_attempts=1)
    for expected in (4, 4, 0):
        before = len(model.requests)
        retry(most_times=2)
        assert len(model.requests) - before == expected


def test_failed_rows_are_healed_by_a_retry_and_not_by_the_next_night(scripted: Scripted) -> None:
    scripted(failing(rule, lambda text: text.endswith("5")))
    nights = [night(QUESTIONS[:until], max_attempts=2) for until in (10, 20, 30)]
    assert [one["rows"] for one in nights] == [9, 18, 27]
    model = scripted(rule)
    assert night(QUESTIONS[:30])["requests"] == 0
    middle = retry(nights[1]["run"])  # an older night: the later one stays
    assert (middle["requests"], middle["rows"], middle["changes"]) == (1, 28, {"added": 1, "changed": 0, "gone": 0})
    assert asked() == [text for text in QUESTIONS[:30] if text not in ("question 5", "question 25")]
    healed = retry()["healed"]
    assert [(one["retried"], one["requests"], one["rows"]) for one in healed] == [
        (nights[0]["run"], 1, 29),
        (nights[2]["run"], 1, 30),
    ]
    assert asked() == QUESTIONS[:30]
    assert pl.read_parquet("out/rejects.parquet").height == 0
    assert night(QUESTIONS, max_attempts=2)["changes"]["added"] == 10
    assert asked() == QUESTIONS
    assert len(model.requests) == 3 + 10


def test_rows_that_are_published_stay_when_healed_ones_go_before_them(scripted: Scripted) -> None:
    scripted(failing(rule, lambda text: text == "question 3"))
    first = night(QUESTIONS, rows=10, max_attempts=1)
    assert asked() == QUESTIONS[:3] + QUESTIONS[4:11]
    night(QUESTIONS, rows=10, max_attempts=1)
    scripted(rule)
    healed = retry(first["run"])
    assert (healed["rows"], healed["requests"], healed["changes"]) == (21, 1, {"added": 1, "changed": 0, "gone": 0})
    assert asked() == QUESTIONS[:21]
    refused = set(pl.read_parquet("out/rejects.parquet")["row_id"])
    assert not refused & set(pl.read_parquet("out/data/train.parquet")["row_id"])


def test_a_night_that_failed_too_many_rows_is_healed_by_prefects_retry(scripted: Scripted) -> None:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    scripted(failing(rule, lambda text: text in QUESTIONS[10:15]))
    night(QUESTIONS[:10])
    config = InstructionSFT(
        recipe="respond", seeds=QUESTIONS[:20], incremental=True, model="test", out="out", max_reject_fraction=0.1
    )
    state = instruction_sft(config, return_state=True)
    assert state.is_failed()
    scripted(rule)
    night(QUESTIONS[:25])  # the next night comes before anybody looks
    summary = run_again(instruction_sft, state.state_details.flow_run_id, {"config": config})
    assert (summary["requests"], summary["changes"]["added"]) == (5, 5)
    assert asked() == QUESTIONS[:25]
