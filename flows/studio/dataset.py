"""One dataset: what it is, its revisions, and the tabs to look at it, review it and publish it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from flows.studio.pages import page
from flows.studio.state import DatasetFolder
from tasks.publish.revisions import history

router = APIRouter(prefix="/d/{name}")


@router.get("")
def show_dataset(request: Request, name: str, folder: DatasetFolder) -> Response:
    """The overview of a dataset."""
    return page(request, "dataset.html", name=name, folder=folder, lines=history(folder))
