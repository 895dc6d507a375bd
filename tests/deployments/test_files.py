"""The files of deployments/ are valid by the schemas of those who read them, and agree with the code and each other."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import kubernetes_validate
import pytest

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.config_file import load_config
from flows.service.heartbeat import HEARTBEAT_S
from tests.deployments.files import DEPLOYMENTS, ROOT, command_of_image, containers, environments, manifests, read

KUBERNETES = "1.37"
KINDS: dict[str, type[RunConfig]] = {"instruction-sft.yaml": InstructionSFT, "preference-dpo.yaml": PreferenceDPO}
NOT_OURS = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "OPENAI_API_KEY"}


def code() -> str:
    return "".join(path.read_text() for top in ("flows", "tasks") for path in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("name", KINDS)
def test_a_config_says_what_its_flow_takes(name: str) -> None:
    load_config(KINDS[name], DEPLOYMENTS / "configs" / name, {})


def test_the_nightly_dpo_takes_the_folder_that_the_nightly_sft_publishes() -> None:
    sft = load_config(InstructionSFT, DEPLOYMENTS / "configs/instruction-sft.yaml", {})
    dpo = load_config(PreferenceDPO, DEPLOYMENTS / "configs/preference-dpo.yaml", {})
    assert isinstance(sft, InstructionSFT)
    assert isinstance(dpo, PreferenceDPO)
    assert f"datasets/{sft.dataset}" == dpo.instructions


def test_prefect_reads_every_field_of_its_file() -> None:
    from prefect.cli.deploy._models import DeploymentConfig, PrefectYamlModel

    file = read("prefect.yaml")
    assert len(PrefectYamlModel.model_validate(file).deployments) == 4
    for deployment in file["deployments"]:
        assert set(deployment) <= set(DeploymentConfig.model_fields)
    assert set(file) <= {*PrefectYamlModel.model_fields, "definitions"}


def test_a_deployment_names_what_there_is() -> None:
    from prefect.flows import load_flow_from_entrypoint

    from flows.service import deploy

    for deployment in read("prefect.yaml")["deployments"]:
        flow: Any = load_flow_from_entrypoint(deployment["entrypoint"])
        step = deployment["build"][0]["flows.service.deploy.nightly"]
        assert step["deployment"] == f"{flow.name}/{deployment['name']}"
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
        assert deployment["work_pool"]["name"] == deploy.POOL
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
        assert [ZoneInfo(schedule["timezone"]) for schedule in deployment["schedules"]]
        assert deployment["description"].strip()


def test_the_dpo_deployment_waits_for_one_that_there_is() -> None:
    deployments = {deployment["name"]: deployment for deployment in read("prefect.yaml")["deployments"]}
    (trigger,) = deployments["preference-dpo-nightly"]["triggers"]
    assert trigger["match_related"]["prefect.resource.name"] in deployments


def test_the_server_takes_each_automation() -> None:
    from prefect.server.events.schemas.automations import AutomationCore
    from prefect.utilities.templating import apply_values

    values = {"alerts": {"webhook": "6a1f3c1e-0000-0000-0000-000000000000", "percents": ["10", "11"]}}
    automations = [apply_values(a, values, remove_notset=False) for a in read("automations.yaml")["automations"]]
    assert len([AutomationCore.model_validate(automation) for automation in automations]) == 3


def test_an_automation_listens_to_our_flows_and_events() -> None:
    from flows.instruction_sft import instruction_sft
    from flows.preference_dpo import preference_dpo
    from flows.retry_failed import retry_failed
    from flows.watch.hooks import PUBLISHED

    flows = {flow.name for flow in (instruction_sft, preference_dpo, retry_failed)}
    *about_runs, about_rejects = (automation["trigger"] for automation in read("automations.yaml")["automations"])
    for trigger in about_runs:
        assert set(trigger["match_related"]["prefect.resource.name"]) == flows
    assert about_rejects["expect"] == [PUBLISHED]
    labels = [label for label in about_rejects["match"] if label.startswith("stillroom.")]
    assert [label for label in labels if f'"{label}"' in code()] == labels


def test_heartbeats_come_three_times_as_often_as_they_are_waited_for() -> None:
    crash = read("automations.yaml")["automations"][0]["trigger"]
    assert crash["within"] == 3 * HEARTBEAT_S
    for deployment in read("prefect.yaml")["deployments"]:
        seconds = int(deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        assert 3 * seconds == crash["within"]


def test_the_compose_file_is_valid() -> None:
    from check_jsonschema.builtin_schemas import get_builtin_schema

    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(read("compose.yaml"))] == []
    broken = read("compose.yaml")
    broken["services"]["worker"]["healthchek"] = {}
    assert list(validator.iter_errors(broken))


@pytest.mark.parametrize("manifest", manifests(), ids=lambda m: f"{m['kind']} {m['metadata']['name']}")
def test_a_kubernetes_manifest_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_a_service_waits_for_services_that_there_are() -> None:
    compose = read("compose.yaml")
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= set(compose["volumes"])


@pytest.mark.parametrize(("place", "variables"), list(environments()), ids=[place for place, _ in environments()])
def test_every_environment_variable_is_one_that_is_read(place: str, variables: dict[str, str]) -> None:
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_valid_setting_names

    prefects = _get_valid_setting_names(Settings)
    ours = set(re.findall(r"STILLROOM_[A-Z_]+", code()))
    general = {"DO_NOT_TRACK", "HF_HOME", "PYTHONUNBUFFERED", "PIP_NO_CACHE_DIR"}
    assert set(variables) - prefects - ours - general - NOT_OURS == set()


def test_server_address_pool_and_image_are_the_same_everywhere() -> None:
    from flows.service import deploy

    services = read("compose.yaml")["services"]
    service = next(manifest for manifest in manifests() if manifest["kind"] == "Service")
    port = service["spec"]["ports"][0]["port"]
    for place, variables in environments():
        if "PREFECT_API_URL" in variables:
            assert variables["PREFECT_API_URL"] == f"http://server:{port}/api", place
    assert "server" in services
    assert service["metadata"]["name"] == "server"
    started = [container["command"] for container in containers().values()] + [services["server"]["command"]]
    assert all(command[-1] == str(port) for command in started if "server" in command)
    workers = [containers()["worker"]["command"], command_of_image()]
    assert all(command[command.index("--pool") + 1] == deploy.POOL for command in workers)
    images = {container["image"] for container in containers().values()} | {
        service["image"] for service in services.values() if "build" in service
    }
    assert len(images) == 1


def test_the_image_holds_what_the_package_is_made_of() -> None:
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    dockerfile, kept = (DEPLOYMENTS / "Dockerfile").read_text(), (DEPLOYMENTS / "Dockerfile.dockerignore").read_text()
    for name in (*wheel["only-include"], "pyproject.toml", "requirements.lock"):
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b", dockerfile, re.MULTILINE)
        assert f"!{name}\n" in kept


def test_no_file_holds_a_password() -> None:
    for place, variables in environments():
        for name, value in variables.items():
            if re.search("PASSWORD|AUTH|KEY|URL|LEDGER|WEBHOOK", name):
                secret = re.search(r"://[^:/]+:([^@]+)@", value)
                assert secret is None or secret[1].startswith("${"), f"{place}: {name}"
                assert not re.search("PASSWORD|AUTH|KEY", name) or value.startswith("${") or value == "", (
                    f"{place}: {name}"
                )


def test_the_page_on_production_names_variables_that_are_read() -> None:
    named = set(re.findall(r"STILLROOM_[A-Z_]+", (ROOT / "docs/production.md").read_text()))
    read_by_us = set(re.findall(r"STILLROOM_[A-Z_]+", code() + (DEPLOYMENTS / "compose.yaml").read_text()))
    assert named - read_by_us == set()
    assert {"STILLROOM_HOME", "STILLROOM_LEDGER", "STILLROOM_TABLES", "STILLROOM_ALERT_WEBHOOK"} <= named
