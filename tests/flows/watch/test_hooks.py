"""What a run shows in the Prefect UI and in its log, read back from Prefect's server."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tasks.errors import PermanentError
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tests.models.server import chat, serving, status

Scripted = Callable[..., ScriptedModel]
UGLY = "# No\n\n<b>Not</b> that | ![seen](http://127.0.0.1:9/x.png) ``` and so on"


def sft(**options: Any) -> dict[str, Any]:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    return instruction_sft(InstructionSFT(**{"model": "test", "recipe": "respond", "name": "nightly_sft"} | options))


def number(request: Request) -> int:
    """Of the question that is asked."""
    assert request.messages is not None
    return int(request.messages[-1]["content"].removeprefix("question "))


def questions(count: int) -> list[str]:
    return [f"question {i}" for i in range(count)]


class Shown:
    """What the server has of the latest flow run."""

    def __init__(self) -> None:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
        from prefect.client.schemas.sorting import FlowRunSort

        with get_client(sync_client=True) as client:
            self.run = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
            mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.run.id]))
            found = [artifact for artifact in client.read_artifacts(artifact_filter=mine) if artifact.key]
        self.artifacts = {str(artifact.key): artifact for artifact in found}
        assert len(self.artifacts) == len(found), "one artifact a key"

    def rows(self, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(str(self.artifacts[key].data))
        return rows


def patiently(read: Callable[[], Any]) -> Any:
    """What `read` gives once it gives something: the server files logs, events and task runs a moment later."""
    deadline = time.monotonic() + 60
    while not (found := read()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def logged(run_id: UUID, last: str) -> list[Any]:
    """The log of a flow run, oldest first, once it holds a line with `last` in it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    def read() -> list[Any]:
        with get_client(sync_client=True) as client:
            mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))
            lines = sorted(client.read_logs(log_filter=mine), key=lambda line: line.timestamp)
        return lines if any(last in line.message for line in lines) else []

    found: list[Any] = patiently(read)
    return found


def published(run_id: UUID) -> list[dict[str, Any]]:
    """The events `stillroom.run.published` of a flow run."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        wanted = {"event": {"name": ["stillroom.run.published"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
        events: list[dict[str, Any]] = client.request("POST", "/events/filter", json={"filter": wanted}).json()[
            "events"
        ]
    return events


def test_a_run_is_found_by_its_name_and_tags_and_its_shards_by_theirs(scripted: Scripted) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    scripted(lambda _: "Yes.")
    sft(seeds=questions(5), shard_rows=2)
    run = Shown().run
    assert run.name == "sft-respond nightly_sft"
    assert set(run.tags) == {"stillroom", "sft", "sft-respond", "nightly_sft", "test"}

    def names() -> set[str]:
        with get_client(sync_client=True) as client:
            tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
        assert not [task for task in tasks if task.tags], "a tag on a task run costs a question to the server"
        return {task.name for task in tasks} if len(tasks) == 6 else set()

    assert patiently(names) == {f"{step} {i}/3" for i in (1, 2, 3) for step in ("text_generation", "filters")}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "sft-respond nightly_sft"),
        ({"name": None}, "sft-respond"),
        ({"out": "elsewhere/there"}, "sft-respond there"),
        ({"retry": "sft-1a2b3c4d"}, "sft-respond nightly_sft retry of sft-1a2b3c4d"),
    ],
    ids=["named", "default", "folder", "retry"],
)
def test_a_flow_run_is_named_after_recipe_and_dataset(options: dict[str, Any], name: str) -> None:
    from flows.config import InstructionSFT

    assert InstructionSFT(**{"recipe": "respond", "name": "nightly_sft"} | options).title == name


def test_progress_is_live_while_the_run_goes_and_final_at_its_end(scripted: Scripted) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    progress = ArtifactFilter(key=ArtifactFilterKey(any_=["progress-nightly-sft-text-generation"]))
    go_on = threading.Event()
    seen: list[Any] = []

    async def rule(request: Request) -> str:
        while number(request) >= 30 and not go_on.is_set():
            await asyncio.sleep(0.01)
        return "Yes, it is so."

    def look() -> None:
        def half_way() -> Any:
            with get_client(sync_client=True) as client:
                told = [(a, a.description or "") for a in client.read_artifacts(artifact_filter=progress)]
            return [artifact for artifact, text in told if "30 of 60 rows" in text and "| 1 of 3 |" in text]

        try:
            seen.extend(patiently(half_way))
        finally:
            go_on.set()

    scripted(rule)
    looking = threading.Thread(target=copy_context().run, args=(look,))
    looking.start()
    sft(seeds=questions(60), shard_rows=20)
    looking.join()
    assert (seen[0].key, seen[0].type, seen[0].data) == ("progress-nightly-sft-text-generation", "progress", 50)
    assert seen[0].description.splitlines()[0].startswith("**text_generation**: 30 of 60 rows")
    for line in ("| rows done | 30 of about 60 |", "| requests | 30 |", "| rows made | 20 |", "| tokens out | 120 |"):
        assert line in seen[0].description
    last = Shown().artifacts["progress-nightly-sft-text-generation"]
    assert last.data == 100
    assert last.id == seen[0].id
    for line in ("| rows done | 60 of 60 |", "| shards done | 3 of 3 |", "| requests | 60 |", "| tokens out | 240 |"):
        assert line in last.description


def test_what_the_cache_answers_is_done_and_told_as_cached(scripted: Scripted) -> None:
    scripted(lambda _: "Yes.")
    sft(seeds=questions(6), shard_rows=2)
    sft(seeds=questions(8), shard_rows=2)
    shown = Shown()
    told = shown.artifacts["progress-nightly-sft-text-generation"].description
    for line in ("| rows done | 8 of 8 |", "| shards done | 4 of 4 (3 cached) |", "| requests | 2 |"):
        assert line in told
    assert "revision 2 (2 added)" in shown.artifacts["report-nightly-sft"].data


def some_fail(request: Request) -> str | Completion:
    if number(request) % 10 == 0:
        return Completion(UGLY, finish_reason="length", prompt_tokens=2, completion_tokens=9)
    return "" if number(request) % 10 == 1 else f"Yes, **{number(request)}** is so.\n\n- really"


def test_the_report_the_sample_and_the_rejects_hold_what_the_run_made(scripted: Scripted) -> None:
    scripted(some_fail)
    summary = sft(seeds=questions(1200), shard_rows=600, max_attempts=2)
    shown = Shown()
    report = shown.artifacts["report-nightly-sft"]
    assert report.type == "markdown"
    assert report.description.startswith("960 rows, 240 rejects, revision 1 (960 added), ")
    for part in (
        "**960 rows** in `datasets/nightly_sft`",
        f"Run `{summary['run']}`",
        "| `text_generation` | 1,200 | 960 | 240 | 20.0 % | 14 | 0 |",
        "| `text_generation` | 1,320 | 0 |",
        "| `text_generation` | `truncated` | 120 | 10.0 % |",
        f"240 failed: `stillroom retry {summary['run']}`",
        f"](/artifacts/artifact/{shown.artifacts['sample-nightly-sft'].id})",
        f"](/artifacts/artifact/{shown.artifacts['rejects-nightly-sft'].id})",
        f"](/artifacts/artifact/{shown.artifacts['page-nightly-sft'].id})",
        "](/artifacts/key/report-nightly-sft)",
    ):
        assert part in report.data
    page = Path(summary["dataset"], "report.html").absolute()
    assert page.is_file() and f"]({page.as_uri()})" in shown.artifacts["page-nightly-sft"].data
    sample = shown.rows("sample-nightly-sft")
    assert [row["asked"] for row in sample] == [f"`question {i}`" for i in range(2, 7)]
    assert sample[0]["answered"] == "```\nYes, **2** is so.\n\n- really\n```"
    rejects = shown.rows("rejects-nightly-sft")
    assert shown.artifacts["rejects-nightly-sft"].description == "Some of each reason, 60 of the 240 rejects"
    assert [row["reason"] for row in rejects].count("empty") == 30
    broken = next(row for row in rejects if row["reason"] == "truncated")
    assert (broken["step"], broken["kind"], broken["attempts"]) == ("text_generation", "failed", 1)
    assert broken["raw_text"].startswith("````\n# No")
    assert {row["raw_text"] for row in rejects if row["reason"] == "empty"} == {"(nothing)"}


def test_a_run_with_too_many_rejects_says_so_everywhere(scripted: Scripted) -> None:
    from flows.runs.verdict import TooManyRejects

    scripted(some_fail)
    with pytest.raises(TooManyRejects):
        sft(seeds=questions(30), max_attempts=1, max_reject_fraction=0.1)
    shown = Shown()
    assert (
        "**Too many rows failed**: text_generation: 6 of 30 rows failed" in shown.artifacts["report-nightly-sft"].data
    )
    event = patiently(lambda: published(shown.run.id))[0]
    assert event["resource"]["stillroom.failed-percent"] == "20"
    assert event["payload"] == {
        "run": f"sft-{str(shown.run.id)[:8]}",
        "dataset": "nightly_sft",
        "folder": "datasets/nightly_sft",
        "rows": 24,
        "rejects": 6,
        "revision": 1,
        "ended": "too many rejects",
        "worst_step": "text_generation",
        "failed_fraction": {"seeds": 0, "text_generation": 0.2, "filters": 0, "deduplicate": 0},
    }
    errors = [line.message for line in logged(shown.run.id, "too many rows failed") if line.level == logging.ERROR]
    assert errors[0].startswith("24 rows, 6 rejects, revision 1 (24 added), too many rows failed")


def test_a_run_that_breaks_shows_what_is_known(scripted: Scripted) -> None:
    async def breaks(request: Request) -> str | Completion:
        if number(request) >= 20:
            await asyncio.sleep(2)  # by then the first shard has ended
            raise PermanentError("the key is not accepted", "401", "set | OPENAI_API_KEY")
        return some_fail(request)

    scripted(breaks)
    with pytest.raises(PermanentError):
        sft(seeds=questions(40), shard_rows=20, max_attempts=1)
    shown = Shown()
    report = shown.artifacts["report-nightly-sft"]
    assert report.description.startswith("nothing was published: PermanentError after ")
    for part in ("the key is not accepted: 401", "| 1 of 2 |", "| `text_generation` | `empty` | 2 |", "*Retry*"):
        assert part in report.data
    assert len(shown.rows("rejects-nightly-sft")) == 4
    assert "sample-nightly-sft" not in shown.artifacts
    assert shown.artifacts["progress-nightly-sft-text-generation"].data < 100
    assert published(shown.run.id) == []


def test_the_log_has_a_line_for_each_event_and_none_for_a_shard(scripted: Scripted) -> None:
    scripted(some_fail)
    sft(seeds=questions(30), shard_rows=5, max_attempts=1, max_requests=12)
    run = Shown().run
    lines = [line for line in logged(run.id, "Finished in state") if line.name == "prefect.flow_runs"]
    told = [line.message for line in lines]
    assert [line.task_run_id for line in lines] == [None] * len(lines)
    name = f"sft-{str(run.id)[:8]}"
    assert told[1] == (
        f"run {name} starts: recipe sft-respond, models test, seed 0, max_attempts 1, shards of 5 rows, runner threads, "
        "budget max_requests 12; dataset datasets/nightly_sft"
    )
    assert told.count("budget reached (max_requests 12): no more requests are made") == 1
    step = next(line for line in told if line.startswith("text_generation: "))
    assert "12 requests, 0 from the ledger" in step
    assert "budget reached" in told[-2]
    assert len(told) == 7  # and Prefect's own: it begins, it has finished


def test_a_key_is_shown_nowhere_and_a_full_endpoint_is_told(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client

    monkeypatch.setenv("THE_KEY", "sk-very-secret")
    with serving(status(429), chat("Yes.")) as server:
        sft(model={"name": server.name, "api_key_env": "THE_KEY"}, seeds=questions(3))
    assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
    shown = Shown()
    log = "\n".join(line.message for line in logged(shown.run.id, "Finished in state"))
    assert "had no room: refused requests 1, at once now " in log
    assert "a-model" in shown.run.tags
    with get_client(sync_client=True) as client:
        events = client.request("POST", "/events/filter", json={"filter": {}, "limit": 50}).text
    everything = "".join(a.model_dump_json() for a in shown.artifacts.values()) + shown.run.model_dump_json()
    assert "sk-very-secret" not in everything + log + events


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that takes no artifact; the paths that it is asked for."""
    from prefect.client.orchestration import SyncPrefectClient

    with serving(status(500)) as server:
        api = f"http://127.0.0.1:{server.port}/api"
        monkeypatch.setattr("flows.watch.hooks.get_client", lambda **_: SyncPrefectClient(api))
        yield server.paths


def test_a_server_that_takes_no_artifacts_does_not_hurt_the_run_and_is_told_once(
    scripted: Scripted, refusing: list[str]
) -> None:
    scripted(lambda _: "Yes.")
    assert sft(seeds=questions(10))["rows"] == 10
    assert len(refusing) > 1, "the tags, and each artifact"
    run = Shown().run
    assert run.state_name == "Completed"
    warnings = [line.message for line in logged(run.id, "Finished in state") if line.level == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("the UI does not show all of this run, which goes on: PrefectHTTPStatusError")


def test_a_dpo_run_shows_each_technique_and_pairs(scripted: Scripted) -> None:
    from flows.config import PreferenceDPO
    from flows.preference_dpo import preference_dpo
    from tests.flows.test_preference_dpo import judged

    scripted(judged)
    preference_dpo(PreferenceDPO(recipe="basic", model="test", name="pairs", instructions=questions(12)))
    shown = Shown()
    assert shown.run.name == "dpo-basic pairs"
    assert {key for key in shown.artifacts if key.startswith("progress-")} == {
        f"progress-pairs-{step}" for step in ("model-pool", "ultrafeedback", "pair", "filters")
    }
    assert {"row_id", "prompt", "chosen", "rejected"} <= set(shown.rows("sample-pairs")[0])


def test_a_run_gives_a_sign_of_life_that_names_its_flow(scripted: Scripted) -> None:
    from prefect.client.orchestration import get_client
    from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

    scripted(lambda _request: "An answer that is long enough.")
    sft(seeds=questions(1))
    run = Shown().run

    def beats() -> list[Any]:
        of_run = EventResourceFilter(id=[f"prefect.flow-run.{run.id}"])
        wanted = EventFilter(event=EventNameFilter(name=["prefect.flow-run.heartbeat"]), resource=of_run)
        with get_client(sync_client=True) as client:
            found = client._client.post("/events/filter", json={"filter": wanted.model_dump(mode="json")})
        return list(found.json()["events"])

    related = [
        (about["prefect.resource.role"], about.get("prefect.resource.name")) for about in patiently(beats)[0]["related"]
    ]
    assert ("flow", "instruction-sft") in related
