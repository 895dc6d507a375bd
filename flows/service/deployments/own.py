"""A deployment of a config of the user's own, run every night: what `stillroom deploy sft --config FILE` puts on the server.

Its runs are those of `stillroom sft --config FILE`, in the folder that the command was given in: the worker of `stillroom serve`
on the same home is on this machine. On another server relative paths are relative to the folder of its worker.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint

from flows.curate_dataset import FLOW_NAMES
from flows.service.deployments.left_runs import POOL
from flows.service.deployments.put import HEARTBEATS, Json, deployed_code, server_detail, specified
from flows.service.server.reachable import deployment_page
from tasks.errors import ConfigError
from tasks.storage.home import home, served_url

TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
SLUG = "nightly"


class Nightly(NamedTuple):
    """What stands on the server: the full name, when it runs, and its page in Prefect's UI."""

    name: str
    at: str
    timezone: str
    url: str

    @property
    def line(self) -> str:
        """The deployment as one line of text: its name, when it runs, and its page."""
        return f"{self.name}: every night at {self.at} ({self.timezone}); {self.url}"


@dataclass(frozen=True)
class OwnDeployment:
    """A config's deployment. `kind`: sft or dpo; `file`: of the config, whose name it has; `settings`: what the config says."""

    kind: str
    file: Path
    settings: Json

    @property
    def name(self) -> str:
        """Its name on the server, without that of its flow."""
        return f"{self.file.stem}-nightly"

    @property
    def full_name(self) -> str:
        """Its name on the server."""
        return f"{FLOW_NAMES[self.kind]}/{self.name}"

    def put(self, at: str) -> Nightly:
        """Make it, or make it anew, with its schedule on. Raises ConfigError where the server has no place for it."""
        found = TIME_OF_DAY.fullmatch(at)
        if found is None:
            raise ConfigError("--at is a time of the day", at, "HH:MM, e.g. 02:00")
        if self.name in {one["name"] for one in specified()}:
            raise ConfigError("a deployment of deployments/ has this name", self.name, "give the config another name")
        timezone = own_timezone()
        with _asked() as client:
            _check_pool(client)
            body = self._body(client, {"cron": f"{int(found[2])} {int(found[1])} * * *", "timezone": timezone})
            try:
                made = client.request("POST", "/deployments/", json=body).json()
            except httpx.HTTPStatusError as error:
                raise ConfigError("the server refuses a deployment", self.name, server_detail(error)) from error
        return Nightly(
            self.full_name,
            f"{int(found[1]):02}:{found[2]}",
            timezone,
            deployment_page(os.environ["PREFECT_API_URL"], made["id"]),
        )

    def remove(self) -> str:
        """Take it away again; its name. Raises ConfigError where there is none."""
        with _asked() as client:
            try:
                client.delete_deployment(client.read_deployment_by_name(self.full_name).id)
            except ObjectNotFound:
                raise ConfigError("no such deployment", self.full_name, "nothing runs every night") from None
        return self.full_name

    def _body(self, client: SyncPrefectClient, schedule: Json) -> Json:
        function = FLOW_NAMES[self.kind].replace("-", "_")
        entrypoint = next(one["entrypoint"] for one in specified() if one["entrypoint"].endswith(f".{function}"))
        flow: Any = load_flow_from_entrypoint(entrypoint)
        return {
            "name": self.name,
            "flow_id": str(client.create_flow_from_name(flow.name)),
            "parameters": {"config": self.settings},
            "description": f"**`stillroom {self.kind} --config {self.file}`, every night.**",
            "tags": ["stillroom", self.kind, "nightly"],
            "schedules": [{"slug": SLUG, "active": True, "schedule": {**schedule, "day_or": True}}],
            "work_pool_name": POOL,
            "job_variables": _place(),
            "concurrency_limit": 1,
            "concurrency_options": {"collision_strategy": "ENQUEUE"},
            **deployed_code(entrypoint, flow),
        }


def own_timezone() -> str:
    """The name of this machine's time zone; UTC where it has none."""
    named = os.environ.get("TZ", "").lstrip(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(named).key
    except (ValueError, OSError, KeyError):  # of a name that is none, KeyError is the base of what zoneinfo raises
        return "UTC"


def _place() -> Json:
    """Where its runs work: here, with this home, for the worker of `stillroom serve`; else where the worker is."""
    if os.environ.get("PREFECT_API_URL") != served_url():
        return {"working_dir": ".", "env": HEARTBEATS}
    return {"working_dir": str(Path.cwd()), "env": {**HEARTBEATS, "STILLROOM_HOME": str(home())}}


def _asked() -> SyncPrefectClient:
    """The server that serves. Raises ConfigError where none does: one of this command's own would end with it."""
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            "no Prefect server runs here", None, "start `stillroom serve` on this home, and leave it running"
        )
    client: SyncPrefectClient = get_client(sync_client=True)
    return client


def _check_pool(client: SyncPrefectClient) -> None:
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        raise ConfigError("the server has no work pool for it", POOL, "`stillroom deploy` puts it there") from None
