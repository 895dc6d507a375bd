"""Whether a config runs every night: asked of the Prefect server each time, since its UI can change it too."""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from flows.curate_dataset import FLOW_NAMES
from flows.service.server.reachable import deployment_page, server_request
from tasks.storage.home import served_url

USUAL_HOUR = "02:00"
ANSWER_S = 2.0
MOST_ANSWER_BYTES = 2_000_000


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
    auth = os.environ.get("PREFECT_API_AUTH_STRING") or os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    request = server_request(api, f"deployments/name/{FLOW_NAMES[kind]}/{quote(name, safe='')}-nightly", auth)
    with suppress(OSError, ValueError, KeyError, TypeError):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_S) as answer:
            told = json.loads(answer.read(MOST_ANSWER_BYTES))
        return _state_in(told, api)
    return None


def _state_in(told: dict[str, Any], api: str) -> NightlyState:
    page = deployment_page(api, told["id"])
    active = next((one["schedule"] for one in told["schedules"] if one["active"]), None)
    if active is None or told.get("paused"):
        return NightlyState("", "", page)
    cron = str(active.get("cron") or "")
    parts = cron.split()
    is_daily = len(parts) == 5 and parts[2:] == ["*"] * 3 and parts[0].isdigit() and parts[1].isdigit()
    at = f"{int(parts[1]):02}:{int(parts[0]):02}" if is_daily else cron or "–"
    return NightlyState(at, str(active.get("timezone") or "UTC"), page)
