"""Pages of Look, asked for without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.studio.look.routes import HEIGHT, WIDTH
from tasks.publish.look.near import map_of
from tasks.publish.look.view import open_view
from tests.flows.studio.asked import open_studio
from tests.publish.report.made import many_talks, publish_rows


def test_a_point_of_the_map_leads_to_its_row(tmp_path: Path, home: Path) -> None:
    out = publish_rows(tmp_path / "datasets" / "talks", many_talks(40))
    studio, view = open_studio(tmp_path / "datasets"), open_view(out)
    page = studio.get("/d/talks/look/map").text
    points = re.findall(r"M(\d+) (\d+)h0", page)
    assert len(points) == 40
    assert 'data-map="/d/talks/look/map/at"' in page
    drawn = {
        (round(x * WIDTH), round((1 - y) * HEIGHT)): place
        for group in map_of(out, view).groups
        for place, (x, y) in zip(group.places, group.drawn, strict=True)
    }
    alone = [point for point in drawn if points.count(tuple(map(str, point))) == 1]
    assert len(alone) > 20
    for x, y in alone[:5]:
        answer = studio.get("/d/talks/look/map/at", params={"x": x, "y": y})
        assert answer.headers["location"] == f"/d/talks/look/row/{view.ids_of([drawn[x, y]])[0]}"
        assert studio.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize("at", ["x=nan&y=nan", "x=inf&y=-inf", "x=1e308&y=1e308"])
def test_a_point_beside_the_map_leads_to_some_row(tmp_path: Path, home: Path, at: str) -> None:
    publish_rows(tmp_path / "datasets" / "talks", many_talks(40))
    assert open_studio(tmp_path / "datasets").get(f"/d/talks/look/map/at?{at}").status_code == 303


def test_a_point_that_is_none_and_a_map_of_too_few_rows_are_told(tmp_path: Path, home: Path) -> None:
    publish_rows(tmp_path / "datasets" / "few", many_talks(2))
    studio = open_studio(tmp_path / "datasets")
    assert studio.get("/d/few/look/map/at?x=a&y=1").status_code == 422
    assert studio.get("/d/few/look/map/at?x=1&y=1").status_code == 404
