"""What a person sees in the Prefect UI of `stillroom serve`, in a real browser (Debian's chromium).

STILLROOM_SCREENSHOTS=docs .venv/bin/python -m pytest tests/deployments/test_ui.py    # takes the pictures of the docs
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PICTURES = os.environ.get("STILLROOM_SCREENSHOTS")
LARGEST_BYTES = 300_000
WAIT_MS = 60_000
Look = Callable[..., None]


@pytest.fixture(scope="module")
def run(served: Served) -> dict[str, Any]:
    """A finished run of the demo model: the nightly's own for pictures, a small one otherwise."""
    small = {} if PICTURES else {"config": {"recipe": "evolved", "name": "shown", "max_seeds": 3, "rows": 6}}
    finished = served.ended(served.start_run("instruction-sft-nightly", **small), 800)
    assert finished["state_type"] == "COMPLETED", finished["state"]["message"]
    return finished


@pytest.fixture(scope="module")
def look(served: Served) -> Iterator[Look]:
    """Open a page, wait until it shows some texts, and take its picture where pictures are asked for."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs a chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")

        def look(path: str, *texts: str, picture: str = "") -> None:
            page.goto(served.url + path)
            for text in texts:
                page.get_by_text(text).first.wait_for(timeout=WAIT_MS)
            if PICTURES and picture:
                page.wait_for_timeout(3000)  # for what moves: graphs draw themselves
                file = Path(PICTURES) / f"{picture}.png"
                page.screenshot(path=file)
                assert file.stat().st_size < LARGEST_BYTES

        yield look
        browser.close()


def test_the_run_page_says_what_runs_and_logs_each_step_with_its_numbers(look: Look, run: dict[str, Any]) -> None:
    name = f"sft-evolved {run['parameters']['config']['name']}"
    look(
        f"/runs/flow-run/{run['id']}", name, "Completed", "demo", "instruction-sft-nightly", "rows in", picture="ui-run"
    )


def test_the_artifacts_of_a_run_are_found_by_its_dataset(look: Look, run: dict[str, Any]) -> None:
    name = run["parameters"]["config"]["name"]
    steps = [f"progress-{name}-{step}" for step in ("self-instruct", "evol-instruct", "text-generation")]
    look("/artifacts", f"report-{name}", f"sample-{name}", *steps, picture="ui-artifacts")


def test_the_report_is_read_as_a_page(look: Look, served: Served, run: dict[str, Any]) -> None:
    name = run["parameters"]["config"]["name"]
    about = {"artifacts": {"key": {"any_": [f"report-{name}"]}}}
    (report,) = served.ask("artifacts/latest/filter", about)
    look(
        f"/artifacts/artifact/{report['latest_id']}",
        "evol_instruct",
        "text_generation",
        "requests",
        picture="ui-report",
    )


def test_the_form_begins_with_what_matters_and_explains_it(look: Look, served: Served) -> None:
    deployment = served.deployment("instruction-sft-nightly")["id"]
    texts = ["Recipe", "answer given instructions", "number of accepted rows", "name of the dataset"]
    look(f"/deployments/deployment/{deployment}/run", *texts, picture="ui-form")


def test_a_deployment_says_what_it_is_for(look: Look, served: Served) -> None:
    deployment = served.deployment("preference-dpo-nightly")["id"]
    look(
        f"/deployments/deployment/{deployment}?tab=Description", "Starts by itself", "nightly", picture="ui-deployment"
    )
