"""A config of the studio: a YAML file beside the datasets, which `stillroom sft --config FILE` reads as it is.

Its first line is a comment with the command, which says what kind of dataset it makes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.config_file import load_config
from flows.recipes.recipe import Kind, recipe_names
from flows.studio.folders import Folders
from tasks.errors import ConfigError
from tasks.own_code import is_own
from tasks.storage.files import write_atomically
from tasks.storage.home import home
from tasks.storage.places import is_url

COMMAND = re.compile(r"^#\s*stillroom\s+(sft|dpo)\b")
RECIPE_KINDS: Mapping[Kind, type[RunConfig]] = {"sft": InstructionSFT, "dpo": PreferenceDPO}
NAMES_A_PLACE = ("seeds", "instructions", "out", "prompts", "tokenizer", "verifier", "provider", "recipe", "step")
NAMES_MODELS = ("model", "roles", "embedder")
MOST_VALUES = 200_000
ConfigSettings = dict[str, Any]


@dataclass(frozen=True)
class ConfigFile:
    """A config by name. `settings`: what the file says, nested; nothing of it is checked yet."""

    name: str
    file: Path
    kind: Kind
    settings: ConfigSettings

    @classmethod
    def read(cls, folders: Folders, name: str) -> ConfigFile:
        """The config of a name. Raises ConfigError where there is none, or its file cannot be read."""
        file = folders.config(name)
        text = file.read_text(encoding="utf-8", errors="replace")
        settings = settings_in(text)
        return cls(name, file, _kind_of(text, settings), settings)

    @property
    def text(self) -> str:
        """The file as it is written."""
        return as_text(self.kind, self.file, self.settings)

    @property
    def shown_path(self) -> str:
        """The file as one would type it here."""
        return short_path(self.file)

    @property
    def out(self) -> Path:
        """The folder of its dataset."""
        return Path(self.settings.get("out") or f"datasets/{self.settings.get('name') or self.name}").absolute()

    def but(self, settings: ConfigSettings) -> ConfigFile:
        """A copy with other settings; the file on disk stays as it is."""
        return ConfigFile(self.name, self.file, self.kind, settings)

    def checked(self, folders: Folders) -> RunConfig:
        """The config. Raises ConfigError for what it says wrongly, and for places outside of the studio's folders."""
        check_places(self.settings, folders)
        # read as the command reads it, from a file: so what is wrong is told in the same words
        with TemporaryDirectory(prefix="studio-", dir=_made(home())) as folder:
            file = Path(folder, self.file.name)
            file.write_text(self.text, encoding="utf-8")
            try:
                config: RunConfig = load_config(RECIPE_KINDS[self.kind], file, {})
            except ConfigError as error:
                raise ConfigError(error.what.replace(f" in {file}", ""), error.value, error.fix) from None
        return config

    def save(self, folders: Folders) -> RunConfig:
        """Check it and write it; the config. Raises ConfigError, and nothing is written."""
        config = self.checked(folders)
        write_atomically(self.file, self.text.encode())
        return config


def new_config(folders: Folders, wanted: str, kind: Kind, settings: ConfigSettings) -> ConfigFile:
    """A config with a name that is free and a folder of its own, written. Raises ConfigError where it does not hold."""
    name = folders.free_name(wanted)
    out = short_path(folders.place(name))
    made = ConfigFile(name, folders.place(f"{name}.yaml"), kind, {**settings, "out": out})
    made.save(folders)
    return made


def settings_in(text: str) -> ConfigSettings:
    """What a YAML text says. Raises ConfigError for what is no mapping."""
    try:
        found = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError("the config is not YAML", " ".join(str(error).split())[:200], "mend that line") from error
    if not isinstance(found, dict):
        raise ConfigError("the config is not a mapping", None, "write it as `option: value` lines")
    _check_bounded(found)
    return found


def _check_bounded(found: ConfigSettings) -> None:
    """Raise ConfigError for anchors that are in themselves, or that make more of a text than any config has."""
    waiting: list[Any] = [found]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    raise ConfigError("the config has no end, or too many values", MOST_VALUES, "put seeds into a file")


def as_text(kind: Kind, file: Path, settings: ConfigSettings) -> str:
    """The text of a config's file."""
    body = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=110) if settings else ""
    return f"# stillroom {kind} --config {short_path(file)}\n{body}"


def short_path(path: Path) -> str:
    """A path as one would type it in the folder that the studio was started in."""
    here = Path.cwd().resolve()
    real = Path(os.path.realpath(path))
    return str(real.relative_to(here)) if real.is_relative_to(here) else str(real)


def _kind_of(text: str, settings: Mapping[str, Any]) -> Kind:
    if found := COMMAND.match(text):
        return "sft" if found[1] == "sft" else "dpo"
    only_of_pairs = {*recipe_names("dpo")} - {*recipe_names("sft")}
    return "dpo" if "instructions" in settings or settings.get("recipe") in only_of_pairs else "sft"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_places(settings: Mapping[str, Any], folders: Folders) -> None:
    """Raise ConfigError for a path in a config that does not lie in the studio's folders, code of one's own included."""
    for where, text in _places(settings):
        path = text.removeprefix("scripted:")
        path = path.rpartition(":")[0] if is_own(path) else path
        if is_url(path) and not path.startswith("file:"):
            continue
        if path.startswith("file:") or not folders.holds(path):
            fix = f"start the studio with its folder too: stillroom studio {short_path(folders.new)} FOLDER"
            raise ConfigError(f"{where} is a place outside of the studio's folders", text, fix)


def _places(told: Any, where: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """The texts that name a place, each with where it stands."""
    if isinstance(told, Mapping):
        for name, value in told.items():
            inside = f"{where}.{name}" if where else str(name)
            yield from _places(value, inside, "model" if name == "name" and _is_model(where) else str(name))
    elif isinstance(told, list):
        for value in told:
            yield from _places(value, where, key)
    elif isinstance(told, str) and _is_place(told, "model" if key in NAMES_MODELS or _is_model(where) else key):
        yield where, told


def _is_model(where: str) -> bool:
    return where.partition(".")[0] in NAMES_MODELS


def _is_place(text: str, key: str) -> bool:
    if is_own(text) or text.startswith(("scripted:", "file:")):
        return True
    if key == "model":
        return "@http" not in text and (text.startswith(("/", ".", "~")) or ".." in text)
    if key in ("seeds", "instructions"):
        return not text.startswith("hf:")
    return key in ("out", "prompts") or (key in NAMES_A_PLACE and (text.startswith(("/", ".", "~")) or ".." in text))
