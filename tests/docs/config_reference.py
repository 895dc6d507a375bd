"""Write the reference of all options into docs/config.md, from the pydantic models that the command, YAML and form share.

make docs
"""

from __future__ import annotations

import datetime
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.curate_dataset import CurateDataset

PAGE = Path(__file__).parents[2] / "docs" / "config.md"
BEGIN, END = "<!-- made by make docs -->", "<!-- end -->"
BOUNDS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def reference() -> str:
    """The tables: what both flows can be told, what each adds, and every model that a field is of, once."""
    both = set(RunConfig.model_fields)
    parts = [
        section("stillroom sft", InstructionSFT, set(InstructionSFT.model_fields) - both),
        section("stillroom dpo", PreferenceDPO, set(PreferenceDPO.model_fields) - both),
        section("stillroom curate", CurateDataset, set(CurateDataset.model_fields) - both),
        section("All of them", RunConfig, both),
        *(
            section(f"`{model.__name__}`", model, set(model.model_fields))
            for model in below(InstructionSFT, PreferenceDPO, CurateDataset)
        ),
    ]
    return "\n\n".join(parts)


def section(title: str, model: type[BaseModel], names: set[str]) -> str:
    """A heading, the model's docstring, and a table with a line for each of these fields."""
    rows = [line(name, field) for name, field in model.model_fields.items() if name in names]
    table = "\n".join(["| option | type | default | is |", "|---|---|---|---|", *rows])
    return f"### {title}\n\n{' '.join((model.__doc__ or '').split())}\n\n{table}"


def line(name: str, field: FieldInfo) -> str:
    """What a field is, in one line of a table."""
    nested = [model for model in models_in(field.annotation) if model is not type(field.default)]
    own = models_in(type(field.default)) if isinstance(field.default, BaseModel) else []
    said = field.description or " ".join(((own or nested)[0].__doc__ or "").split(". ")[0].split()).rstrip(".")
    bounds = ", ".join(f"{sign} {value:,}" for sign, value in limits(field))
    cells = (
        f"`{name}`",
        written(field.annotation) + (f" {bounds}" if bounds else ""),
        default(field),
        said.replace("<", "&lt;"),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def limits(field: FieldInfo) -> Iterator[tuple[str, float]]:
    """The bounds of a number."""
    for bound in field.metadata:
        for kind, (sign, attribute) in BOUNDS.items():
            if isinstance(bound, kind):
                yield sign, getattr(bound, attribute)


def default(field: FieldInfo) -> str:
    """A field's default, as YAML has it."""
    value = field.default
    if isinstance(value, BaseModel):
        set_ = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return f"`{{{', '.join(f'{name}: {plain(v)}' for name, v in set_.items())}}}`" if set_ else "its own"
    return "" if value is None or value in ("", {}, ()) else f"`{plain(value)}`"


def plain(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(plain(item) for item in value)}]"
    return json.dumps(value) if isinstance(value, str) and not value.isprintable() else str(value)


def written(kind: Any) -> str:
    """A type, as a reader of YAML says it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return written(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(written(one) for one in arguments if one is not type(None)))
    if origin in (list, tuple):
        return f"list of {written(arguments[0])}"
    if origin is dict:
        return f"mapping to {written(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return {str: "text", int: "whole number", float: "number", datetime.date: "date", bool: "`true` or `false`"}.get(
        kind, "anything"
    )


def below(*models: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that the fields of these are of, and of those in turn, each once, in the order of their fields."""
    found: dict[type[BaseModel], None] = {}
    for model in models:
        for field in model.model_fields.values():
            for inner in models_in(field.annotation):
                found |= dict.fromkeys([inner, *below(inner)])
    return list(found)


def models_in(kind: Any) -> list[type[BaseModel]]:
    """The pydantic models that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for part in get_args(kind) for model in models_in(part)]


def page() -> str:
    """docs/config.md with the reference as it is now."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{head}{BEGIN}\n\n{reference()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
