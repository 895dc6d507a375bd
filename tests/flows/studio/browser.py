"""A studio as a process, and a page of a real Chromium (Debian's) on it.

STILLROOM_SCREENSHOTS=DIR python -m pytest -m slow tests/flows/studio     # takes pictures of all pages that the tests look at
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.service.child_command import child_command
from tests.publish.report.axe import axe_source

PICTURES = os.environ.get("STILLROOM_SCREENSHOTS")
PATIENCE_MS = 120_000


class App:
    """A studio as a process, and a browser's page on it."""

    def __init__(self, url: str, page: Any, folder: Path) -> None:
        self.url, self.page, self.folder = url, page, folder
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: dialog.accept())

    def picture(self, name: str) -> None:
        """Look at a page on a phone and a desktop, in light and dark: nothing sticks out, and axe finds nothing."""
        for width, scheme in ((1440, "dark"), (390, "light"), (1440, "light"), (390, "dark")):
            if not PICTURES and (width, scheme) in ((1440, "dark"), (390, "light")):
                continue  # for those who look at the pictures: what is checked is the same
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)
            if PICTURES:
                self.page.screenshot(path=Path(PICTURES) / f"studio-{name}-{width}-{scheme}.png", full_page=True)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, name
            told = [
                f"{one['id']} ({one['impact']}): {[node['html'][:160] for node in one['nodes'][:3]]}"
                for one in self._violations()
            ]
            assert told == [], f"{name} at {width}"
        self.page.set_viewport_size({"width": 1440, "height": 900})
        assert self.page.title() != "stolen"

    def _violations(self) -> list[dict[str, Any]]:
        self.page.evaluate(axe_source())
        found = self.page.evaluate("axe.run(document, {iframes: false})")
        assert len(found["passes"]) > 8, "it has looked"
        return [one for one in found["violations"] if one["impact"] in ("serious", "critical", "moderate")]


@contextmanager
def app_with(folder: Path, rules: str, **environment: str) -> Iterator[App]:
    """A studio on `datasets/` of a folder, with `rules.py` there, signed in by its start URL when that is opened."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs a chromium: apt-get install chromium")
    (folder / "datasets").mkdir()
    (folder / "datasets" / "rules.py").write_text(rules)
    server = subprocess.Popen(
        child_command("flows.command.main", "studio", "--port", "0"),
        cwd=folder,
        env={**os.environ, "STILLROOM_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = re.search(r"http://\S+", server.stdout.readline())
        assert url is not None
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            yield App(url[0], page, folder)
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
