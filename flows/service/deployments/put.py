"""The deployments of prefect.yaml, put on a server: made where they are not there, else brought up to date.

What a person has changed in the UI stays (schedules, a pause, limits, parameters), and is told in a line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values

from flows.service.deployments.deployed import Deployed
from tasks.errors import ConfigError

DEPLOYMENTS = Path(__file__).parents[3] / "deployments"
FILE = DEPLOYMENTS / "prefect.yaml"
LIMIT = "concurrency_limit"
HEARTBEATS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""What every run of a deployment is told, so that one that has died is known."""
Json = dict[str, Any]


def specified() -> list[Json]:
    """The deployments of the file, as they are written there."""
    found: list[Json] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]
    return found


def put_deployments(client: SyncPrefectClient, deployed: Deployed) -> list[str]:
    """Put them all; a line each, and one for what a person's hand was left on, or was taken from.

    Raises ConfigError where the server refuses one.
    """
    told = []
    for specification in specified():
        name = specification["name"]
        try:
            told += _put(client, specification, deployed)
        except httpx.HTTPStatusError as error:
            raise ConfigError("the server refuses a deployment", name, server_detail(error)) from error
    return told


def config_of(specification: Json) -> Json:
    """What a deployment's file in configs/ says."""
    config = specification["build"][0]["flows.service.deploy.nightly"].get("config")
    return yaml.safe_load((DEPLOYMENTS / "configs" / config).read_text(encoding="utf-8")) if config else {}


def _put(client: SyncPrefectClient, specification: Json, deployed: Deployed) -> list[str]:
    name = specification["name"]
    flow: Flow[..., Any] = load_flow_from_entrypoint(specification["entrypoint"])
    ours, code = _editable(specification), deployed_code(specification["entrypoint"], flow)
    try:
        there = client.read_deployment_by_name(f"{flow.name}/{name}").model_dump(mode="json")
    except ObjectNotFound:
        deployed.forget(f"{name}: ")
        schedules = [schedule | {"active": False} for schedule in _schedules(specification)]
        flow_id = str(client.create_flow_from_name(flow.name))
        made = {"name": name, "flow_id": flow_id, "schedules": schedules} | ours | code
        client.request("POST", "/deployments/", json=made)
        _remember(client, flow, specification, deployed)
        return [f"deployment {name}"]
    kept, reset = len(deployed.kept), len(deployed.reset)
    is_told = _bring_up_to_date(client, there, ours, code, specification, deployed)
    _remember(client, flow, specification, deployed)
    told = [*is_told, *_said("stays as it was made in the UI", name, deployed.kept[kept:])]
    return [f"deployment {name}", *told, *_said("reset, as deployments/ says", name, deployed.reset[reset:])]


def _bring_up_to_date(
    client: SyncPrefectClient, there: Json, ours: Json, code: Json, specification: Json, deployed: Deployed
) -> list[str]:
    """Change what has to be changed of a deployment; lines about parameters that could not stay."""
    name, deployment = specification["name"], {"id": there["id"]}
    shown = _shown(there)
    settled = {field: deployed.settle(f"{name}: {field}", shown[field], ours[field]) for field in ours}
    changed = {field: value for field, value in settled.items() if value != shown[field]}
    told = []
    try:
        client.request("PATCH", "/deployments/{id}", path_params=deployment, json=code | changed)
    except httpx.HTTPStatusError as error:
        if f"{name}: parameters" not in deployed.kept:
            raise
        deployed.kept.remove(f"{name}: parameters")
        told = [
            f"reset, as deployments/ says: {name}: parameters (those made in the UI do not fit any more: {server_detail(error)})"
        ]
        changed["parameters"] = ours["parameters"]
        client.request("PATCH", "/deployments/{id}", path_params=deployment, json=code | changed)
    _put_schedules(client, there, specification, deployed)
    return told


def _put_schedules(client: SyncPrefectClient, there: Json, specification: Json, deployed: Deployed) -> None:
    """Bring our own schedules up to date. Whether one is on is the user's, and so are all others."""
    by_slug = {schedule["slug"]: schedule for schedule in there["schedules"]}
    for ours in _schedules(specification):
        what = f"{specification['name']}: schedule {ours['slug']}"
        known = by_slug.get(ours["slug"])
        if known is not None:
            when = deployed.settle(what, _when(known["schedule"]), ours["schedule"])
            if when != _when(known["schedule"]):
                ids = {"id": there["id"], "schedule_id": known["id"]}
                client.request(
                    "PATCH", "/deployments/{id}/schedules/{schedule_id}", path_params=ids, json={"schedule": when}
                )
        elif deployed.knows(what):
            deployed.kept.append(f"{what} (deleted)")
        else:
            off = [ours | {"active": False}]
            client.request("POST", "/deployments/{id}/schedules", path_params={"id": there["id"]}, json=off)


def _remember(client: SyncPrefectClient, flow: Flow[..., Any], specification: Json, deployed: Deployed) -> None:
    """What stands there now, in the words of the server."""
    name = specification["name"]
    there = client.read_deployment_by_name(f"{flow.name}/{name}").model_dump(mode="json")
    for field, value in _shown(there).items():
        deployed.stands(f"{name}: {field}", value)
    ours = {schedule["slug"] for schedule in _schedules(specification)}
    for schedule in there["schedules"]:
        if schedule["slug"] in ours:
            deployed.stands(f"{name}: schedule {schedule['slug']}", _when(schedule["schedule"]))


def _editable(specification: Json) -> Json:
    """What a person can change in the UI, as the file has it."""
    limit, pool = specification[LIMIT], specification["work_pool"]
    return {
        "parameters": apply_values(specification["parameters"], {"nightly": {"config": config_of(specification)}}),
        "description": specification["description"],
        "tags": specification["tags"],
        "job_variables": pool["job_variables"],
        "work_pool_name": pool["name"],
        LIMIT: limit["limit"],
        "concurrency_options": {"collision_strategy": limit["collision_strategy"]},
    }


def _shown(there: Json) -> Json:
    """The same, as the server has it."""
    limit, options = there["global_concurrency_limit"], there["concurrency_options"] or {}
    fields = ("parameters", "description", "tags", "job_variables", "work_pool_name")
    return {field: there[field] for field in fields} | {
        LIMIT: limit["limit"] if limit else None,
        "concurrency_options": {"collision_strategy": options.get("collision_strategy")},
    }


def deployed_code(entrypoint: str, flow: Flow[..., Any]) -> Json:
    """What of a deployment goes with the code, and is nobody's to change."""
    return {
        "entrypoint": entrypoint,
        "version": flow.version,
        "path": None,
        "pull_steps": [],
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
    }


def _schedules(specification: Json) -> list[Json]:
    return [
        {"slug": s["slug"], "schedule": {"cron": s["cron"], "timezone": s["timezone"], "day_or": True}}
        for s in specification["schedules"]
    ]


def _when(schedule: Json) -> Json:
    """A schedule without what the server adds for its own use."""
    return {name: value for name, value in schedule.items() if value is not None}


def _said(how: str, name: str, whats: list[str]) -> list[str]:
    """One line about the fields of a deployment, else none."""
    fields = [what.removeprefix(f"{name}: ").replace("_", " ") for what in whats]
    return [f"{how}: {name}: {', '.join(fields)}"] if fields else []


def server_detail(error: httpx.HTTPStatusError) -> str:
    """What the server says about the error, in one line."""
    try:
        said = error.response.json().get("detail")
    except ValueError:
        said = None
    return " ".join(str(said or error).split())
