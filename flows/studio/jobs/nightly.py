"""Whether a config runs every night: asked of the Prefect server each time, since its UI can change it too."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from tasks.storage.home import served_url

USUAL_HOUR = "02:00"
ANSWER_S = 2.0
MOST_ANSWER_BYTES = 2_000_000
FLOW_OF = {"sft": "instruction-sft", "dpo": "preference-dpo"}


class NightlyState(NamedTuple):
    """The deployment of a config. `at`: HH:MM, or the schedule as cron writes it; "" where it was switched off. `page`: in Prefect's UI."""

    at: str
    timezone: str
    page: str


def prefect_api() -> str | None:
    """The server that deployments go to: the user's, else that of `stillroom serve` on this home; None where none serves."""
    return os.environ.get("PREFECT_API_URL") or served_url()


def nightly_state(kind: str, name: str) -> NightlyState | None:
    """How a config's deployment stands on the server; None where there is none, or the server does not answer at once."""
    api = prefect_api()
    if api is None:
        return None
    request = urllib.request.Request(
        f"{api.rstrip('/')}/deployments/name/{FLOW_OF[kind]}/{quote(name, safe='')}-nightly"
    )
    if auth := os.environ.get("PREFECT_API_AUTH_STRING") or os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        request.add_header("Authorization", f"Basic {base64.b64encode(auth.encode()).decode()}")
    with suppress(OSError, ValueError, KeyError, TypeError):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_S) as answer:
            told = json.loads(answer.read(MOST_ANSWER_BYTES))
        return _state_in(told, api)
    return None


def _state_in(told: dict[str, Any], api: str) -> NightlyState:
    page = f"{api.rstrip('/').removesuffix('/api')}/deployments/deployment/{told['id']}"
    active = next((one["schedule"] for one in told["schedules"] if one["active"]), None)
    if active is None or told.get("paused"):
        return NightlyState("", "", page)
    cron = str(active.get("cron") or "")
    parts = cron.split()
    is_daily = len(parts) == 5 and parts[2:] == ["*"] * 3 and parts[0].isdigit() and parts[1].isdigit()
    at = f"{int(parts[1]):02}:{int(parts[0]):02}" if is_daily else cron or "–"
    return NightlyState(at, str(active.get("timezone") or "UTC"), page)
