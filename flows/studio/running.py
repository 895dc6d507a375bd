"""Part three, Estimate and run: what it would take, then the run itself, which goes on without the studio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from flows.studio.configs.fields import BUDGET_FIELDS, form_of, with_form
from flows.studio.configs.file import ConfigFile, short_path
from flows.studio.jobs.jobs import Job, find_job, jobs_of, start_job
from flows.studio.jobs.nightly import USUAL_HOUR, nightly_state, prefect_api
from flows.studio.pages import page, part, url_of
from flows.studio.state import TheStudio
from flows.studio.streams import page_part
from flows.watch.live import live_runs
from tasks.errors import ConfigError
from tasks.publish.revisions import history
from tasks.storage.home import served_url
from tasks.storage.places import is_url

LIVE_S = 1.0
ROWS_SO_FAR = 20
OWN_NOW = ("run", "estimate")

router = APIRouter()


@router.get("/c/{name}/run")
def show_running(request: Request, studio: TheStudio, name: str) -> Response:
    """What a run of a config would take, how its runs go, and how to start one."""
    config = ConfigFile.read(studio.folders, name)
    jobs = jobs_of(name, *OWN_NOW)
    estimate = next((job for job in jobs if job.what == "estimate"), None)
    budget = next(group for group in form_of(config.kind, config.settings) if group.title == "Budget")
    return page(
        request,
        "run.html",
        config=config,
        jobs=jobs,
        estimate=estimate,
        run=next((job for job in jobs if job.what == "run"), None),
        budget=budget,
        command=_command(config),
        is_published=bool(history(config.out)),
        dataset=config.out.name if config.out.name in studio.folders.datasets() else None,
        ui=_ui(),
        nightly=nightly_state(config.kind, config.file.stem),
        at=USUAL_HOUR,
        is_served=prefect_api() is not None,
    )


@router.post("/c/{name}/nightly")
def run_every_night(
    studio: TheStudio,
    name: str,
    at: Annotated[str, Form(pattern=r"^\d\d?:\d\d$")] = USUAL_HOUR,
    off: bool = Form(False),
) -> Response:
    """Put the config on the Prefect server as a deployment that runs every night, or take it away, in a job."""
    config = ConfigFile.read(studio.folders, name)
    config.checked(studio.folders)
    words = ["deploy", config.kind, "--config", short_path(config.file), *(["--off"] if off else ["--at", at])]
    return RedirectResponse(f"/jobs/{start_job('deploy', name, words).number}", 303)


@router.post("/c/{name}/estimate")
def estimate_config(studio: TheStudio, name: str) -> Response:
    """Run twenty rows, and tell what the whole would take."""
    config = ConfigFile.read(studio.folders, name)
    config.checked(studio.folders)
    start_job("estimate", name, [*_command(config), "--estimate", "--json"])
    return RedirectResponse(url_of("c", name, "run"), 303)


@router.post("/c/{name}/run")
async def run_config(request: Request, studio: TheStudio, name: str) -> Response:
    """Start a run, or go on with one that was stopped; with the budget that the form says."""
    config = ConfigFile.read(studio.folders, name)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    fields = {key: value for key, value in sent.items() if key.removeprefix("f.") in BUDGET_FIELDS}
    config = config.but(with_form(config.kind, config.settings, fields))
    config.save(studio.folders)
    studio.desk.close()  # its models are not needed now, and the run may need the room
    start_job("run", name, [*_command(config), "--json"])
    return RedirectResponse(url_of("c", name, "run"), 303)


@router.get("/c/{name}/run/stream", response_class=EventSourceResponse)
async def stream_run(request: Request, name: str) -> AsyncIterator[ServerSentEvent]:
    """How a run goes, about once a second until it has ended."""
    while jobs := [job for job in jobs_of(name, *OWN_NOW) if not job.is_over]:
        yield page_part("live", part(request, "live.html", jobs=jobs, name=name, ui=_ui()))
        await asyncio.sleep(LIVE_S)
    yield ServerSentEvent(event="done", data=url_of("c", name, "run"))


@router.get("/c/{name}/run/rows")
def show_rows_so_far(request: Request, studio: TheStudio, name: str, step: str = "") -> Response:
    """Rows of a run under way, from the last table that a step has finished."""
    config = ConfigFile.read(studio.folders, name)
    told = next((told for told in live_runs() if told["folder"] == str(config.out)), None)
    steps = {one["name"]: one["last_table"] for one in (told or {}).get("steps", []) if one["last_table"]}
    chosen = step if step in steps else next(reversed(steps), "")
    return page(request, "rows.html", config=config, steps=steps, chosen=chosen, rows=_first_rows(steps.get(chosen)))


@router.get("/jobs/{number}")
def show_job(request: Request, number: str) -> Response:
    """One job: its command, what it said, and what came of it."""
    return page(request, "job.html", job=find_job(number))


@router.get("/jobs/{number}/stream", response_class=EventSourceResponse)
async def stream_job(request: Request, number: str) -> AsyncIterator[ServerSentEvent]:
    """What a job says, until it has ended."""
    job = find_job(number)
    while not job.is_over:
        yield page_part("log", part(request, "log.html", job=job))
        await asyncio.sleep(LIVE_S)
    yield ServerSentEvent(event="done", data=f"/jobs/{job.number}")


@router.post("/jobs/{number}/stop")
def stop_job(number: str) -> Response:
    """Ask a job to stop; what is in flight is let finish, and what was paid for is kept."""
    job = find_job(number)
    job.stop()
    return RedirectResponse(job_page(job), 303)


def job_page(job: Job) -> str:
    """Where a job is shown."""
    return url_of("c", job.about, "run") if job.what in OWN_NOW else f"/jobs/{job.number}"


def _command(config: ConfigFile) -> list[str]:
    return [config.kind, "--config", short_path(config.file)]


def _ui() -> str | None:
    """Prefect's UI, where `stillroom serve` runs on this home."""
    url = served_url()
    return None if url is None else url.removesuffix("/api")


def _first_rows(place: str | None) -> list[dict[str, Any]]:
    if place is None or is_url(place):
        return []
    try:
        return pl.read_parquet(place, n_rows=ROWS_SO_FAR).to_dicts()
    except OSError as error:
        raise ConfigError("no such table any more", None, "the run has gone on; look again") from error
