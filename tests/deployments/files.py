"""What stands in deployments/, read for the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = ROOT / "deployments"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOYMENTS / name).read_text())


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text()))


def containers() -> dict[str, dict[str, Any]]:
    """The containers of the manifest, by the name of what runs them."""
    pods = {
        m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in manifests() if "template" in m.get("spec", {})
    }
    return {name: container for name, pod in pods.items() for container in pod["containers"]}


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Each place that sets environment variables, and what it sets."""
    for name, service in read("compose.yaml")["services"].items():
        yield f"compose {name}", service.get("environment", {})
    for name, container in containers().items():
        yield (
            f"kubernetes {name}",
            {variable["name"]: variable.get("value", "") for variable in container.get("env", [])},
        )
    yield "Dockerfile", environment_of_image()


def environment_of_image() -> dict[str, str]:
    """What the image sets."""
    return dict(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=(\S+)", (DEPLOYMENTS / "Dockerfile").read_text(), re.MULTILINE))


def command_of_image() -> list[str]:
    """The command that the image starts."""
    found: list[str] = yaml.safe_load((DEPLOYMENTS / "Dockerfile").read_text().rpartition("CMD ")[2])
    return found
