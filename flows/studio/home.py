"""The first page: the datasets and configs of the folders, and the ways to a new one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from flows.studio.configs.file import ConfigFile
from flows.studio.folders import Folders
from flows.studio.jobs.jobs import all_jobs
from flows.studio.pages import page
from flows.studio.running import job_page
from flows.studio.state import TheStudio
from flows.watch.live import live_runs
from tasks.errors import ConfigError
from tasks.publish.revisions import history

MOST_JOBS = 12

router = APIRouter()


@router.get("/")
def show_home(request: Request, studio: TheStudio) -> Response:
    """Show the first page: datasets, configs, runs under way and jobs."""
    datasets = [(name, history(folder)[-1]) for name, folder in studio.folders.datasets().items()]
    return page(
        request,
        "home.html",
        datasets=datasets,
        configs=[_config(studio.folders, name) for name in studio.folders.configs()],
        runs=list(live_runs()),
        jobs=[(job, job_page(job)) for job in all_jobs()[:MOST_JOBS]],
    )


def _config(folders: Folders, name: str) -> tuple[str, ConfigFile | None]:
    """A config; None for a file that is none."""
    try:
        return name, ConfigFile.read(folders, name)
    except ConfigError:
        return name, None
