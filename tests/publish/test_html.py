"""Templates of pages are kept compiled in the home, where there is one; a page needs none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.publish.describe.html import COMPILED, html_templates


def rendered(folder: Path) -> str:
    return html_templates(folder).get_template("page.html").render(count=1234, said="<b>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "page.html").write_text("{{ count | whole }} {{ said }}")
    return tmp_path / "pages"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_page_is_made_without_a_home_and_makes_none(folder: Path, home: Path) -> None:
    assert rendered(folder) == "1,234 &lt;b&gt;"
    assert not home.exists()


def test_a_template_is_compiled_once_and_anew_when_it_has_changed(folder: Path, home: Path) -> None:
    home.mkdir()
    assert rendered(folder) == "1,234 &lt;b&gt;"
    [kept] = (home / COMPILED).iterdir()
    before = kept.stat().st_ino
    assert rendered(folder) == "1,234 &lt;b&gt;"
    assert kept.stat().st_ino == before
    (folder / "page.html").write_text("changed {{ count }} {{ said }}")
    assert rendered(folder) == "changed 1234 &lt;b&gt;"
    assert list((home / COMPILED).iterdir()) == [kept]


def test_a_kept_template_that_is_damaged_is_compiled_again(folder: Path, home: Path) -> None:
    home.mkdir()
    rendered(folder)
    [kept] = (home / COMPILED).iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    assert rendered(folder) == "1,234 &lt;b&gt;"


def test_a_home_that_goes_away_takes_no_page_with_it(folder: Path, home: Path) -> None:
    home.mkdir()
    pages = html_templates(folder)
    shutil.rmtree(home)
    assert pages.get_template("page.html").render(count=1, said="") == "1 "
