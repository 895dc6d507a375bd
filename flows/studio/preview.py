"""Part two, Preview: five rows through all steps, each word that is asked and answered, two tries side by side."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from flows.runs.prompt_set import set_of
from flows.studio.configs.fields import form_of, steps_of, with_form
from flows.studio.configs.file import RECIPE_KINDS, ConfigFile, check_places, short_path
from flows.studio.describe import Text
from flows.studio.messages import translator
from flows.studio.pages import page, part, url_of
from flows.studio.state import Studio, TheStudio
from flows.studio.streams import events_of_try
from flows.studio.trials.desk import Try
from tasks.errors import ConfigError
from tasks.storage.files import write_atomically
from tasks.text.prompts import Prompts

ROWS_SHOWN = 5
MOST_ROWS_SHOWN = 20

router = APIRouter(prefix="/c/{name}")


@router.get("/preview")
def show_previews(request: Request, studio: TheStudio, name: str) -> Response:
    """The newest try of a config, or how to begin one."""
    tries = studio.desk.all_of(name)
    return _show(request, studio, name, tries[0] if tries else None, None)


@router.post("/preview")
async def try_rows(request: Request, studio: TheStudio, name: str) -> Response:
    """Send a few rows through all steps, after taking in what the form says of the config."""
    config = ConfigFile.read(studio.folders, name)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    if any(key.startswith("f.") for key in sent):
        config = config.but(with_form(config.kind, config.settings, sent))
        config.save(studio.folders)
    else:
        config.checked(studio.folders)
    other = sent.get("other_model", "").strip()
    if other:
        check_places({"model": {"name": other}}, studio.folders)
    rows = sent.get("rows", "")
    rows_asked = min(int(rows), MOST_ROWS_SHOWN) if rows.isdigit() and int(rows) else ROWS_SHOWN
    asked = {"do": "preview", "kind": config.kind, "file": str(config.file), "rows": rows_asked, "model": other}
    last = next((one.number for one in studio.desk.all_of(name) if one.told is not None and not one.draw), None)
    made = studio.desk.begin(name, asked, config.text)
    beside = f"?beside={last}" if last else ""
    return RedirectResponse(f"{url_of('c', name, 'preview', str(made.number))}{beside}", 303)


@router.get("/preview/{number}")
def show_try(request: Request, studio: TheStudio, name: str, number: int, beside: int | None = None) -> Response:
    """A try, with another one beside it."""
    one = studio.desk.find(name, number)
    if one is None:
        raise ConfigError("no such try", number, "try it again: what was answered is in the ledger")
    return _show(request, studio, name, one, studio.desk.find(name, beside) if beside else None)


@router.get("/preview/{number}/stream", response_class=EventSourceResponse)
async def stream_try(
    request: Request, studio: TheStudio, name: str, number: int, beside: int | None = None
) -> AsyncIterator[ServerSentEvent]:
    """The rows of a try as they go from step to step."""

    def show(event: Mapping[str, Any]) -> tuple[str, str] | None:
        if "entry" not in event:
            return None
        return f"lane-{_lane_id(event['entry']['lane'])}", part(
            request, "passage.html", step=event["step"], entry=event["entry"]
        )

    then = url_of("c", name, "preview", str(number)) + (f"?beside={beside}" if beside else "")
    async for event in events_of_try(studio.desk, name, number, show, then):
        yield event


@router.post("/preview/{number}/again")
def ask_again(
    studio: TheStudio, name: str, number: int, lane: Annotated[int, Form(ge=0, lt=MOST_ROWS_SHOWN)]
) -> Response:
    """Ask one row of a try again: another answer to each of its prompts, beside the ones that there are."""
    config = ConfigFile.read(studio.folders, name)
    config.checked(studio.folders)
    tries = studio.desk.all_of(name)
    one = next((one for one in tries if one.number == number), None)
    if one is None:
        raise ConfigError("no such try", number, "try it again: what was answered is in the ledger")
    draw = 1 + max((other.draw for other in tries if other.lane == lane), default=0)
    made = studio.desk.begin(name, {**one.asked, "lane": lane, "draw": draw}, config.text)
    return RedirectResponse(f"{url_of('c', name, 'preview', str(made.number))}?beside={number}", 303)


@router.post("/preview/{number}/stop")
def stop_try(studio: TheStudio, name: str, number: int) -> Response:
    """End a try: what was paid for is in the ledger."""
    studio.desk.stop(name, number)
    return RedirectResponse(url_of("c", name, "preview", str(number)), 303)


@router.get("/prompt")
def show_prompt(request: Request, studio: TheStudio, name: str, template: str) -> Response:
    """A prompt of the config, to change."""
    file = _prompts(studio, name).file(_known(studio, name, template))
    text = file.read_text(encoding="utf-8")
    return page(request, "prompt.html", name=name, template=template, text=text, is_own=studio.folders.holds(file))


@router.post("/prompt")
def change_prompt(studio: TheStudio, name: str, template: Text, text: Text, back: Text = "") -> Response:
    """Lay a prompt of one's own over ours, in a folder beside the config; an empty one takes it away again."""
    _known(studio, name, template)
    config = ConfigFile.read(studio.folders, name)
    own = (
        Path(config.settings["prompts"]) if config.settings.get("prompts") else studio.folders.place(f"{name}.prompts")
    )
    file = own / f"{template}.j2"
    if not studio.folders.holds(file):
        raise ConfigError("the prompts lie outside of the studio's folders", own, "start the studio with that folder")
    before = file.read_bytes() if file.exists() else None
    if text.strip():
        write_atomically(file, text.replace("\r\n", "\n").encode())
    else:
        file.unlink(missing_ok=True)
    try:
        changed = config.but({**config.settings, "prompts": short_path(own)} if text.strip() else config.settings)
        changed.save(studio.folders)
        _prompts(studio, name).template(template)
    except ConfigError:
        _put_back(file, before, config, studio)
        raise
    return RedirectResponse(_back(name, back), 303)


@router.post("/example")
def add_example(studio: TheStudio, name: str, instruction: Text, response: Text, back: Text = "") -> Response:
    """Make a row that is liked, or was mended, an example of the system prompt that answers are written under."""
    config = ConfigFile.read(studio.folders, name)
    step = _answering_step(config)
    if step is None:
        raise ConfigError("no step of this recipe has a system prompt", name, "change its prompts instead")
    if not instruction.strip() or not response.strip():
        raise ConfigError("an example has a question and an answer", None, "write both")
    language = config.settings.get("language", "en")
    t = translator(language if isinstance(language, str) else "en")
    section = dict(config.settings.get(step) or {})
    told = f"{t('An example of a good answer.')}\n{t('Question')}: {instruction.strip()}\n{t('Answer')}: {response.strip()}"
    section["system"] = "\n\n".join(filter(None, [str(section.get("system", "")).strip(), told])).replace("\r\n", "\n")
    config.but({**config.settings, step: section}).save(studio.folders)
    return RedirectResponse(_back(name, back), 303)


def _show(request: Request, studio: Studio, name: str, one: Try | None, other: Try | None) -> Response:
    config = ConfigFile.read(studio.folders, name)
    tries = studio.desk.all_of(name)
    told = one.told if one else None
    templates = {asked["template"] for _, entry in _entries(told) for asked in entry["asked"]}
    there = set(_prompts(studio, name).names()) & templates if templates else set()
    return page(
        request,
        "preview.html",
        config=config,
        one=one,
        other=other if other and other.told else None,
        tries=tries,
        lanes=_lanes(told, one.events if one else []),
        other_lanes=dict(_lanes(other.told if other else None, [])),
        templates=sorted(there),
        groups=form_of(config.kind, config.settings),
        may_add=_answering_step(config) is not None,
        is_by_row=all(entry["lane"] is not None for _, entry in _entries(told)),
        rows=ROWS_SHOWN,
    )


def _entries(told: Mapping[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    return [(step["step"], entry) for step in (told or {}).get("steps", []) for entry in step["rows"]]


def _lanes(told: Mapping[str, Any] | None, events: list[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """By row what became of it at each step; rows of a try under way as far as they are known."""
    found: dict[str, list[Any]] = {}
    entries = _entries(told) or [(event["step"], event["entry"]) for event in events if "entry" in event]
    for step, entry in entries:
        found.setdefault(_lane_id(entry["lane"]), []).append((step, entry))
    return sorted(found.items(), key=lambda lane: -1 if lane[0] == "all" else int(lane[0]))


def _lane_id(lane: int | None) -> str:
    return "all" if lane is None else str(lane)


def _answering_step(config: ConfigFile) -> str | None:
    """The step whose system prompt takes examples: the last of the recipe that has one."""
    model = RECIPE_KINDS[config.kind].model_fields
    for step in reversed(steps_of(config.kind, config.settings)):
        fields = getattr(model[step].annotation, "model_fields", {}) if step in model else {}
        if "system" in fields:
            return step
    return None


def _prompts(studio: Studio, name: str) -> Prompts:
    config_file = ConfigFile.read(studio.folders, name)
    config = config_file.checked(studio.folders)
    prompt_set = set_of(config.prompt_set, config_file.out, config.retry, config.models())
    return Prompts.of(prompt_set, config.language, config.prompts).resolved().each[0]


def _known(studio: Studio, name: str, template: str) -> str:
    if template not in _prompts(studio, name).names():
        raise ConfigError("no such prompt", template[:100], "`stillroom prompts` lists them")
    return template


def _put_back(file: Path, before: bytes | None, config: ConfigFile, studio: Studio) -> None:
    if before is None:
        file.unlink(missing_ok=True)
        if file.parent.exists() and not any(file.parent.iterdir()):
            shutil.rmtree(file.parent)
    else:
        write_atomically(file, before)
    config.save(studio.folders)


def _back(name: str, number: str) -> str:
    return url_of("c", name, "preview", number) if number.isdigit() else url_of("c", name, "preview")
