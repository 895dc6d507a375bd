"""Which words a run asks with: a set, a language, and the user's own folder laid over it, file by file.

    Prompts("demo", "en").template("evol_instruct/deepen")
    prompts/<set>/<language>/<technique>/<name>.j2      # ours
    DIR/<language>/<technique>/<name>.j2                # the user's own, for one language
    DIR/<technique>/<name>.j2                           # the user's own, for all

A template is the user's message, or with blocks a conversation (`tasks/text/templates.py`). What stands in its block
`rubric` an answer may repeat: a judge or a critic speaks in these words. Files whose names begin with "_" are parts that
others include. `prompt.yaml` beside them says what they are (`tasks/text/catalogue/facts.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    nodes,
)
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from pydantic import TypeAdapter, ValidationError

from tasks.errors import ConfigError
from tasks.storage.digest import digest

PROMPTS = Path(__file__).parents[2] / "prompts"
DEMO = "demo"
"""The set that the built-in model was trained on."""
FULL = "full"
"""The set for all other models."""
RUBRIC = "rubric"
PART = "_"
LISTS = "lists.yaml"


@dataclass(frozen=True)
class Prompts:
    """A set of prompts in one language. `own`: a folder of the user's; `state`: the digest of what is in it.

    `languages`: of a run in several languages all of them, sorted; `language` is then the first. Each row asks with the
    prompts of its own (`at`).
    """

    set: str = DEMO
    language: str = "en"
    own: str | None = None
    state: str = ""
    languages: tuple[str, ...] = ()

    @classmethod
    def of(cls, prompt_set: str, languages: str | Sequence[str], own: str | None) -> Self:
        """The prompts for a language, or for several."""
        several = (languages,) if isinstance(languages, str) else tuple(sorted(set(languages)))
        return cls(prompt_set, several[0], own, languages=several if len(several) > 1 else ())

    @property
    def each(self) -> list[Self]:
        """The prompts of each language."""
        return [replace(self, language=one, languages=()) for one in self.languages] or [self]

    def at(self, language: str) -> Prompts:
        """The prompts of one of the languages."""
        return _at(self, language) if self.languages else self

    def resolved(self) -> Self:
        """The same with the whole path of the user's folder, as it is now.

        Raises ConfigError where there is no such set, language or folder.
        """
        for one in self.each:
            _check(one)
        if self.own is None:
            return self
        folder = Path(self.own).absolute()
        return replace(self, own=str(folder), state=_digest(folder, _words_in(folder, "**/")))

    @property
    def folders(self) -> list[Path]:
        """Where a prompt is looked for, in this order."""
        own = [Path(self.own) / self.language, Path(self.own)] if self.own else []
        return [*own, PROMPTS / self.set / self.language]

    def template(self, name: str) -> Template:
        """The template `<technique>/<name>`. Raises ConfigError where there is none, or it does not parse."""
        return _template(self, name)

    def fixed_texts(self, name: str) -> tuple[str, ...]:
        """The text of a template that is always the same, in pieces: what stands between its variables and blocks.

        That of templates which it includes or extends by name is part of it; what its block `rubric` says is not.
        """
        return _fixed_texts(self, name)

    def names(self) -> list[str]:
        """All prompts that there are, `<technique>/<name>`, sorted; parts of prompts left out."""
        found = (path for folder in self._technique_folders() for path in folder.glob("*.j2"))
        return sorted({f"{path.parent.name}/{path.stem}" for path in found if not path.name.startswith(PART)})

    def techniques(self) -> list[str]:
        """The techniques that have prompts, sorted."""
        return sorted({name.partition("/")[0] for name in self.names()})

    def file(self, name: str) -> Path:
        """The file that a prompt comes from. Raises ConfigError where there is none."""
        _template(self, name)
        return next(path for folder in self.folders if (path := folder / f"{name}.j2").is_file())

    def parts_of(self, name: str) -> list[str]:
        """The templates that a prompt includes or extends, however far down."""
        return _parts_of(self, name)

    def variables_of(self, name: str) -> frozenset[str]:
        """The variables that a prompt and its parts need."""
        parts = (name, *self.parts_of(name))
        return frozenset(one for part in parts for one in find_undeclared_variables(_parsed(self, part)))

    def _technique_folders(self) -> list[Path]:
        """The folders of techniques; in the user's own folder those of a language are not its own."""
        ours = [path for path in self.folders[-1].iterdir() if path.is_dir()]
        own = [path for folder in self.folders[:-1] if folder.is_dir() for path in folder.iterdir() if path.is_dir()]
        return [*own, *ours]

    def lists(self, technique: str) -> Mapping[str, Sequence[str]]:
        """The words that a technique draws from, by name (`lists.yaml`); none where the set has none for it."""
        return _lists(self, technique)

    def digest_of(self, technique: str) -> str:
        """The digest of all words of one technique: part of its task key, so that a changed prompt is never stale."""
        if self.languages:
            return digest(*(one.digest_of(technique) for one in self.each))
        names = {path.name for folder in self.folders for path in _words_in(folder / technique)}
        files = [next(p for folder in self.folders if (p := folder / technique / name).is_file()) for name in names]
        return _digest(None, files)


@cache
def _at(prompts: Prompts, language: str) -> Prompts:
    return replace(prompts, language=language, languages=())


def sets() -> list[str]:
    """The sets that there are."""
    return _folders_in(PROMPTS)


def languages_of(prompt_set: str) -> list[str]:
    """The languages of one of our sets."""
    return _folders_in(PROMPTS / prompt_set)


def _check(prompts: Prompts) -> None:
    if prompts.set not in sets():
        raise ConfigError("no such set of prompts", prompts.set, f"known: {', '.join(sets())}")
    if prompts.own is not None and not Path(prompts.own).is_dir():
        raise ConfigError("no folder of prompts", prompts.own, "give a folder with <technique>/<name>.j2 in it")
    languages = languages_of(prompts.set)
    own = prompts.own is not None and (Path(prompts.own) / prompts.language).is_dir()
    if prompts.language not in languages and not own:
        raise ConfigError("no prompts in this language", prompts.language, f"known: {', '.join(languages)}")


def _words_in(folder: Path, below: str = "") -> Iterator[Path]:
    for name in ("*.j2", LISTS):
        yield from folder.glob(f"{below}{name}")


@cache
def _lists(prompts: Prompts, technique: str) -> Mapping[str, Sequence[str]]:
    path = next((path for folder in prompts.folders if (path := folder / technique / LISTS).is_file()), None)
    if path is None:
        return {}
    try:
        return TypeAdapter(dict[str, tuple[str, ...]]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError("not lists of words", path, "write `name:` with a list of texts below it") from error


def _folders_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")


def _digest(root: Path | None, files: Iterator[Path] | list[Path]) -> str:
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(files, key=lambda path: path.name if root is None else str(path)):
        name = path.name if root is None else path.relative_to(root).as_posix()
        state.update(name.encode() + b"\0" + path.read_bytes())
    return state.hexdigest()


@cache
def _environment(prompts: Prompts) -> Environment:
    _check(prompts)
    loader = FileSystemLoader(prompts.folders)
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)


@cache
def _template(prompts: Prompts, name: str) -> Template:
    try:
        return _environment(prompts).get_template(f"{name}.j2")
    except TemplateNotFound as error:
        looked = ", ".join(map(str, prompts.folders))
        raise ConfigError("no such prompt", error.name or name, f"looked in {looked}") from error
    except TemplateSyntaxError as error:
        raise ConfigError("a prompt does not parse", f"{error.filename}:{error.lineno}", str(error.message)) from error


@cache
def _fixed_texts(prompts: Prompts, name: str) -> tuple[str, ...]:
    parsed = _parsed(prompts, name)
    quotable = {
        id(text)
        for block in parsed.find_all(nodes.Block)
        if block.name == RUBRIC
        for text in block.find_all(nodes.TemplateData)
    }
    own = tuple(node.data for node in parsed.find_all(nodes.TemplateData) if id(node) not in quotable)
    return own + tuple(text for other in _referenced(parsed) for text in _fixed_texts(prompts, other))


def _parts_of(prompts: Prompts, name: str) -> list[str]:
    direct = _referenced(_parsed(prompts, name))
    return [part for other in direct for part in (other, *_parts_of(prompts, other))]


def _referenced(parsed: nodes.Template) -> list[str]:
    return [other.removesuffix(".j2") for other in find_referenced_templates(parsed) if other]


def _parsed(prompts: Prompts, name: str) -> nodes.Template:
    _template(prompts, name)  # which says what is wrong, where something is
    loaded = _environment(prompts)
    assert loaded.loader is not None
    return loaded.parse(loaded.loader.get_source(loaded, f"{name}.j2")[0])
