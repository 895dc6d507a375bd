"""What a command was told, as nested settings: those of a config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from tasks.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="print one line of JSON, and nothing else")]
AsLastLine = Annotated[bool, typer.Option("--json", help="print one last line of JSON, and nothing else")]
DatasetPath = Annotated[Path, typer.Argument(help="the folder of a dataset")]
ConfigPath = Annotated[Path | None, typer.Option(help="a YAML file with any option of the flow")]
TellWhatWouldGo = Annotated[
    bool, typer.Option("--dry-run", help="tell which rows would go, with examples; write nothing")
]
ColumnPairs = Annotated[list[str] | None, typer.Option(help="our column = the file's, e.g. instruction=prompt")]


def known_runs(begun: str) -> list[str]:
    """The names of runs that begin so, for the shell to complete."""
    from tasks.storage.home import home

    return sorted(path.parent.name for path in home().glob(f"runs/{begun}*/manifest.json"))


def known_recipes(begun: str, *kinds: str) -> list[str]:
    """The recipes that come with this project whose names begin so: of one kind as that command takes them, else in full."""
    rooms = Path(__file__).parents[1] / "recipes"
    found = [(kind, file.stem) for kind in kinds or ("sft", "dpo") for file in sorted((rooms / kind).glob("[!_]*.py"))]
    names = [name if kinds else f"{kind}-{name}" for kind, name in found]
    return [name for name in names if name.startswith(begun)]


def _sft_recipes(begun: str) -> list[str]:
    return known_recipes(begun, "sft")


def _dpo_recipes(begun: str) -> list[str]:
    return known_recipes(begun, "dpo")


def _any_recipes(begun: str) -> list[str]:
    return known_recipes(begun)


def _formats(begun: str) -> list[str]:
    from tasks.publish.format_names import DPOFormat, SFTFormat

    return [name for name in dict.fromkeys([*get_args(SFTFormat), *get_args(DPOFormat)]) if name.startswith(begun)]


RecipeArgument = Annotated[
    str, typer.Argument(help="sft-evolved, critiqued, or my_recipe.py:name", autocompletion=_any_recipes)
]
SFTRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", help="evolved (the default), or another of `stillroom recipes`", autocompletion=_sft_recipes
    ),
]
DPORecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", help="critiqued (the default), or another of `stillroom recipes`", autocompletion=_dpo_recipes
    ),
]


def format_option(help_: str) -> Any:
    """`--format`, which a shell completes."""
    return typer.Option("--format", help=help_, autocompletion=_formats)


RunName = Annotated[str, typer.Argument(help="a run, as `stillroom runs` names it", autocompletion=known_runs)]


def nested_options(
    options: dict[str, Any], models: str | Sequence[str] | None, sets: list[str] | None
) -> dict[str, Any]:
    """The options that were given, nested: {"evol_instruct": {"generations": 2}}.

    `models`: those that `--model` names. `--set model.api_key_env=KEY` is about each of them, in whichever role.
    """
    import yaml

    models = [models] if models and isinstance(models, str) else models or []
    given = {name: value for name, value in options.items() if value is not None}
    named = [*given.get("roles", {}).values()]
    if models:
        given["model"] = {"name": models[0]}
    for path, text in name_value_pairs(sets or [], "--set").items():
        *outer, last = path.split(".")
        place = given
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = yaml.safe_load(text)
    settings: Any = given.get("model")
    for members in named if isinstance(settings, dict) else ():
        members[:] = [{**settings, **one} if one["name"] in models else one for one in members]
    return given


def name_value_pairs(texts: list[str], option: str) -> dict[str, str]:
    """Texts of the form NAME=VALUE, by name. Raises ConfigError for one without an equals sign."""
    wrong = next((text for text in texts if "=" not in text), None)
    if wrong is not None:
        raise ConfigError(f"{option} takes NAME=VALUE", wrong, "put an equals sign in it")
    return dict(text.split("=", 1) for text in texts)


def role_models(**names: Sequence[str] | None) -> dict[str, Any] | None:
    """The config's roles, each with the models that an option names for it; None where none is named."""
    return {role: [{"name": name} for name in told] for role, told in names.items() if told} or None


def one_or_several(names: list[str] | None) -> str | list[str] | None:
    """What an option that may be given several times says: the one name, or all of them."""
    return names[0] if names and len(names) == 1 else names or None


def with_options_of(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of a dataclass as options, after its own; it gets them as one argument, `shared`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**given: Any) -> None:
            shared = {field.name: given.pop(field.name) for field in fields(kind)}
            command(**given, shared=kind(**shared))

        types = get_type_hints(kind, include_extras=True)
        own = [one for one in signature(command, eval_str=True).parameters.values() if one.name != "shared"]
        more = [
            Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=types[one.name])
            for one in fields(kind)
        ]
        with_options.__signature__ = Signature([*own, *more])  # type: ignore[attr-defined]  # what Typer reads
        return with_options

    return decorate
