"""What a server was not told of runs that have ended: kept in the home, and told by the next run or `serve` that reaches it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectException

from tasks.storage.files import write_atomically
from tasks.storage.home import home

PATH = re.compile("/flow_runs/(?P<run>[0-9a-f-]{36})(/set_state)?$")
KEPT_S = 30 * 24 * 3600.0
"""What no server has wanted to know for so long is thrown away."""


def keep_untold(requests: Sequence[httpx.Request], run_counts: Mapping[str, int]) -> None:
    """Write down the requests that a server did not take. `run_counts`: how often each flow run had begun by then."""
    told: dict[str, list[dict[str, Any]]] = {}
    for request in requests:
        if found := PATH.search(request.url.path):
            line = {"method": request.method, "path": found[0], "body": json.loads(request.content)}
            told.setdefault(found["run"], []).append(line)
    for run, lines in told.items():
        record = {"run_count": run_counts.get(run, 0), "requests": lines}
        write_atomically(_folder() / f"{run}.json", json.dumps(record).encode())


def tell_untold(client: SyncPrefectClient) -> None:
    """Tell a server what earlier runs on this home could not tell it. Raises ServerAway, with the rest kept."""
    for file in sorted(_folder().glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        try:
            known = client._client.get(f"/flow_runs/{file.stem}").json()
        except (httpx.HTTPStatusError, PrefectException):  # another server's
            if time.time() - file.stat().st_mtime > KEPT_S:
                file.unlink(missing_ok=True)
            continue
        if known["run_count"] <= record["run_count"]:  # else it has begun again since
            for line in record["requests"]:
                body = line["body"] | ({"force": True} if "state" in line["body"] else {})
                with suppress(httpx.HTTPStatusError):
                    client._client.request(line["method"], line["path"], json=body)
        file.unlink(missing_ok=True)


def _folder() -> Path:
    return home() / "untold"
