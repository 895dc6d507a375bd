"""Put the work pool, the deployments and the automations on a Prefect server; done again, it changes what has changed.

stillroom deploy

What deployments/ says is the truth, with one exception: whether a schedule, a chain or an automation is switched on is
the user's affair. Each has its setting there when it is first deployed, and after that the one it was given in the UI.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateType
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled
from prefect.utilities.templating import apply_values
from prefect.workers.process import ProcessWorker
from pydantic import SecretStr

from flows.config import InstructionSFT, PreferenceDPO, load_config
from flows.service.child_command import child_command
from flows.service.untold import tell_untold
from tasks.errors import ConfigError

DEPLOYMENTS = Path(__file__).parents[1] / "deployments"
POOL = "stillroom"
ALERTS = "stillroom-alerts"
"""Name of the Webhook block that alerts are sent to."""
ALERT_WEBHOOK = "STILLROOM_ALERT_WEBHOOK"
ALERT_PERCENT = "STILLROOM_ALERT_PERCENT"
WITHOUT_WORKER = (StateType.RUNNING, StateType.PENDING)


def deploy(here: bool = False) -> list[str]:
    """Bring the server that PREFECT_API_URL names up to date; a line about each part.

    `here`: for `stillroom serve`, whose worker is on this machine and not yet started. Raises ConfigError for a mistake
    in the configs, and where the server refuses what is deployed.
    """
    load_config(InstructionSFT, DEPLOYMENTS / "configs" / "instruction-sft.yaml", {})
    load_config(PreferenceDPO, DEPLOYMENTS / "configs" / "preference-dpo.yaml", {})
    with get_client(sync_client=True) as client:
        tell_untold(client)
        left = _take_up_again(client) if here else []
        _put_pool(client, _engine() if here else None)
        return [f"work pool {POOL}", *_put_deployments(), *_put_automations(client), *left]


def nightly(deployment: str, config: str | None = None) -> dict[str, Any]:
    """A step of prefect.yaml: what a file of configs/ says, and what a person has switched on or off.

    `deployment` is its full name. Off at first: its schedule. On at first: its start after another deployment.
    """
    settings = yaml.safe_load((DEPLOYMENTS / "configs" / config).read_text()) if config else {}
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            return {"config": settings, "active": False, "chained": True}
        chains = client.read_resource_related_automations(f"prefect.deployment.{known.id}")
        active = any(schedule.active for schedule in known.schedules)
        return {"config": settings, "active": active, "chained": all(chain.enabled for chain in chains)}


def _take_up_again(client: SyncPrefectClient) -> list[str]:
    """Schedule the runs that a worker, which is gone, has left under way: they go on from what was paid for."""
    left = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(WITHOUT_WORKER))),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    runs = client.read_flow_runs(
        flow_run_filter=left, work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    )
    for run in runs:
        again: State[Any] = Scheduled(name="AwaitingRetry", message="`stillroom serve` had stopped; it goes on")
        client.set_flow_run_state(run.id, again, force=True)
    return [f"goes on: {run.name}" for run in runs]


def _engine() -> str:
    """Starts a flow run in the worker's own process group, and without the supervisor that workers else put before it."""
    return shlex.join(child_command("prefect.engine"))


def _put_pool(client: SyncPrefectClient, command: str | None) -> None:
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = command
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    else:
        if command is not None:
            client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def _put_deployments() -> list[str]:
    """By Prefect's own command, so that what `stillroom deploy` does and what prefect.yaml says cannot differ."""
    file = DEPLOYMENTS / "prefect.yaml"
    command = child_command("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    names = [deployment["name"] for deployment in yaml.safe_load(file.read_text())["deployments"]]
    if said.returncode or said.stdout.count("successfully created") != len(names):
        last = (said.stderr or said.stdout).strip().splitlines()[-5:]
        raise ConfigError("the deployments were refused", file, " ".join(" ".join(last).split()))
    return [f"deployment {name}" for name in names]


def _put_automations(client: SyncPrefectClient) -> list[str]:
    """Create or update what automations.yaml lists. Those that need the webhook wait until there is one."""
    webhook = _webhook(client)
    values = {"alerts": {"webhook": webhook, "percents": _percents()}}
    told = []
    for specification in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())["automations"]:
        needs_webhook = any(action["type"] == "call-webhook" for action in specification["actions"])
        if needs_webhook and webhook is None:
            told.append(f"no alerts: set {ALERT_WEBHOOK} to a URL for «{specification['name']}»")
            continue
        automation = AutomationCore.model_validate(apply_values(specification, values, remove_notset=False))
        _put_automation(client, automation)
        told.append(f"automation {automation.name}")
    return told


def _percents() -> list[str]:
    """The shares of failed rows that are told: whole per cent, since an automation compares by equality."""
    least = os.environ.get(ALERT_PERCENT, "10")
    if not (least.isdecimal() and int(least) <= 100):
        raise ConfigError(f"{ALERT_PERCENT} is whole per cent, 0 to 100", least, "10, unless told")
    return [str(percent) for percent in range(int(least), 101)]


def _put_automation(client: SyncPrefectClient, automation: AutomationCore) -> None:
    """Create it, or bring it up to date; one that has not changed is left alone, with the runs that it is watching."""
    known = next(iter(client.read_automations_by_name(automation.name)), None)
    if known is None:
        client.create_automation(automation)
        return
    new = automation.model_copy(update={"enabled": known.enabled})
    if _specified(new) != _specified(known):
        client.update_automation(known.id, new)


def _specified(automation: AutomationCore) -> dict[str, Any]:
    """What we say of an automation, without the ids that the server gives."""
    return automation.model_dump(mode="json", include=set(AutomationCore.model_fields), exclude={"trigger": {"id"}})


def _webhook(client: SyncPrefectClient) -> str | None:
    """The id of the Webhook block for alerts: of the URL in the environment, else the one that is there already."""
    url = os.environ.get(ALERT_WEBHOOK)
    if url:
        Webhook(url=SecretStr(url)).save(ALERTS, overwrite=True)
    try:
        return str(client.read_block_document_by_name(ALERTS, "webhook").id)
    except ObjectNotFound:
        return None
