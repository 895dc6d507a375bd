"""One `stillroom serve` for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import Served, free_port, webhook

Alerts = list[dict[str, Any]]


@pytest.fixture(scope="package")
def alerts_url() -> Iterator[tuple[str, Alerts]]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def alerts(alerts_url: tuple[str, Alerts]) -> Alerts:
    """What the webhook has received so far."""
    return alerts_url[1]


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory, alerts_url: tuple[str, Alerts]) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"), free_port(), STILLROOM_ALERT_WEBHOOK=alerts_url[0])
    served.chain(False)  # else every SFT run of a test is followed by a DPO run of the demo model
    yield served
    served.stop()
