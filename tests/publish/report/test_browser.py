"""The report in a real browser (Debian's chromium), on a phone and a desktop, in light and dark.

STILLROOM_SCREENSHOTS=DIR python -m pytest -m slow tests/publish/report/test_browser.py     # takes pictures of it
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.publish.describe.fits import keep_fit
from tasks.publish.report.page import write_report
from tests.publish.report.axe import axe_source
from tests.publish.report.made import FIGURES, many_talks, pair, publish_rows
from tests.publish.report.test_page import FIT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PICTURES = os.environ.get("STILLROOM_SCREENSHOTS")
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}
LONG = "https://example.org/" + "a-path-that-does-not-end/" * 20
CUT_OFF = """() => [...document.querySelectorAll('main *, header *')].filter(one => {
  if (one.closest('.wide, svg') || getComputedStyle(one).display === 'inline') return false;
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1 && !one.matches('.wide');
}).map(one => one.outerHTML.slice(0, 200))"""
"""Elements that stick out of the page, or whose content sticks out of them, outside of what can be scrolled."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of conversations with all that there can be, and of pairs with long texts."""
    folder = tmp_path_factory.mktemp("reports")
    rejects = [
        {"row_id": "a" * 32, "kind": "failed", "reason": reason, "technique": "text_generation", "raw": LONG}
        for reason in ("truncated", "a_reason_with_a_long_name_that_goes_on")
    ]
    talks = publish_rows(folder / "talks", many_talks(300), rejects=rejects, figures=FIGURES)
    assert keep_fit(talks, FIT)
    pairs = [
        pair(
            f"question {at} {LONG}",
            f"good {LONG} {'yes ' * at}",
            "bad " * at + LONG,
            score_chosen=4.0,
            score_rejected=at % 4,
        )
        for at in range(30)
    ]
    two = publish_rows(
        folder / "a-name-that-is-rather-long-for-a-dataset-on-a-phone", pairs, kind="dpo", figures=FIGURES
    )
    return {"talks": write_report(talks), "pairs": write_report(two)}


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("which", ["talks", "pairs"])
def test_a_browser_shows_it_whole(which: str, width: int, scheme: Any, reports: dict[str, Path], chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.goto(reports[which].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"report-{which}-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    assert faults == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["talks", "pairs"])
def test_axe_finds_nothing_serious(which: str, scheme: Any, reports: dict[str, Path], chromium: Any) -> None:
    source = axe_source()
    context = chromium.new_context(viewport={"width": 390, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(reports[which].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.add_script_tag(content=source)
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "it has looked"
    told = [
        f"{one['id']} ({one['impact']}): {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
    assert told == []
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=data:,>')")
    assert [one["id"] for one in page.evaluate("axe.run()")["violations"]] == ["image-alt"], "it would find a fault"
    context.close()


def test_paper_has_all_of_it(reports: dict[str, Path], chromium: Any, tmp_path: Path) -> None:
    page = chromium.new_context(color_scheme="dark").new_page()
    page.goto(reports["talks"].as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER["light"]
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
