"""A run in a real Chromium: the model examined, a budget reached and raised, a pause, the rest, a push, and what the Hub then finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.flows.studio.browser import app_with
from tests.publish.hub.server import TOKEN, Repo, fake_hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
ROWS, FIRST_BUDGET = 60, 6
RULES = """
import time
from pathlib import Path

def answer(request):
    if Path("slowly").exists():
        time.sleep(0.4)
    return f"It is number {request.seed}, and that is all there is to say of it."
"""


def test_a_run_is_cut_short_by_its_budget_goes_on_is_paused_ends_and_is_pushed(tmp_path: Path) -> None:
    settings = {
        "recipe": "respond",
        "seeds": [{"instruction": f"What is question number {at}?"} for at in range(ROWS)],
        "model": {"name": "scripted:datasets/rules.py:answer", "max_in_flight": 2},
        "max_requests": FIRST_BUDGET,
        "out": "datasets/mine",
    }
    with fake_hub() as hub:
        hub.repos["bank/questions"] = Repo(private=False)
        of_hub = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        with app_with(tmp_path, RULES, **of_hub) as app:
            page = app.page
            (tmp_path / "datasets" / "mine.yaml").write_text(f"# stillroom sft\n{yaml.safe_dump(settings)}")
            page.goto(app.url)
            page.get_by_role("link", name="mine", exact=True).click()
            page.get_by_role("button", name="Ask the model").click()
            page.get_by_role("region", name="What the model can do").wait_for()
            assert page.url.endswith("/c/mine#doctor"), "in place"
            app.picture("examined")

            page.get_by_role("link", name="Estimate and run").click()
            page.get_by_role("button", name="Start now").click()
            page.get_by_role("button", name="Go on").wait_for()
            assert page.get_by_text(f"done: {FIRST_BUDGET} rows").is_visible()
            assert page.get_by_text(f"{ROWS - FIRST_BUDGET} rows are pending: raise it, and go on.").is_visible()
            app.picture("run-budget")

            (tmp_path / "slowly").touch()
            page.get_by_label("max requests").fill("1000")
            page.get_by_role("button", name="Go on").click()
            page.locator("progress").first.wait_for()
            page.get_by_role("button", name="Pause").click()
            page.get_by_role("button", name="Go on").wait_for()
            assert page.get_by_text("stopped", exact=True).is_visible()
            app.picture("run-paused")
            (tmp_path / "slowly").unlink()
            page.get_by_role("button", name="Go on").click()
            page.get_by_text(f"done: {ROWS} rows").wait_for()
            assert "max_requests: 1000" in (tmp_path / "datasets" / "mine.yaml").read_text()

            page.get_by_role("link", name="Open the dataset").click()
            page.get_by_role("link", name="Publish").click()
            page.get_by_label("Repository").fill("me/mine")
            page.get_by_role("button", name="Push").click()
            page.wait_for_url("**/jobs/*")
            page.locator(".tag", has_text="done").wait_for()
            app.picture("pushed")
            assert "README.md" in hub.names("me/mine")
            assert hub.repos["me/mine"].private, "a new repository is private"
            assert TOKEN not in page.content()

            page.get_by_role("link", name="New dataset").first.click()
            page.get_by_role("searchbox", name="Search the Hub").fill("quest")
            page.get_by_role("button", name="Search", exact=True).click()
            page.get_by_role("button", name="bank/questions").wait_for()
            app.picture("new-found")
            page.get_by_role("button", name="bank/questions").click()
            page.wait_for_url("**/c/questions")
            assert "seeds: hf:bank/questions" in (tmp_path / "datasets" / "questions.yaml").read_text()
            assert app.faults == []
