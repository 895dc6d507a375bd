"""Old runs on a Prefect server of somebody's, removed by its API, a batch of runs at a time.

The server removes task runs, states and logs of a run with it. Its events it removes by itself, after 7 days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient

RUNS = 50
"""The most that the API takes at once."""
ARTIFACTS = 200
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]


def remove_by_api(client: SyncPrefectClient, before: datetime, flows: Sequence[str], dry: bool) -> dict[str, Any]:
    """Remove the runs of these flows that ended before a time. What was removed, by kind; how many bytes nobody tells."""
    old = {
        "flows": {"name": {"any_": list(flows)}},
        "flow_runs": {"state": {"type": {"any_": ENDED}}, "end_time": {"before_": before.isoformat()}},
    }
    counts: Counter[str] = Counter()
    if dry:
        counts["flow runs"] = _post(client, "flow_runs/count", old)
        return {"counts": dict(counts), "bytes": None}
    while runs := [run["id"] for run in _post(client, "flow_runs/filter", {**old, "limit": RUNS})]:
        for artifact in _artifacts(client, runs):
            client._client.delete(f"/artifacts/{artifact}")
            counts["artifacts"] += 1
        gone = _post(client, "flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": runs}}, "limit": RUNS})
        counts["flow runs"] += len(gone["deleted"])
    return {"counts": dict(counts), "bytes": None}


def _artifacts(client: SyncPrefectClient, runs: list[str]) -> Iterator[str]:
    """The artifacts of some runs. Each page is asked for when those before it are gone."""
    of_runs = {"artifacts": {"flow_run_id": {"any_": runs}}, "limit": ARTIFACTS}
    while page := _post(client, "artifacts/filter", of_runs):
        yield from (artifact["id"] for artifact in page)


def _post(client: SyncPrefectClient, path: str, body: dict[str, Any]) -> Any:
    return client._client.post(f"/{path}", json=body).json()
