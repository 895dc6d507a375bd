"""Where shards run: whatever the runner, the same bytes, nothing paid twice, and the counts of a run in one place."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.engine.context import Context
from tasks.engine.process import Settings
from tasks.engine.requests import reports
from tasks.errors import ConfigError
from tasks.models.base import Completion
from tasks.models.config import ModelConfig
from tasks.storage import places
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft, task_states
from tests.flows.test_preference_dpo import dpo

RULES = Path(__file__).with_name("ray_rules.py")
NODES = [{"Resources": {"CPU": 4.0}}, {"Resources": {"CPU": 2.0, "GPU": 1.0}}]


def settings(**changes: Any) -> Settings:
    return Settings(**{"run": "sft-1", "home": Path("home"), "ledger": "sqlite:///l", "tables": "/tables"} | changes)


# Shares


@pytest.mark.parametrize(
    ("ray", "room"),
    [
        pytest.param({}, 6, id="a CPU each"),
        pytest.param({"num_cpus": 0.25}, 24, id="four to a CPU"),
        pytest.param({"num_cpus": 3}, 1, id="only one node is large enough"),
        pytest.param({"num_gpus": 0.5}, 2, id="half a GPU each"),
    ],
)
def test_a_cluster_has_room_for_what_fits_on_its_nodes(ray: dict[str, Any], room: int) -> None:
    from flows.runs.runners.ray_cluster import room_for
    from flows.runs.runners.ray_workers import RayWorkers

    assert room_for(NODES, RayWorkers(**ray)) == room


def test_a_cluster_without_room_is_the_users_mistake() -> None:
    from flows.runs.runners.ray_cluster import room_for
    from flows.runs.runners.ray_workers import RayWorkers

    with pytest.raises(ConfigError, match=r"no node .* has room for a shard: 1 CPU, 2 GPU"):
        room_for(NODES, RayWorkers(num_gpus=2))


def test_all_workers_together_keep_to_what_the_user_allows() -> None:
    from flows.runs.runners.ray_cluster import shared_out

    endpoint = ModelConfig(name="m@http://x/v1", max_in_flight=10, requests_per_minute=7, tokens_per_minute=100)
    own = ModelConfig(name="demo", max_in_flight=10)
    shares = shared_out({"generator": (endpoint, own)}, 4)["generator"]
    assert (shares[0].max_in_flight, shares[0].requests_per_minute, shares[0].tokens_per_minute) == (2, 1, 25)
    assert shares[1] == own  # every worker loads it for itself


def test_a_window_too_small_to_share_is_the_users_mistake() -> None:
    from flows.runs.runners.ray_cluster import shared_out

    with pytest.raises(ConfigError, match=r"requests_per_minute of .* is too small for 4 workers: 3 .*raise it to 4"):
        shared_out({"generator": (ModelConfig(name="m@http://x/v1", requests_per_minute=3),)}, 4)


# What cannot be


def test_ray_that_is_not_installed_is_told_with_the_way_to_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runs.runners import checks

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r'pip install "stillroom\[ray\]"'):
        checks.check_runner("ray")
    checks.check_runner("threads")


def test_a_cluster_that_does_not_answer_is_told_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runs.runners.checks import check_runner

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"no Ray cluster answers: RAY_ADDRESS=127.0.0.1:9: Connection refused"):
        check_runner("ray")


@pytest.mark.parametrize(
    ("api", "ledger", "tables", "message"),
    [
        pytest.param("http://127.0.0.1:4200/api", "postgresql://db/l", "s3://b", "cannot reach Prefect's server"),
        pytest.param("http://localhost:4200/api", "postgresql://db/l", "s3://b", "cannot reach Prefect's server"),
        pytest.param("http://prefect:4200/api", "sqlite:////l", "s3://b", "cannot share a ledger in a file"),
        pytest.param(
            "http://prefect:4200/api", "postgresql://db/l", "/tables", "do not share the folder of the tables"
        ),
        pytest.param("http://prefect:4200/api", "postgresql://db/l", "s3://b", None),
    ],
)
def test_workers_elsewhere_need_what_they_can_reach(
    api: str, ledger: str, tables: str, message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from flows.runs.runners.ray_cluster import check_reach

    monkeypatch.delenv("STILLROOM_TABLES", raising=False)
    told = settings(ledger=ledger, tables=tables)
    check_reach({socket.gethostname()}, api, told)  # on this machine everything can be reached
    if message is None:
        check_reach({"elsewhere"}, api, told)
        return
    with pytest.raises(ConfigError, match=message):
        check_reach({socket.gethostname(), "elsewhere"}, api, told)


# Reports


def counted(*steps: str) -> Context:
    context = Context()
    for step in steps:
        context.accounting.tally.paid(step, Completion("x", prompt_tokens=3, completion_tokens=2), 0.5)
        context.accounting.tally.found(step)
        context.accounting.tally.rows_in[step] += 2
        context.accounting.tally.refused(step, Counter(empty=1))
    return context


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_what_workers_count_is_added_up_and_not_counted_twice(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path) if place == "disk" else f"memory://{tmp_path}"
    for worker, steps in {"one": ["a", "b"], "two": ["b"]}.items():
        monkeypatch.setattr(reports, "WORKER", worker)
        for _ in range(2):  # a worker's second shard: its counts so far, not more of them
            with reports.reporting(folder, counted(*steps)):
                pass
    run = Context()
    reports.gather(folder, run)
    assert run.accounting.tally.as_dict() == counted("a", "b", "b").accounting.tally.as_dict()
    reports.clear(folder)
    assert places.files_in(folder) == []


def test_a_stop_of_the_run_reaches_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "REPORT_EVERY_S", 0.01)
    run, worker = Context(), Context()
    with reports.reporting(str(tmp_path), worker):
        reports.gather(str(tmp_path), run)
        time.sleep(0.1)
        assert not worker.stop.is_set()
        run.stop.set()
        reports.gather(str(tmp_path), run)
        assert worker.stop.wait(10)


def test_a_worker_reports_while_its_shard_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "REPORT_EVERY_S", 0.01)
    worker, seen = counted("a"), threading.Event()
    with reports.reporting(str(tmp_path), worker):
        deadline = time.monotonic() + 10
        while not seen.is_set() and time.monotonic() < deadline:
            run = Context()
            reports.gather(str(tmp_path), run)
            if run.accounting.tally.requests == 1:
                seen.set()
            time.sleep(0.01)
    assert seen.is_set()


def test_what_the_process_that_started_the_run_asks_is_counted_beside_its_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.runs.runners.shard_runner import Workers

    run, place = Context(), str(tmp_path)
    with reports.reporting(place, counted("a")):
        pass
    monkeypatch.setattr(reports, "WORKER", "here")
    workers = Workers({}, settings(reports=place), run)
    with workers.asking_here() as here:
        here.accounting.tally.paid("calibration", Completion("x"), 0)
    workers.gather()
    assert (run.accounting.tally.requests, run.accounting.tally.steps["calibration"].requests) == (2, 1)
    with Workers({}, settings(), run).asking_here() as here:
        assert here is run


# What travels


def steps() -> list[Any]:
    from tasks.curate.pair import pair
    from tasks.generate.bootstrap import bootstrap
    from tasks.generate.self_instruct import self_instruct
    from tasks.judge.ultrafeedback import ultrafeedback

    return [pair, bootstrap, self_instruct, ultrafeedback]


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.name)
def test_a_step_and_its_task_go_to_another_process_by_name(step: Any) -> None:
    import cloudpickle

    from tasks.engine.prefect import _table_task, _task
    from tasks.engine.process import process
    from tasks.engine.table_step import TableStep

    assert cloudpickle.loads(cloudpickle.dumps(step)) is step
    assert cloudpickle.loads(cloudpickle.dumps(process)) is process
    task = (_table_task if isinstance(step, TableStep) else _task)(step)
    assert cloudpickle.loads(cloudpickle.dumps(task)).name == step.name


# Whole runs

SEEDS = [f"question {i}" for i in range(40)]
MOON = "Explain in a few plain words why the moon shows people on earth the same side all year."


@pytest.mark.parametrize("tables", ["memory", "s3"])
def test_tables_on_a_url_give_the_same_dataset_and_are_cached(
    tables: str, scripted: Scripted, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripted(rule)
    on_disk = sft(recipe="seeded", seeds=SEEDS, shard_rows=10, out="on-disk")
    url = f"memory://{tmp_path}" if tables == "memory" else request.getfixturevalue("s3")
    monkeypatch.setenv("STILLROOM_TABLES", url)
    monkeypatch.setenv("STILLROOM_LEDGER", f"sqlite:///{tmp_path}/another.sqlite")
    first = sft(recipe="seeded", seeds=SEEDS, shard_rows=10, out="elsewhere")
    assert first["requests"] == on_disk["requests"] > 0
    assert dataset_bytes(Path("elsewhere/data")) == dataset_bytes(Path("on-disk/data"))
    again = sft(recipe="seeded", seeds=SEEDS, shard_rows=10, out="elsewhere")
    assert again["requests"] == again["ledger_hits"] == 0
    assert set(task_states(again["run"], 12)) == {"Cached"}
    assert {entry.rpartition("/")[0].rpartition("/")[0] for entry in _tables_of(again["run"])} == {url.rstrip("/")}


def _tables_of(run: str) -> list[str]:
    from flows.runs.manifests import manifest

    return [table["path"] for tables in manifest(run)["steps"].values() for table in tables]


@pytest.fixture
def ray_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A token and a request log for Ray clusters of this machine; none of them is left running."""
    for name, value in {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_USAGE_STATS_ENABLED": "0",
        "REQUEST_LOG": str(tmp_path / "requests.log"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    pytest.importorskip("prefect_ray")
    ray = pytest.importorskip("ray")  # it reads how to authenticate when it is imported
    yield tmp_path / "requests.log"
    ray.shutdown()


def answered(log: Path) -> tuple[set[str], list[str]]:
    """The processes that answered, and what they answered, from a request log."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return {pid for pid, _ in lines}, [seed for _, seed in lines]


@pytest.mark.slow
def test_ray_workers_make_the_same_dataset_with_the_same_requests_and_share_the_cache(
    prefect_server: str, home: Path, ray_here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = {"recipe": "seeded", "seeds": SEEDS, "shard_rows": 5, "model": f"scripted:{RULES}:answer"}
    by_ray = sft(**options, out="by-ray", runner="ray", ray={"workers": 2})
    workers, requests = answered(ray_here)
    assert len(workers) > 1
    assert str(os.getpid()) not in workers
    assert len(set(requests)) == len(requests) == by_ray["requests"]
    assert places.files_in(f"{home}/tables/reports/{by_ray['run']}") == []
    again = sft(**options, out="by-ray")
    assert again["requests"] == again["ledger_hits"] == 0
    assert set(task_states(again["run"], 16)) == {"Cached"}
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another-home"))
    by_threads = sft(**options, out="by-threads")
    assert dataset_bytes(Path("by-ray/data")) == dataset_bytes(Path("by-threads/data"))
    different = {"dataset", "run", "seconds", "datetime"}
    assert {k: v for k, v in by_ray.items() if k not in different} == {
        k: v for k, v in by_threads.items() if k not in different
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["max_requests", "max_total_tokens"])
def test_a_budget_holds_over_ray_workers_and_the_same_command_goes_on(
    kind: str, prefect_server: str, home: Path, ray_here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of requests exactly; of tokens nothing is begun once so many are in, whoever has asked for them."""
    model = {"name": f"scripted:{RULES}:together", "max_in_flight": 6}
    options = {"recipe": "respond", "seeds": SEEDS, "shard_rows": 5, "model": model}
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another-home"))
    whole = sft(**options, out="whole")
    tokens = _tokens(whole)
    each = -(-tokens // len(SEEDS)) + 2  # of no request there are more
    monkeypatch.setenv("STILLROOM_HOME", str(home))
    for mark in ray_here.parent.glob(f"{ray_here.stem}.*"):
        mark.unlink()
    monkeypatch.setenv("WORKERS_AT_ONCE", "2")
    most = 13 if kind == "max_requests" else tokens // 3
    cut = sft(**options, **{kind: most}, out="by-ray", runner="ray", ray={"workers": 2})
    workers, requests = answered(ray_here)
    assert len(workers) > 1
    assert len(requests) == cut["requests"]
    if kind == "max_requests":
        assert cut["requests"] == most
    else:
        assert most <= _tokens(cut) < most + 6 * each
    assert (cut["ended"], cut["rows"], cut["pending"]) == ("budget reached", cut["requests"], 40 - cut["requests"])
    goes_on = sft(**options, **{kind: 10 * tokens}, out="by-ray", runner="ray", ray={"workers": 2})
    assert (goes_on["ended"], cut["requests"] + goes_on["requests"]) == ("completed", whole["requests"])
    assert dataset_bytes(Path("by-ray/data")) == dataset_bytes(Path("whole/data"))


def _tokens(summary: dict[str, Any]) -> int:
    return int(summary["prompt_tokens"] + summary["completion_tokens"])


@pytest.mark.slow
def test_what_ray_workers_make_is_compared_across_their_shards(
    prefect_server: str, home: Path, ray_here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Copies in shards of other workers, a benchmark's question, a choice among all rows; filters run on the workers."""
    Path("moon.jsonl").write_text(json.dumps({"question": MOON}))
    options: dict[str, Any] = {
        "recipe": "respond",
        "seeds": [*SEEDS, *(f" {seed.upper()}" for seed in SEEDS[::4]), MOON, f"Tell me: {MOON}", f"{MOON} Thanks!"],
        "shard_rows": 5,
        "model": f"scripted:{RULES}:answer",
        "curate": {
            "filters": {"patterns": {"forbidden": ["is [67][0-9]"]}},
            "decontaminate": {"benchmarks": ["moon.jsonl"]},
            "diversify": {"by": "longest", "rows": 6, "candidates": "all", "threshold": 1},
        },
    }
    by_ray = sft(**options, out="by-ray", runner="ray", ray={"workers": 2})
    assert len(answered(ray_here)[0]) > 1
    rejects = pl.read_parquet("by-ray/rejects.parquet")
    gone = Counter(rejects["reason"])
    assert min(gone[reason] for reason in ("duplicate", "forbidden_pattern", "contaminated")) > 0
    assert (by_ray["rows"], by_ray["rejects"]) == (6, len(options["seeds"]) - 6)
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another-home"))
    by_threads = sft(**options, out="by-threads")
    assert dataset_bytes(Path("by-ray/data")) == dataset_bytes(Path("by-threads/data"))
    assert rejects.equals(pl.read_parquet("by-threads/rejects.parquet"))
    assert by_ray["requests"] == by_threads["requests"]


@pytest.mark.slow
def test_a_lost_worker_costs_only_the_time_of_its_shard(
    prefect_server: str,
    home: Path,
    ray_here: Path,
    postgres: Any,
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("STILLROOM_TABLES", f"{s3}/tables")
    monkeypatch.setenv("STILLROOM_LEDGER", postgres.new_database())
    monkeypatch.setenv("LOSE_WORKER_AT", "question 17")
    options: dict[str, Any] = {
        "recipe": "basic",
        "instructions": SEEDS,
        "shard_rows": 5,
        "model": {"name": f"scripted:{RULES}:judge", "max_in_flight": 2},
    }
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**node)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        by_ray = dpo(**options, out="by-ray", runner="ray")
    finally:
        cluster.shutdown()
    lost = ray_here.with_suffix(".lost").read_text()
    workers, requests = answered(ray_here)
    assert workers - {lost}
    assert len(set(requests)) == len(requests)  # the one that the lost worker had not answered was made again
    assert (by_ray["rows"] + by_ray["rejects"], by_ray["pending"]) == (len(SEEDS), 0)
    for name in ("STILLROOM_TABLES", "STILLROOM_LEDGER"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another-home"))
    by_threads = dpo(**options, out="by-threads")
    assert by_threads["requests"] == len(requests)
    assert dataset_bytes(Path("by-ray/data")) == dataset_bytes(Path("by-threads/data"))
