"""The studio in a real browser (Debian's chromium), the way a new user goes: from a description to a published dataset.

STILLROOM_SCREENSHOTS=DIR python -m pytest -m slow tests/flows/studio/test_browser.py     # takes pictures of it
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.studio.browser import App, app_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
RULES = """
import json

def answer(request):
    said = " ".join(m["content"] for m in request.messages or ())
    if "plan datasets" in said:
        return "Here it is: " + json.dumps({
            "name": "bank help desk",
            "system": "You help the customers of a bank, politely. You never ask for a password.",
            "topics": ["a lost card <script>document.title='stolen'</script>", "opening an account", "a wrong transfer"],
            "personas": ["a student"],
        })
    return f"Answer {request.seed % 97}: **all** is well. <img src=x onerror=\\"document.title='stolen'\\">"
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with app_with(tmp_path, RULES) as one:
        yield one


def test_from_a_description_to_a_published_dataset(app: App) -> None:
    page = app.page
    page.goto(app.url)
    assert "token" not in page.url, "the start URL leads to the page without its token"
    app.picture("home-empty")

    page.get_by_role("link", name="New dataset").first.click()
    app.picture("new")
    page.get_by_label("What is it for?").fill("the help desk of a bank in Vietnam")
    page.get_by_role("button", name="Write the config").click()
    assert page.get_by_text("The built-in model cannot write a config from words.").is_visible()
    assert [said for said in app.faults if "400" not in said] == []
    app.faults.clear()  # a browser says of every refusal that it was one
    page.get_by_label("What is it for?").fill("the help desk of a bank in Vietnam")
    page.get_by_label("Model that writes the config").fill("scripted:datasets/rules.py:answer")
    page.get_by_role("button", name="Write the config").click()
    page.get_by_role("button", name="Take this, and go on").wait_for()
    assert page.get_by_text("You help the customers of a bank").is_visible()
    app.picture("plan")
    page.get_by_role("button", name="Take this, and go on").click()

    page.wait_for_url("**/c/bank-help-desk")
    page.get_by_label("rows", exact=True).fill("4")
    app.picture("config")
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.get_by_text("Saved.").is_visible()

    page.get_by_role("link", name="Preview").click()
    page.get_by_role("button", name="See five rows").click()
    page.get_by_role("button", name="Try it again").wait_for()
    assert page.locator("[id^=row-]").count() == 5
    page.locator("#row-0 details summary").first.click()
    page.locator("details", has_text="Prompt basic_prompting/instruction").last.locator("summary").click()
    prompt = page.locator("textarea[name=text]")
    prompt.wait_for()
    assert "one thing" in prompt.input_value()
    prompt.fill(prompt.input_value().replace("one thing", "one single thing"))
    app.picture("preview")
    page.get_by_role("button", name="Save the prompt").click()
    page.get_by_role("button", name="Try it again").click()
    page.wait_for_url("**/preview/2?beside=1")
    page.get_by_role("button", name="Try it again").wait_for()
    assert page.get_by_text("one single thing").count() >= 5
    page.get_by_text("Make this row an example").first.click()
    page.get_by_label("Answer, as it should be").first.fill("We are sorry. Call us, and we send a new card.")
    app.picture("preview-beside")
    page.get_by_role("button", name="Put it into the system prompt").first.click()
    page.wait_for_load_state()
    config = (app.folder / "datasets" / "bank-help-desk.yaml").read_text()
    assert "we send a new card" in config
    assert (app.folder / "datasets/bank-help-desk.prompts/basic_prompting/instruction.j2").is_file()

    page.get_by_role("link", name="Estimate and run").click()
    page.get_by_label("max requests").fill("200")
    app.picture("run")
    page.get_by_role("button", name="Start now").click()
    page.get_by_role("button", name="Pause").wait_for()
    app.picture("run-live")
    page.get_by_role("link", name="Open the dataset").wait_for()
    assert page.get_by_text("done: 4 rows").is_visible()
    app.picture("run-done")
    page.get_by_role("link", name="Open the dataset").click()
    app.picture("dataset")

    page.get_by_role("link", name="Publish").click()
    app.picture("publish")
    page.get_by_label("format").select_option("sharegpt")
    page.get_by_role("button", name="Export", exact=True).click()
    page.wait_for_url("**/jobs/*")
    page.locator(".tag", has_text="done").wait_for()
    app.picture("job")
    assert (app.folder / "datasets/bank-help-desk-sharegpt/README.md").is_file()
    page.goto(app.url.partition("?")[0])
    app.picture("home")
    assert app.faults == []


def test_an_example_is_tried_asked_again_and_run_with_the_built_in_model(app: App) -> None:
    page = app.page
    page.goto(app.url)
    page.get_by_role("link", name="New dataset").first.click()
    page.get_by_role("button", name=re.compile("Short answers to given questions")).click()
    page.wait_for_url("**/c/short-answers")
    page.get_by_role("link", name="Preview").click()
    page.locator("#rows").fill("3")
    page.get_by_role("button", name="See five rows").click()
    page.get_by_role("button", name="Try it again").wait_for()
    assert page.locator("[id^=row-]").count() == 3
    page.locator("#row-1").get_by_role("button", name="Ask again").click()
    page.wait_for_url("**/preview/2?beside=1")
    page.get_by_role("button", name="Try it again").wait_for()
    assert page.locator("[id^=row-]").count() == 1
    app.picture("asked-again")
    page.get_by_role("link", name="Estimate and run").click()
    page.get_by_role("button", name="Start now").click()
    page.get_by_role("link", name="Open the dataset").wait_for()
    assert page.get_by_text("done: 3 rows").is_visible()
    assert app.faults == []
