"""Duplicates told by what lies in buckets on the machines of a Ray cluster: the same bytes as one machine makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tasks.curate.held_texts import TextsInBuckets
from tasks.curate.near_index import NearIndex
from tasks.errors import PermanentError
from tests.curate.test_buckets import texts_of_all_kinds
from tests.flows.runs.test_runners import RULES, SEEDS, answered, ray_here
from tests.flows.test_instruction_sft import dataset_bytes, sft

__all__ = ["ray_here"]  # a fixture

pytestmark = pytest.mark.slow
MOON = "Tell me in two sentences why the moon shows us the same side all year"


@pytest.mark.parametrize("told", [{}, {"best_by": "score"}], ids=["the first stays", "the best stays"])
def test_a_run_with_buckets_makes_the_same_dataset(
    told: dict[str, Any],
    prefect_server: str,
    home: Path,
    ray_here: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from tests.flows.test_curate import curate, lines, said, user

    asked = [
        *SEEDS,
        *(f" {seed.upper()}" for seed in SEEDS[::4]),
        MOON,
        f"Here is what came up at work: {MOON}. Thanks",
    ]
    options: dict[str, Any] = {
        "curate": {"deduplicate": {"threshold": 0.7, "contained": True, **told}},
        "shard_rows": 5,
    }
    records = [{"messages": [user(one), said(f"It is {at}.")], "score": at % 7} for at, one in enumerate(asked)]
    source = lines("rows.jsonl", records)
    curate(source, **options, out="by-ray", runner="ray", ray={"workers": 2, "buckets": 3})
    assert list(home.glob("near-*")) == []
    rejects = pl.read_parquet("by-ray/rejects.parquet")
    assert {"duplicate", "contained"} <= {*rejects["reason"]}
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another-home"))
    curate(source, **options, out="by-threads")
    assert dataset_bytes(Path("by-ray/data")) == dataset_bytes(Path("by-threads/data"))
    assert rejects.equals(pl.read_parquet("by-threads/rejects.parquet"))


def test_a_dataset_that_grows_finds_its_rows_in_buckets(prefect_server: str, home: Path, ray_here: Path) -> None:
    options = {"recipe": "respond", "model": f"scripted:{RULES}:answer", "incremental": True}
    assert sft(**options, seeds=SEEDS[:6])["rows"] == 6
    more = [*SEEDS[:6], SEEDS[0].upper(), SEEDS[7]]
    grown = sft(**options, seeds=more, runner="ray", ray={"workers": 2, "buckets": 2})
    assert (grown["rows"], grown["changes"]["added"]) == (7, 1)
    assert pl.read_parquet("out/rejects.parquet")["reason"].to_list() == ["duplicate_of_earlier"]
    assert answered(ray_here)[0]


def test_buckets_on_several_nodes_find_what_one_disk_finds_and_a_lost_one_is_told(
    home: Path, ray_here: Path, tmp_path: Path
) -> None:
    import ray
    from ray.cluster_utils import Cluster

    from flows.runs.runners.ray_buckets import RayBuckets

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    texts, found = texts_of_all_kinds(), []
    try:
        cluster.add_node(**node)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        buckets = RayBuckets(4)
        for held in (None, TextsInBuckets(buckets)):
            folder = tmp_path / str(held is None)
            folder.mkdir()
            found.append(NearIndex(folder, 0.7, contained=True, held=held).add(texts))
        assert found[0] == found[1]
        assert len(list(home.glob("near-*"))) == 4
        buckets.close()
        assert list(home.glob("near-*")) == []
        with pytest.raises(PermanentError, match="run the same command again"):
            buckets.ask("find", [("names", np.zeros(0, np.uint64), 1)] * 4)
    finally:
        ray.shutdown()
        cluster.shutdown()
