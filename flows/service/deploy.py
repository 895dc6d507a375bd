"""Put the work pool, the deployments and the automations on a Prefect server; done again, it changes what has changed.

stillroom deploy
stillroom deploy sft --config FILE --at 02:00      # a config of one's own, every night

deployments/ says what is made. What a person changes in the UI stays theirs: schedules, pauses, limits, parameters.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Literal

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from flows.config_file import load_config
from flows.curate_dataset import CONFIG_KINDS, FLOW_NAMES
from flows.service.away.untold import tell_untold
from flows.service.child_command import child_command
from flows.service.deployments.automations import put_automations
from flows.service.deployments.deployed import Deployed
from flows.service.deployments.left_runs import POOL, Here, settle_left_runs
from flows.service.deployments.own import OwnDeployment
from flows.service.deployments.put import DEPLOYMENTS, put_deployments
from tasks.errors import ConfigError

TEMPLATE = "work pool: job template"


def deploy(here: Here | None = None) -> list[str]:
    """Bring the server that PREFECT_API_URL names up to date; a line about each part.

    `here`: for `stillroom serve`, whose worker is on this machine and not yet started. Raises ConfigError for a mistake
    in the configs, and where the server refuses what is deployed.
    """
    for kind, name in FLOW_NAMES.items():
        load_config(CONFIG_KINDS[kind], DEPLOYMENTS / "configs" / f"{name}.yaml", {})
    with get_client(sync_client=True) as client:
        tell_untold(client)
        deployed = Deployed(client)
        told = [
            *_put_pool(client, _engine() if here else None, deployed),
            *put_deployments(client, deployed),
            *put_automations(client, deployed),
        ]
        deployed.remember()
        return told if here is None else [*told, *settle_left_runs(client, here)]


def deploy_own(kind: Literal["sft", "dpo"] | None, file: Path | None, at: str | None) -> str:
    """Have a config of the user's run every night at that time, or not any more where that is None; a line about it.

    Raises ConfigError for a mistake in the config, and where no server takes it.
    """
    if kind is None or file is None:
        raise ConfigError(
            "a deployment of one's own is a kind and a config", kind, "stillroom deploy sft --config FILE"
        )
    config = load_config(CONFIG_KINDS[kind], file, {})
    own = OwnDeployment(kind, file, config.model_dump(mode="json", exclude_unset=True))
    return f"removed: {own.remove()}" if at is None else own.put(at).line


def nightly(deployment: str, config: str | None = None) -> dict[str, Any]:
    """A step of prefect.yaml, for Prefect's own command: what a file of configs/ says, and what is switched on or off.

    `deployment` is its full name. Off at first: its schedule. On at first: its start after another deployment.
    """
    settings = yaml.safe_load((DEPLOYMENTS / "configs" / config).read_text(encoding="utf-8")) if config else {}
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            return {"config": settings, "active": False, "chained": True}
        chains = client.read_resource_related_automations(f"prefect.deployment.{known.id}")
        active = any(schedule.active for schedule in known.schedules if schedule.slug)
        return {"config": settings, "active": active, "chained": all(chain.enabled for chain in chains)}


def _engine() -> str:
    """Starts a flow run in the worker's own process group, and without the supervisor that workers else put before it."""
    return shlex.join(child_command("prefect.engine"))


def _put_pool(client: SyncPrefectClient, command: str | None, deployed: Deployed) -> list[str]:
    """Make the work pool, or bring its template up to date; on a server of the user's the template is theirs."""
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = command
    told = [f"work pool {POOL}"]
    try:
        there = client.read_work_pool(POOL).base_job_template
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    else:
        if command is not None and deployed.settle(TEMPLATE, there, template) != there:
            client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
        told += [f"stays as it was made in the UI: {TEMPLATE}"] if TEMPLATE in deployed.kept else []
    deployed.stands(TEMPLATE, client.read_work_pool(POOL).base_job_template)
    return told
