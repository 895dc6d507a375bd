"""The pages of Look. Each is a URL, and a filter is its query."""

from __future__ import annotations

from math import hypot

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from flows.command.published.story import whole_story
from flows.studio.look.filters import Looked, shown_row, shown_rows
from flows.studio.pages import page, url_of
from flows.studio.state import DatasetFolder
from tasks.errors import ConfigError
from tasks.publish.look.near import map_of
from tasks.publish.look.query import RowQuery, query_of
from tasks.publish.look.view import open_view

router = APIRouter(prefix="/d/{name}/look")
WIDTH, HEIGHT, COLOURS = 800, 500, 10


@router.get("")
def look(request: Request, name: str, folder: DatasetFolder) -> Response:
    """A page of rows. A form's URL, with fields that say nothing, leads to the one that says the same in short."""
    query = query_of(request.url.query)
    if query.url != request.url.query:
        return RedirectResponse(_url(name, query), 303)
    looked = Looked.at(folder, query)
    found = looked.page()
    before, behind = looked.pages(found)
    return page(
        request,
        "look.html",
        name=name,
        looked=looked,
        query=query,
        found=found,
        rows=shown_rows(looked, found),
        before=before and _url(name, before),
        behind=behind and _url(name, behind),
        all_rows=_url(name, RowQuery(table=query.table)),
    )


@router.get("/facets")
def facets(request: Request, name: str, folder: DatasetFolder) -> Response:
    """How many rows have which value: a part of the page that comes after it."""
    query = query_of(request.url.query)
    looked = Looked.at(folder, query)
    told = [
        (
            facet.column,
            [
                (value, count, query.wants(facet.column, value), _url(name, query.toggled(facet.column, value)))
                for value, count in facet.values
            ],
        )
        for facet in looked.view.facets(query, looked.among)
    ]
    return page(request, "look_facets.html", facets=told)


@router.get("/map")
def row_map(request: Request, name: str, folder: DatasetFolder) -> Response:
    """A map of the rows, whose groups lead to their rows."""
    found = map_of(folder, open_view(folder))
    groups = [
        (number, group.name, len(group.places), _url(name, RowQuery(group=number)), _dots(group.drawn))
        for number, group in enumerate(found.groups)
    ]
    return page(request, "look_map.html", name=name, found=found, groups=groups, width=WIDTH, height=HEIGHT)


@router.get("/map/at")
def row_on_map(name: str, folder: DatasetFolder, x: float, y: float) -> Response:
    """The row whose point on the map is nearest to where one has clicked, in the units of the drawing."""
    view = open_view(folder)
    points = [
        (hypot(left - x, top - y), place)
        for group in map_of(folder, view).groups
        for place, (left, top) in zip(group.places, map(_point, group.drawn), strict=True)
    ]
    if not points:
        raise ConfigError("no such row on the map", None, "there are too few rows for a map")
    return RedirectResponse(url_of("d", name, "look", "row", view.ids_of([min(points)[1]])[0]), 303)


@router.get("/row/{row_id}")
def row(request: Request, name: str, folder: DatasetFolder, row_id: str) -> Response:
    """One row: what it says, all that is known of it, and its story."""
    story = whole_story(folder, row_id)
    shown = None if story["row"] is None else shown_row(story["row"])
    return page(request, "look_row.html", name=name, row_id=row_id, story=story, shown=shown)


def _url(name: str, query: RowQuery) -> str:
    return f"{url_of('d', name, 'look')}{'?' if query.url else ''}{query.url}"


def _dots(drawn: list[tuple[float, float]]) -> tuple[str, int, int]:
    """A path of points, and the middle of them."""
    places = [_point(one) for one in drawn]
    path = "".join(f"M{x} {y}h0" for x, y in places)
    x, y = (sorted(place[axis] for place in places)[len(places) // 2] for axis in (0, 1))
    return path, x, y


def _point(drawn: tuple[float, float]) -> tuple[int, int]:
    """Where a row is drawn: from the left, and from the top."""
    x, y = drawn
    return round(x * WIDTH), round((1 - y) * HEIGHT)
