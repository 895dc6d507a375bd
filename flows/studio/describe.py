"""Part one, Describe: a new config from words, a file, a Hub name, a dataset or an example; then all of it in a form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from flows.recipes.catalogue import all_recipes, recipe_facts
from flows.recipes.recipe import Kind
from flows.studio.configs.examples import CONFIG_EXAMPLES, config_example
from flows.studio.configs.fields import form_of, with_form
from flows.studio.configs.file import RECIPE_KINDS, ConfigFile, ConfigSettings, new_config, settings_in, short_path
from flows.studio.configs.graph import graph_of
from flows.studio.jobs.jobs import start_job
from flows.studio.local_models import answering_models
from flows.studio.pages import page, reader_language, url_of
from flows.studio.state import Studio, TheStudio
from flows.studio.streams import events_of_try
from tasks.errors import ConfigError
from tasks.models.config import ModelConfig
from tasks.models.open import BUILT_IN, BUILT_IN_SEEDS
from tasks.storage.files import write_atomically

TAKEN_FILES = (".jsonl", ".json", ".csv", ".parquet", ".yaml", ".yml", ".md", ".txt", ".html", ".pdf", ".gz")
UPLOADS = "uploads"
PIECE = 1_000_000
Text = Annotated[str, Form()]
KindChoice = Annotated[Literal["sft", "dpo"], Form()]

router = APIRouter()


@router.get("/new")
def show_doors(request: Request, studio: TheStudio) -> Response:
    """The ways to a new config."""
    return page(request, "new.html", examples=CONFIG_EXAMPLES, datasets=studio.folders.datasets(), wrong=None)


@router.post("/new/words")
def plan_from_words(request: Request, studio: TheStudio, description: Text, model: Text = "demo") -> Response:
    """Have a model plan a dataset; a built-in one cannot, and the page says so."""
    description = description.strip()[:4000]
    if not description:
        raise ConfigError("there is no description", None, "say in a sentence what the dataset is for")
    if model.strip() in ("", *BUILT_IN):
        datasets = studio.folders.datasets()
        wrong = "The built-in model cannot write a config from words. Name another model, or begin with an example."
        return page(request, "new.html", status=400, examples=CONFIG_EXAMPLES, datasets=datasets, wrong=wrong)
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
def begin_with_file(
    studio: TheStudio, file: UploadFile, kind: KindChoice = "sft", recipe: Text = "", model: Text = "demo"
) -> Response:
    """Keep a file of the user's, and make a config that reads it."""
    name = Path((file.filename or "").replace("\\", "/")).name
    stem, suffixes = re.sub(r"[^A-Za-z0-9]+", "-", name.partition(".")[0]).strip("-"), "".join(Path(name).suffixes[-2:])
    if Path(name).suffix.lower() not in TAKEN_FILES:
        raise ConfigError("files of this kind are not read", name[-40:], f"one of {', '.join(TAKEN_FILES)}")
    folder = studio.folders.new / UPLOADS / studio.folders.free_name(stem or "file")
    place = folder / f"{stem[:60] or 'file'}{re.sub(r'[^A-Za-z0-9.]', '', suffixes).lower()}"
    if folder.exists():
        place = folder / f"{len(list(folder.iterdir()))}-{place.name}"
    data = bytearray()
    while piece := file.file.read(PIECE):
        data += piece
    write_atomically(place, bytes(data))
    return _begin(studio, stem or "file", kind, short_path(place), {"recipe": recipe, "model": model})


@router.post("/new/hub")
def begin_with_hub(
    studio: TheStudio, dataset: Text, kind: KindChoice = "sft", recipe: Text = "", model: Text = "demo"
) -> Response:
    """Make a config that reads a dataset of the Hub."""
    name = dataset.strip().removeprefix("https://huggingface.co/datasets/").removeprefix("hf:").strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?([:@][A-Za-z0-9._/:@-]+)?", name):
        raise ConfigError("this is no name of a dataset on the Hub", dataset[:100], "OWNER/NAME")
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
        headers={"content-disposition": f'attachment; filename="{config.file.name}"'},
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
def check_model(studio: TheStudio, name: str) -> Response:
    """Ask the config's model ten questions, in a job."""
    config = ConfigFile.read(studio.folders, name)
    model = config.checked(studio.folders).model
    told = model.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    sets = [word for field, value in told.items() for word in ("--set", f"{field}={value}")]
    job = start_job("doctor", name, ["doctor", "--model", model.name, *sets, "--json"])
    return RedirectResponse(f"/jobs/{job.number}", 303)


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
    default = str(RECIPE_KINDS[config.kind].model_fields["recipe"].default)
    values: dict[str, Any] = {
        "config": config,
        "groups": form_of(config.kind, config.settings),
        "graph": graph_of(config.kind, config.settings, default),
        "text": config.text if text is None else text,
    }
    return page(request, "config.html", status=400 if wrong else 200, saved=saved, wrong=wrong, **values)
