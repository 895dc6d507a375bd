"""What one studio knows: its folders, its sessions and its tries. All else is in configs, runs and dataset folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from flows.studio.folders import Folders
from flows.studio.guard.sessions import Sessions
from flows.studio.trials.desk import Desk


@dataclass(frozen=True)
class Studio:
    """`cookie`: the name of the session's."""

    folders: Folders
    sessions: Sessions
    cookie: str
    desk: Desk = field(default_factory=Desk)


def studio_of(request: Request) -> Studio:
    """The studio that a request is for."""
    found: Studio = request.app.state.studio
    return found


def dataset_asked_for(request: Request, name: str) -> Path:
    """The folder of the dataset that the path names. Raises ConfigError, a page that says so, where there is none."""
    return studio_of(request).folders.dataset(name)


TheStudio = Annotated[Studio, Depends(studio_of)]
DatasetFolder = Annotated[Path, Depends(dataset_asked_for)]
"""For a handler below `/d/{name}`: the folder of that dataset."""
