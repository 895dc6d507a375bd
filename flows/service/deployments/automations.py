"""The automations on a server: those of automations.yaml, and the starts of one deployment after another.

What a person has changed in the UI stays: one switched off, another text or threshold, one that was deleted.
"""

from __future__ import annotations

import os
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import AutomationCore
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.utilities.templating import apply_values
from pydantic import SecretStr

from flows.service.deployments.deployed import Deployed
from flows.service.deployments.put import DEPLOYMENTS, specified
from tasks.errors import ConfigError

ALERTS = "stillroom-alerts"
"""Name of the Webhook block that alerts are sent to."""
ALERT_WEBHOOK = "STILLROOM_ALERT_WEBHOOK"
ALERT_PERCENT = "STILLROOM_ALERT_PERCENT"


def put_automations(client: SyncPrefectClient, deployed: Deployed) -> list[str]:
    """Create or update them all; a line each. Those that need the webhook wait until there is one."""
    webhook = _webhook(client)
    values = {"alerts": {"webhook": webhook, "percents": _percents()}}
    told = []
    for specification in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text(encoding="utf-8"))["automations"]:
        needs_webhook = any(action["type"] == "call-webhook" for action in specification["actions"])
        if needs_webhook and webhook is None:
            told.append(f"no alerts: set {ALERT_WEBHOOK} to a URL for «{specification['name']}»")
            continue
        automation = AutomationCore.model_validate(apply_values(specification, values, remove_notset=False))
        told.append(_put(client, automation, deployed))
    return told + [_put(client, automation, deployed) for automation in _chains(client)]


def is_chained(client: SyncPrefectClient, specification: dict[str, Any]) -> bool:
    """Whether a deployment starts by itself after another: it has a trigger, and that is on."""
    names = [trigger["name"] for trigger in specification.get("triggers", ())]
    return any(chain.enabled for name in names for chain in client.read_automations_by_name(name))


def _chains(client: SyncPrefectClient) -> list[AutomationCore]:
    """The triggers of the deployments, as automations."""
    chains = []
    for specification in specified():
        flow = specification["build"][0]["flows.service.deploy.nightly"]["deployment"]
        for trigger in specification.get("triggers", ()):
            chain = DeploymentEventTrigger.model_validate(trigger | {"enabled": True})
            chain.set_deployment_id(client.read_deployment_by_name(flow).id)
            chains.append(chain.as_automation())
    return chains


def _put(client: SyncPrefectClient, ours: AutomationCore, deployed: Deployed) -> str:
    """Create it, or bring it up to date; one that has not changed is left alone, with the runs that it is watching."""
    what = f"automation {ours.name}"
    there = next(iter(client.read_automations_by_name(ours.name)), None)
    if there is None and deployed.knows(what):
        return f"stays as it was made in the UI: {what}: deleted"
    if there is None:
        client.create_automation(ours)
    else:
        settled = deployed.settle(what, _specified(there), _specified(ours))
        if what in deployed.kept:
            return f"stays as it was made in the UI: {what}"
        if settled != _specified(there):
            client.update_automation(there.id, AutomationCore.model_validate(settled | {"enabled": there.enabled}))
    deployed.stands(what, _specified(client.read_automations_by_name(ours.name)[0]))
    return what


def _specified(automation: AutomationCore) -> dict[str, Any]:
    """What is said of an automation, without whether it is on, and what can not be changed any more."""
    fields = set(AutomationCore.model_fields) - {"enabled", "owner_resource"}
    return automation.model_dump(mode="json", include=fields, exclude={"trigger": {"id"}})


def _percents() -> list[str]:
    """The shares of failed rows that are told: whole per cent, since an automation compares by equality."""
    least = os.environ.get(ALERT_PERCENT, "10")
    if not (least.isdecimal() and int(least) <= 100):
        raise ConfigError(f"{ALERT_PERCENT} is whole per cent, 0 to 100", least, "10, unless told")
    return [str(percent) for percent in range(int(least), 101)]


def _webhook(client: SyncPrefectClient) -> str | None:
    """The id of the Webhook block for alerts: of the URL in the environment, else the one that is there already."""
    url = os.environ.get(ALERT_WEBHOOK)
    if url:
        Webhook(url=SecretStr(url)).save(ALERTS, overwrite=True)
    try:
        return str(client.read_block_document_by_name(ALERTS, "webhook").id)
    except ObjectNotFound:
        return None
