"""Part six, Publish: the report, the card and the splits to look at; export or push in a job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from flows.studio.configs.file import ConfigSettings, new_config, settings_in, short_path
from flows.studio.describe import Text
from flows.studio.jobs.jobs import jobs_of, start_job
from flows.studio.pages import page, url_of
from flows.studio.state import DatasetFolder, TheStudio
from tasks.errors import ConfigError
from tasks.models.open import is_built_in
from tasks.publish.format_names import DPOFormat, SFTFormat
from tasks.publish.hub.repository import check_repo_name
from tasks.publish.revisions import (
    CARD,
    CONFIG_FILE,
    REJECTS_FILE,
    REPORT,
    data_files,
    history,
)
from tasks.storage.tables import height_of

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'; base-uri 'none'"
)
"""Of the report in its frame: nothing in it runs, and its own style counts."""
DOWNLOADS = (CARD, CONFIG_FILE, REJECTS_FILE, REPORT)
FORMATS_OF = {"sft": get_args(SFTFormat), "dpo": get_args(DPOFormat)}

router = APIRouter(prefix="/d/{name}")


@router.get("/publish")
def show_publish(request: Request, name: str, folder: DatasetFolder) -> Response:
    """The card, the report and the splits of a dataset, and where it can go."""
    line = history(folder)[-1]
    files = data_files(folder)
    return page(
        request,
        "publish.html",
        name=name,
        folder=short_path(folder),
        line=line,
        card=_body_of(folder / CARD),
        has_report=(folder / REPORT).is_file(),
        splits={split: (height_of(*found), [one.name for one in found]) for split, found in files.items()},
        formats=FORMATS_OF.get(line.kind, ()),
        jobs=jobs_of(f"d/{name}"),
        downloads=[one for one in DOWNLOADS if (folder / one).is_file()],
        is_demo=is_built_in(line.models),
    )


@router.get("/report")
def show_report(folder: DatasetFolder) -> Response:
    """The report, for a frame in which nothing runs."""
    if not (folder / REPORT).is_file():
        raise ConfigError("no such report", None, "stillroom report writes it")
    return HTMLResponse((folder / REPORT).read_bytes(), headers={"content-security-policy": REPORT_POLICY})


@router.get("/file")
def download_file(folder: DatasetFolder, file: str, split: str = "") -> Response:
    """A file of the dataset: of a split by its name, or one of those beside them."""
    found = {one.name: one for one in data_files(folder).get(split, [])} if split else {}
    found |= {} if split else {one: folder / one for one in DOWNLOADS if (folder / one).is_file()}
    if file not in found:
        raise ConfigError("no such file of the dataset", file[:100], f"there are {', '.join(found) or 'none'}")
    return FileResponse(found[file], media_type="application/octet-stream", filename=file)


@router.post("/report")
def write_report_again(name: str, folder: DatasetFolder) -> Response:
    """Write the report anew, in a job."""
    job = start_job("report", f"d/{name}", ["report", short_path(folder), "--json"])
    return RedirectResponse(f"/jobs/{job.number}", 303)


@router.post("/export")
def export_dataset(
    studio: TheStudio,
    name: str,
    folder: DatasetFolder,
    format_: Annotated[str, Form(alias="format")],
    jsonl: bool = Form(False),
) -> Response:
    """Write the dataset in another format, beside it, in a job."""
    kind = history(folder)[-1].kind
    if format_ not in FORMATS_OF.get(kind, ()):
        raise ConfigError("no such format", format_[:40], f"one of {', '.join(FORMATS_OF.get(kind, ()))}")
    out = studio.folders.place(studio.folders.free_name(f"{name} {format_}{' jsonl' if jsonl else ''}"))
    words = [
        "export",
        short_path(folder),
        "--format",
        format_,
        "--out",
        short_path(out),
        *(["--jsonl"] if jsonl else []),
    ]
    job = start_job("export", f"d/{name}", [*words, "--json"])
    return RedirectResponse(f"/jobs/{job.number}", 303)


@router.post("/push")
def push_to_hub(
    name: str, folder: DatasetFolder, repo: Text, public: bool = Form(False), allow_demo: bool = Form(False)
) -> Response:
    """Push the dataset to the Hub in a job, with the token of the studio's environment."""
    check_repo_name(repo.strip())
    more = [*(["--public"] if public else []), *(["--allow-demo"] if allow_demo else [])]
    job = start_job("push", f"d/{name}", ["push", short_path(folder), repo.strip(), *more, "--json"])
    return RedirectResponse(f"/jobs/{job.number}", 303)


@router.post("/clone")
def clone_dataset(studio: TheStudio, name: str, folder: DatasetFolder) -> Response:
    """A new config that would make the dataset again, as its `dataset.yaml` says."""
    line, file = history(folder)[-1], folder / CONFIG_FILE
    if line.kind not in ("sft", "dpo") or not file.is_file():
        raise ConfigError("this dataset does not say how it was made", name, "clone its config")
    told: ConfigSettings = settings_in(file.read_text(encoding="utf-8"))
    settings = {key: value for key, value in told.items() if key not in ("out", "name", "retry") and value is not None}
    made = new_config(studio.folders, name, "dpo" if line.kind == "dpo" else "sft", settings)
    return RedirectResponse(url_of("c", made.name), 303)


@router.post("/delete")
def delete_dataset(studio: TheStudio, name: str, folder: DatasetFolder, confirmed: Text = "") -> Response:
    """Remove a dataset and all its revisions, where its name was typed. What was paid for stays in the ledger."""
    if confirmed.strip() != name:
        raise ConfigError("the name was not typed", confirmed[:100], f"type {name}")
    if folder.resolve() in studio.folders.roots:
        raise ConfigError("this is the folder that the studio was started with", name, "remove it by hand")
    shutil.rmtree(folder)
    return RedirectResponse("/", 303)


def _body_of(card: Path) -> str:
    """The text of a card, without its metadata."""
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return text.partition("\n---\n")[2] if text.startswith("---\n") else text
