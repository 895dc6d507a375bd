"""A config from a file, with options laid over it: what is wrong with it in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from tasks.errors import ConfigError, did_you_mean, first_fault

MOST_BYTES = 10_000_000
MOST_SHOWN = 200  # characters of a bad value


def load_config(kind: type[BaseModel], file: Path | None, options: dict[str, Any]) -> Any:
    """A config from a YAML file with options laid over it. Raises ConfigError, one line a fault."""
    settings: Any = {}
    if file is not None:
        try:
            settings = yaml.safe_load(_text_of(file)) or {}
        except OSError as error:
            raise ConfigError(
                "cannot read the config", f"{file}: {error.strerror}", "give an existing YAML file"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(
                "the config is not YAML", f"{file}: {' '.join(str(error).split())}", "mend that line"
            ) from error
        if not isinstance(settings, dict):
            raise ConfigError("the config is not a mapping", file, "write it as `option: value` lines")
    try:
        folder = None if file is None else file.absolute().parent  # of the user's own files
        return kind.model_validate(_laid_over(settings, options), context={"folder": folder})
    except ValidationError as error:
        raise ConfigError(*_explained(error, kind, file)) from error


def _text_of(file: Path) -> str:
    """The text of a config. Raises ConfigError where it is longer than any config (it may have no end)."""
    with file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigError(
            "the config is over 10 MB", file, "give a YAML file of options; seeds have a file of their own"
        )
    return data.decode()


def _laid_over(settings: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Options over settings; within a technique or a model only the fields that are named change."""
    merged = dict(settings)
    for name, value in options.items():
        below = {"name": merged[name]} if name == "model" and isinstance(merged.get(name), str) else merged.get(name)
        merged[name] = _laid_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _explained(error: ValidationError, kind: type[BaseModel], file: Path | None) -> tuple[str, str, str]:
    """The first fault of a config: what, the value, the fix."""
    where, fault = first_fault(error)
    source = f" in {file}" if file else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown option{source}", where, _near(fault["loc"], kind)
    if fault["type"] == "missing":
        return f"an option is missing{source}", where, "give it"
    value = "not shown" if where.endswith("api_key_env") else repr(fault["input"])  # it may be a key, pasted there
    shown = value if len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]}..."
    return f"bad value for {where}{source}", shown, fault["msg"]


def _near(loc: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    model: Any = kind
    for part in loc[:-1]:
        field = model.model_fields.get(part)
        model = field.annotation if field is not None else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return "see stillroom --help"
    return did_you_mean(str(loc[-1]), model.model_fields, f"known: {', '.join(model.model_fields)}")
