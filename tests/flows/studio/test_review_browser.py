"""Look and Review in a real Chromium, from the keyboard alone, against a real `stillroom studio` that is killed in the middle.

STILLROOM_SCREENSHOTS=DIR python -m pytest -m slow tests/flows/studio/test_review_browser.py     # takes pictures of it
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.reviews.desk import ReviewDesk
from tests.publish.report.axe import axe_source
from tests.publish.report.made import many_talks, pair, publish_rows
from tests.serving import free_port

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]
PICTURES = os.environ.get("STILLROOM_SCREENSHOTS")
TOKEN = "a-token-for-tests-that-is-long-enough-0123"
SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
LONG = "https://example.org/" + "a-path-that-does-not-end/" * 12
ROOT = Path(__file__).parents[3]


class StudioProcess:
    """A studio of its own process, which can be killed and started again at the same place."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home, self.port = folder, home, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-c",
            "import stillroom; stillroom.main()",
            "studio",
            "--port",
            str(self.port),
            str(self.folder),
        ]
        told = {**os.environ, "STILLROOM_HOME": str(self.home), "STILLROOM_STUDIO_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, cwd=ROOT, env=told)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/static/icon.svg", timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None, "it has ended"
                time.sleep(0.2)
        raise AssertionError("the studio does not answer")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    folder = tmp_path_factory.mktemp("datasets")
    rejects = [
        {"row_id": "a" * 32, "kind": "failed", "reason": "truncated", "technique": "text_generation", "raw": SCRIPT}
    ]
    talks = [{**row, "topic": f"topic {at % 3}"} for at, row in enumerate(many_talks(120))]
    talks[0]["messages"] = [
        {"role": "user", "content": SCRIPT},
        {"role": "assistant", "content": f"**{SCRIPT}** {LONG}"},
    ]
    publish_rows(folder / "talks", talks, rejects=rejects)
    pairs = [
        pair(
            f"question {at} {LONG}",
            f"a good answer {'yes ' * at}",
            "a bad answer",
            score_chosen=4.0,
            score_rejected=1.0,
        )
        for at in range(8)
    ]
    publish_rows(folder / "pairs", pairs, kind="dpo")
    started = StudioProcess(folder, tmp_path_factory.mktemp("home"))
    yield started
    started.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs a chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Any, studio: StudioProcess, width: int = 1440, scheme: str = "light") -> Any:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{studio.url}/?token={TOKEN}")
    return page


def press(page: Any, *keys: str) -> None:
    """Press keys, each of which leads to the next page."""
    for key in keys:
        with page.expect_navigation():
            page.keyboard.press(key)


def shown_row(page: Any) -> str:
    return str(page.locator("#row").get_attribute("aria-label")).rsplit(" ", 1)[-1]


def test_a_dataset_is_reviewed_from_the_keyboard_alone_with_a_reload_and_a_kill(
    studio: StudioProcess, chromium: Any
) -> None:
    page = opened(chromium, studio)
    page.goto(f"{studio.url}/d/talks/review")
    page.wait_for_function("document.activeElement.tagName === 'INPUT'")  # where a person sees that it can be typed
    page.keyboard.type("anna")
    press(page, "Enter")
    first = shown_row(page)
    press(page, "Enter", "Backspace", "4", "s")
    page.reload()
    press(page, "u")
    assert "undo" in page.locator("#did").inner_text()
    press(page, "s")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Written by hand.")
    press(page, "Control+Enter")
    page.keyboard.press("?")
    assert page.locator("#help").evaluate("one => one.open")
    before = page.url
    studio.kill()
    studio.start()
    page.goto(before)
    fifth = shown_row(page)
    press(page, "Enter")
    desk = ReviewDesk(studio.folder / "talks")
    made = [one.decision for one in desk.journal.read() if one.decision.reviewer == "anna"]
    assert [one.decision for one in made] == ["accept", "reject", "rate", "skip", "undo", "skip", "edit", "accept"]
    assert (made[0].about[:12], made[-1].about[:12]) == (first, fifth)
    assert made[6].edits[0].text == "Written by hand."
    assert len({one.about for one in made if one.decision != "undo"}) == 6, "each row was shown once"
    page.goto(f"{studio.url}/d/talks/review?by=anna&order=random")
    assert shown_row(page) not in {one.about[:12] for one in made}, "it goes on where she stopped"
    page.context.close()


def test_two_at_once_are_shown_pairs_blind_and_nothing_is_lost(studio: StudioProcess, chromium: Any) -> None:
    pages = {name: opened(chromium, studio) for name in ("ben", "cora")}
    for name, page in pages.items():
        page.goto(f"{studio.url}/d/pairs/review?by={name}&order=given")
        shown = page.locator("#row").inner_text()
        assert "chosen" not in shown and "score" not in shown
    for key in ("1", "2", "3", "x", "1"):
        for page in pages.values():
            press(page, key)
    stand = ReviewDesk(studio.folder / "pairs").stand()
    for name in pages:
        assert sum(reviewer == name for reviewer, _ in stand) == 4, "x shows the sides the other way round"
    for page in pages.values():
        page.goto(f"{studio.url}/d/pairs/review/figures")
        assert "alpha" in page.locator("main").inner_text()
        page.context.close()


def test_rows_are_found_by_keys_and_filters_and_nothing_that_a_row_says_runs(
    studio: StudioProcess, chromium: Any
) -> None:
    page = opened(chromium, studio)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{studio.url}/d/talks/look?sort=-answer_chars")
    assert page.locator("article").count() == 50
    press(page, "n")
    assert "page=2" in page.url
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    press(page, "Enter")
    assert page.locator("article").count() == 1
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.matches('article')")
    press(page, "f")
    assert "near=" in page.url
    page.go_back()
    page.keyboard.press("j")
    press(page, "o")
    assert "/look/row/" in page.url
    page.goto(f"{studio.url}/d/talks/look")
    with page.expect_navigation():
        page.locator(".values a", has_text="topic 1").click()
    assert page.locator("#count").inner_text().startswith("40 of 120")
    page.goto(f"{studio.url}/d/talks/look?table=rejects")
    assert "truncated" in page.locator("article").inner_text()
    page.goto(f"{studio.url}/d/talks/look/map")
    with page.expect_navigation():
        page.locator("svg.map").click(position={"x": 40, "y": 40})
    assert "/look/row/" in page.url
    assert page.title() != "run" and faults == []
    page.context.close()


PAGES = {
    "look": "/d/talks/look?is.topic=topic+1",
    "look-pairs": "/d/pairs/look",
    "rejects": "/d/talks/look?table=rejects",
    "map": "/d/talks/look/map",
    "start": "/d/talks/review",
    "review": "/d/talks/review?by=dora&order=given",
    "review-pairs": "/d/pairs/review?by=dora&order=given",
    "figures": "/d/pairs/review/figures",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_pages_fit_and_axe_finds_nothing_serious(width: int, scheme: str, studio: StudioProcess, chromium: Any) -> None:
    page = opened(chromium, studio, width, scheme)
    source = axe_source()
    told = {}
    for name, path in PAGES.items():
        page.goto(studio.url + path)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}-{scheme}.png", full_page=name != "look")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.evaluate(source)
        found = page.evaluate("axe.run()")
        assert len(found["passes"]) > 10, "it has looked"
        bad = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        told |= {f"{name}: {one['id']}": [node["html"][:160] for node in one["nodes"][:3]] for one in bad}
    assert told == {}
    page.context.close()
