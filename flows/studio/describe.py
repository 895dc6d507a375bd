"""Part one, Describe: a new config from words, a file, a Hub name, a dataset or an example; then all of it in a form."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from markupsafe import Markup

from flows.recipes.catalogue import all_recipes, needs_of, recipe_facts
from flows.recipes.drawing import drawing_of
from flows.recipes.recipe import Kind
from flows.recipes.svg import as_svg
from flows.studio.configs.examples import CONFIG_EXAMPLES, config_example
from flows.studio.configs.fields import form_of, outlined, with_form
from flows.studio.configs.file import ConfigFile, ConfigSettings, new_config, settings_in, short_path
from flows.studio.configs.hub_search import search_hub
from flows.studio.jobs.jobs import Job, jobs_of, start_job
from flows.studio.local_models import answering_models
from flows.studio.pages import page, part, reader_language, url_of
from flows.studio.state import Studio, TheStudio
from flows.studio.streams import LOOKS_S, events_of_try, page_part
from tasks.errors import ConfigError
from tasks.models.config import ModelConfig
from tasks.models.open import BUILT_IN, BUILT_IN_SEEDS
from tasks.storage.files import write_atomically

TAKEN_FILES = (".jsonl", ".json", ".csv", ".parquet", ".yaml", ".yml", ".md", ".txt", ".html", ".pdf", ".gz")
DOCUMENTS = (".md", ".html", ".pdf")
"""Kinds of files that are documents, which recipe `documents` asks about; one .txt alone may be a list of instructions."""
UPLOADS = "uploads"
PIECE = 1_000_000
Text = Annotated[str, Form()]
KindChoice = Annotated[Literal["sft", "dpo"], Form()]

router = APIRouter()


@router.get("/new")
def show_doors(request: Request, studio: TheStudio) -> Response:
    """The ways to a new config."""
    return _doors(request, studio)


@router.post("/new/words")
def plan_from_words(request: Request, studio: TheStudio, description: Text, model: Text = "demo") -> Response:
    """Have a model plan a dataset; a built-in one cannot, and the page says so."""
    description = description.strip()[:4000]
    if not description:
        raise ConfigError("there is no description", None, "say in a sentence what the dataset is for")
    if model.strip() in ("", *BUILT_IN):
        wrong = "The built-in model cannot write a config from words. Name another model, or begin with an example."
        return _doors(request, studio, wrong)
    told: ConfigSettings = {"name": model.strip()}
    _check_model(studio, told)
    asked = {"do": "plan", "description": description, "model": told, "language": reader_language(request)}
    return RedirectResponse(f"/new/words/{studio.desk.begin('', asked).number}", 303)


@router.get("/new/words/{number}")
def show_plan(request: Request, studio: TheStudio, number: int) -> Response:
    """The plan that a model has made, or that it is making one."""
    one = studio.desk.find("", number)
    if one is None:
        raise ConfigError("no such plan", number, "describe the dataset again; the answer is in the ledger")
    plan = next((event for event in one.events if "plan" in event), None)
    return page(request, "plan.html", one=one, plan=plan)


@router.get("/new/words/{number}/stream", response_class=EventSourceResponse)
async def stream_plan(studio: TheStudio, number: int) -> AsyncIterator[ServerSentEvent]:
    """Says when the plan is there."""
    async for event in events_of_try(studio.desk, "", number, lambda _: None, f"/new/words/{number}"):
        yield event


@router.post("/new/words/{number}")
def take_plan(studio: TheStudio, number: int) -> Response:
    """Make a config of a plan."""
    one = studio.desk.find("", number)
    plan = next((event for event in one.events if "plan" in event), None) if one else None
    if plan is None:
        raise ConfigError("no such plan", number, "describe the dataset again; the answer is in the ledger")
    return _to(new_config(studio.folders, plan["name"], "sft", plan["plan"]))


@router.post("/new/file")
def begin_with_files(
    studio: TheStudio,
    files: Annotated[list[UploadFile], File(alias="file")],
    kind: KindChoice = "sft",
    recipe: Text = "",
    model: Text = "demo",
) -> Response:
    """Keep the user's files, and make a config that reads them: one by its name, several as the folder that they are in."""
    names = [Path((file.filename or "").replace("\\", "/")).name for file in files]
    if strange := next((name for name in names if Path(name).suffix.lower() not in TAKEN_FILES), None):
        raise ConfigError("files of this kind are not read", strange[-40:], f"one of {', '.join(TAKEN_FILES)}")
    stem = re.sub(r"[^A-Za-z0-9]+", "-", names[0].partition(".")[0]).strip("-") or "file"
    folder = studio.folders.new / UPLOADS / studio.folders.free_name(stem)
    while folder.exists():
        folder = folder.with_name(f"{folder.name}-{len(list(folder.parent.iterdir()))}")
    places = [_keep(file, name, folder) for file, name in zip(files, names, strict=True)]
    is_documents = kind == "sft" and all(
        place.suffix in DOCUMENTS for place in places if place.suffix != ".txt" or len(places) == 1
    )
    told = {"recipe": recipe or ("documents" if is_documents else ""), "model": model}
    return _begin(studio, stem, kind, short_path(places[0] if len(places) == 1 else folder), told)


def _keep(file: UploadFile, name: str, folder: Path) -> Path:
    """Write a file that was sent below a plain name of its own."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name.partition(".")[0]).strip("-")[:60] or "file"
    place = folder / f"{stem}{re.sub(r'[^A-Za-z0-9.]', '', ''.join(Path(name).suffixes[-2:])).lower()}"
    if place.exists():
        place = folder / f"{len(list(folder.iterdir()))}-{place.name}"
    data = bytearray()
    while piece := file.file.read(PIECE):
        data += piece
    write_atomically(place, bytes(data))
    return place


@router.get("/new/hub")
def find_on_hub(request: Request, studio: TheStudio, words: str = "") -> Response:
    """The doors, with the datasets of the Hub that these words find, or why it could not be asked."""
    if not words.strip():
        return _doors(request, studio)
    try:
        return _doors(request, studio, words=words, found=search_hub(words))
    except ConfigError as error:
        return _doors(request, studio, words=words, not_found=f"{error.what} ({error.value}): {error.fix}")


@router.post("/new/hub")
def begin_with_hub(
    studio: TheStudio,
    dataset: Text = "",
    found: Text = "",
    kind: KindChoice = "sft",
    recipe: Text = "",
    model: Text = "demo",
) -> Response:
    """Make a config that reads a dataset of the Hub: one that was found, else the one whose name was typed."""
    name = (found or dataset).strip().removeprefix("https://huggingface.co/datasets/").removeprefix("hf:").strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?([:@][A-Za-z0-9._/:@-]+)?", name):
        raise ConfigError("this is no name of a dataset on the Hub", name[:100], "OWNER/NAME")
    return _begin(studio, name.rpartition("/")[2], kind, f"hf:{name}", {"recipe": recipe, "model": model})


@router.post("/new/dataset")
def begin_with_dataset(
    studio: TheStudio, dataset: Text, kind: KindChoice = "dpo", recipe: Text = "", model: Text = "demo"
) -> Response:
    """Make a config that reads a dataset of the studio's folders."""
    place = short_path(studio.folders.dataset(dataset))
    return _begin(studio, f"{dataset} {kind}", kind, place, {"recipe": recipe, "model": model})


@router.post("/new/example")
def begin_with_example(studio: TheStudio, example: Text) -> Response:
    """Make a config of an example."""
    found = config_example(example)
    if found is None:
        raise ConfigError("no such example", example[:40], f"one of {', '.join(one.key for one in CONFIG_EXAMPLES)}")
    return _to(new_config(studio.folders, found.key, found.kind, dict(found.settings)))


@router.get("/models")
def list_models(request: Request, studio: TheStudio) -> Response:
    """The models that there are to choose from: the built-in ones, those of the other configs, and what answers here."""
    known: list[str] = []
    for name in studio.folders.configs():
        try:
            told = ConfigFile.read(studio.folders, name).settings.get("model")
        except ConfigError:
            continue
        found = told.get("name") if isinstance(told, dict) else told
        known += [found] if isinstance(found, str) else []
    return page(request, "models.html", models=list(dict.fromkeys([*BUILT_IN_SEEDS, *answering_models(), *known])))


@router.get("/recipes")
def list_recipes(request: Request) -> Response:
    """What there is to make: each recipe with its steps and where it comes from."""
    return page(request, "recipes.html", recipes=[recipe_facts(recipe) for recipe in all_recipes()])


@router.get("/c/{name}")
def show_config(request: Request, studio: TheStudio, name: str, saved: bool = False) -> Response:
    """A config as a form, as a graph and as YAML."""
    studio.desk.warm()
    return _form(request, ConfigFile.read(studio.folders, name), saved=saved)


@router.post("/c/{name}")
async def save_form(request: Request, studio: TheStudio, name: str) -> Response:
    """Take in what the form says."""
    config = ConfigFile.read(studio.folders, name)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    settings = config.settings
    try:
        settings = with_form(config.kind, config.settings, sent)
        config.but(settings).save(studio.folders)
    except ConfigError as error:
        return _form(request, config.but(settings), wrong=error)
    return RedirectResponse(f"{url_of('c', name)}?saved=true", 303)


@router.post("/c/{name}/yaml")
def save_yaml(request: Request, studio: TheStudio, name: str, text: Text) -> Response:
    """Take in a config as YAML."""
    config = ConfigFile.read(studio.folders, name)
    try:
        config = config.but(settings_in(text))
        config.save(studio.folders)
    except ConfigError as error:
        return _form(request, config, wrong=error, text=text)
    return RedirectResponse(f"{url_of('c', name)}?saved=true", 303)


@router.get("/c/{name}/config.yaml")
def download_config(studio: TheStudio, name: str) -> Response:
    """The config as a file."""
    config = ConfigFile.read(studio.folders, name)
    return PlainTextResponse(
        config.text,
        media_type="application/yaml",
        headers={"content-disposition": f"attachment; filename*=utf-8''{quote(config.file.name, safe='')}"},
    )


@router.post("/c/{name}/clone")
def clone_config(studio: TheStudio, name: str) -> Response:
    """The same config under another name, for another dataset."""
    config = ConfigFile.read(studio.folders, name)
    return _to(new_config(studio.folders, name, config.kind, config.settings))


@router.post("/c/{name}/delete")
def delete_config(studio: TheStudio, name: str) -> Response:
    """Remove a config. What it has made, and what was paid for, stays."""
    studio.folders.config(name).unlink()
    return RedirectResponse("/", 303)


@router.post("/c/{name}/doctor")
async def check_model(request: Request, studio: TheStudio, name: str) -> Response:
    """Ask the config's model ten questions, in a job, after taking in what the form says."""
    config = ConfigFile.read(studio.folders, name)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    settings = with_form(config.kind, config.settings, sent)
    is_new = settings != config.settings  # else the file stays as it was written, with its comments
    model = (config.but(settings).save(studio.folders) if is_new else config.checked(studio.folders)).model
    told = model.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    sets = [word for field, value in told.items() for word in ("--set", f"{field}={value}")]
    start_job("doctor", name, ["doctor", "--model", model.name, *sets, "--json"])
    return RedirectResponse(f"{url_of('c', name)}#doctor", 303)


@router.get("/c/{name}/doctor/stream", response_class=EventSourceResponse)
async def stream_doctor(request: Request, studio: TheStudio, name: str) -> AsyncIterator[ServerSentEvent]:
    """What the questions have shown, once they have ended."""
    config = ConfigFile.read(studio.folders, name)
    while (doctor := _doctor_of(config)) is not None and not doctor.is_over:
        await asyncio.sleep(LOOKS_S)
    yield page_part("doctor", part(request, "doctor.html", config=config, doctor=doctor))
    yield ServerSentEvent(event="done", data="")


def _doctor_of(config: ConfigFile) -> Job | None:
    """The newest examination of a config's model."""
    return next(iter(jobs_of(config.name, "doctor")), None)


def _doors(request: Request, studio: Studio, wrong: str | None = None, **of_hub: Any) -> Response:
    """The page of the ways to a new config. `of_hub`: the words that it was searched by, and what came of it."""
    told = {"examples": CONFIG_EXAMPLES, "datasets": studio.folders.datasets(), "wrong": wrong, **of_hub}
    return page(request, "new.html", status=400 if wrong else 200, **told)


def _begin(studio: Studio, wanted: str, kind: Kind, source: str, told: ConfigSettings) -> Response:
    settings: ConfigSettings = {name: value for name, value in told.items() if value}
    settings["seeds" if kind == "sft" else "instructions"] = source
    return _to(new_config(studio.folders, wanted, kind, settings))


def _to(config: ConfigFile) -> Response:
    return RedirectResponse(url_of("c", config.name), 303)


def _check_model(studio: Studio, told: ConfigSettings) -> None:
    from flows.studio.configs.file import check_places

    check_places({"model": told}, studio.folders)
    try:
        ModelConfig.model_validate(told)
    except ValueError as error:
        raise ConfigError("this is no model", None, "model@http://host:port/v1, or a transformers name") from error


def _form(
    request: Request,
    config: ConfigFile,
    *,
    saved: bool = False,
    wrong: ConfigError | None = None,
    text: str | None = None,
) -> Response:
    recipe, _ = outlined(config.kind, config.settings) or (None, None)
    values: dict[str, Any] = {
        "config": config,
        "groups": form_of(config.kind, config.settings),
        "recipe": recipe,
        "needs": recipe and needs_of(recipe),
        "drawing": recipe and Markup(as_svg(drawing_of(recipe, config.settings), in_page=True)),
        "text": config.text if text is None else text,
        "doctor": _doctor_of(config),
    }
    return page(request, "config.html", status=400 if wrong else 200, saved=saved, wrong=wrong, **values)
