"""The fields of a config's form, made from the pydantic models: names, kinds, bounds, choices and what they mean.

Which steps are shown depends on the recipe. What a form does not show stays in the file as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.recipes.catalogue import find_recipe, outline_of
from flows.recipes.recipe import Kind, Outline, Recipe, recipe_names
from flows.studio.configs.file import RECIPE_KINDS, ConfigSettings
from tasks.errors import ConfigError

MAIN_FIELDS = ("recipe", "seeds", "instructions", "rows", "language", "format")
BUDGET_FIELDS = ("max_requests", "max_total_tokens", "max_cost_usd")
MORE_FIELDS = (
    *("max_seeds", "max_instructions", "columns", "keep_columns", "splits", "license", "prompts", "seed"),
    *("check_language", "incremental", "max_attempts", "max_reject_fraction", "judged_by", "mode", "start_from"),
    *("instructions_from", "reasoning"),
)
MODEL_FIELDS = (
    *("name", "temperature", "max_new_tokens", "thinking", "max_in_flight", "api_key_env", "tokenizer"),
    *("price_prompt", "price_completion"),
)
LONG_TEXTS = ("system", "description", "application", "template")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PREFIX = "f."
FieldPath = tuple[str, ...]


@dataclass(frozen=True)
class FormField:
    """One field. `kind`: choice, number, text, long or yaml; `value`: what the file says, "" for nothing; `default`: then."""

    path: FieldPath
    kind: str
    help: str
    value: str
    default: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_whole: bool = False

    @property
    def key(self) -> str:
        """Its name in the form."""
        return PREFIX + ".".join(self.path)

    @property
    def label(self) -> str:
        """Its name in the config, as words."""
        return self.path[-1].replace("_", " ")


@dataclass(frozen=True)
class FormGroup:
    """Fields that belong together. `title`: English words, or the name of a step."""

    title: str
    fields: tuple[FormField, ...]
    about: str = ""
    is_open: bool = True


def form_of(kind: Kind, settings: ConfigSettings) -> list[FormGroup]:
    """The form of a config, by its recipe."""
    model = RECIPE_KINDS[kind].model_fields
    groups = [
        FormGroup("What is made", tuple(_fields(model, MAIN_FIELDS, (), settings, kind))),
        FormGroup("Model", tuple(_model_fields(model, settings))),
        FormGroup("Budget", tuple(_fields(model, BUDGET_FIELDS, (), settings, kind))),
    ]
    groups += _groups_of_steps(kind, settings)
    return [*groups, FormGroup("More", tuple(_fields(model, MORE_FIELDS, (), settings, kind)), is_open=False)]


def _model_fields(model: Mapping[str, FieldInfo], settings: ConfigSettings) -> Iterator[FormField]:
    of_model = _section(model["model"])
    assert of_model is not None
    told = settings.get("model")
    mine = {**settings, "model": {"name": told} if isinstance(told, str) else told or {}}
    yield from _fields(of_model.model_fields, MODEL_FIELDS, ("model",), mine)
    yield _field(("roles",), model["roles"], settings.get("roles"), "{}")


def _groups_of_steps(kind: Kind, settings: ConfigSettings) -> Iterator[FormGroup]:
    model = RECIPE_KINDS[kind].model_fields
    for step in steps_of(kind, settings):
        section = _section(model[step]) if step in model else None
        if section is not None:
            about = (section.__doc__ or "").split("\n\n")[0]
            fields = tuple(_fields(section.model_fields, tuple(section.model_fields), (step,), settings))
            yield FormGroup(step, fields, about, is_open=bool(settings.get(step)))


def steps_of(kind: Kind, settings: ConfigSettings) -> list[str]:
    """The steps of the recipe that a config names, in order; none where there is no such recipe."""
    _, outline = outlined(kind, settings) or (None, None)
    return list(dict.fromkeys(step.name for step, _ in outline.steps)) if outline else []


def outlined(kind: Kind, settings: ConfigSettings) -> tuple[Recipe, Outline] | None:
    """The recipe that a config names, and the steps that it takes; None where there is no such recipe."""
    told = settings.get("recipe", RECIPE_KINDS[kind].model_fields["recipe"].default)
    try:
        recipe = find_recipe(f"{kind}-{told}" if told in recipe_names(kind) else told)
        return recipe, outline_of(recipe, settings)
    except (ConfigError, TypeError, AttributeError):
        return None


def _fields(
    model: Mapping[str, FieldInfo],
    names: tuple[str, ...],
    above: FieldPath,
    settings: ConfigSettings,
    kind: Kind | None = None,
) -> Iterator[FormField]:
    place: Any = settings
    for name in above:
        place = place.get(name) if isinstance(place, Mapping) else None
    for name in names:
        if name not in model:
            continue
        value = place.get(name) if isinstance(place, Mapping) else None
        if name == "recipe" and kind is not None:
            yield FormField(("recipe",), "choice", "", str(value or ""), str(model[name].default), recipe_names(kind))
        else:
            default = model[name].get_default(call_default_factory=True)
            yield _field((*above, name), model[name], value, "" if default is None else _written(default))


def _field(path: FieldPath, info: FieldInfo, value: Any, default: str) -> FormField:
    of = _without_none(info.annotation)
    if path[-1] == "api_key_env" and not VARIABLE.fullmatch(str(value)):
        value = None  # it may be a key, pasted there
    told: dict[str, Any] = {"help": info.description or "", "value": "", "default": default}
    if value is not None:
        told["value"] = _written(value)
    if get_origin(of) is Literal:
        return FormField(path, "choice", choices=tuple(map(str, get_args(of))), **told)
    if of is bool:
        return FormField(path, "choice", choices=("true", "false"), **told)
    if of in (int, float):
        low = next((one.ge for one in info.metadata if isinstance(one, annotated_types.Ge)), None)
        high = next((one.le for one in info.metadata if isinstance(one, annotated_types.Le)), None)
        return FormField(path, "number", low=_number(low), high=_number(high), is_whole=of is int, **told)
    if of is str or (path[-1] in ("seeds", "instructions", "language") and not isinstance(value, list)):
        return FormField(path, "long" if path[-1] in LONG_TEXTS else "text", **told)
    return FormField(path, "yaml", **told)


def _number(bound: Any) -> float | None:
    return bound if isinstance(bound, int | float) else None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [one for one in get_args(annotation) if one is not type(None)]
        return _without_none(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _section(info: FieldInfo) -> type[BaseModel] | None:
    of = _without_none(info.annotation)
    return of if isinstance(of, type) and issubclass(of, BaseModel) else None


def _written(value: Any) -> str:
    """A value as one types it into the form."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple | list):
        value = [
            one.model_dump(mode="json", exclude_defaults=True) if isinstance(one, BaseModel) else one for one in value
        ]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    return (
        yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=None, width=100).strip()
        if value
        else ""
    )


def with_form(kind: Kind, settings: ConfigSettings, sent: Mapping[str, str]) -> ConfigSettings:
    """The settings with what a form sent: of the fields that are shown, an empty one is taken out.

    Raises ConfigError for a list or a mapping that is not YAML.
    """
    changed: ConfigSettings = _copied(settings)
    for group in form_of(kind, settings):
        for field in group.fields:
            if field.key in sent:
                _put(changed, field, sent[field.key].replace("\r\n", "\n"))
    return changed


def _put(settings: ConfigSettings, field: FormField, text: str) -> None:
    *above, last = field.path
    place = settings
    for name in above:
        if not isinstance(place.get(name), dict):
            place[name] = {"name": place[name]} if isinstance(place.get(name), str) else {}
        place = place[name]
    if not text.strip():
        place.pop(last, None)
        if above and not place:
            settings.pop(above[0], None)
        return
    place[last] = text if field.kind in ("text", "long") else _read(field, text)


def _read(field: FormField, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"bad value for {'.'.join(field.path)}", text[:200], "write it as YAML") from error


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
