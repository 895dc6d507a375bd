"""What the studio may touch: the folders that it was started with, the datasets in them and the configs beside those.

A dataset, or a config, is known by its name alone and looked up in what is there: no path comes from a browser. The
first folder is where new ones go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import ConfigError, did_you_mean
from tasks.publish.revisions import HISTORY

CONFIG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CONFIG_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Folders:
    """`roots`: absolute, links followed; there is at least one."""

    roots: tuple[Path, ...]

    @classmethod
    def of(cls, given: Sequence[str | Path]) -> Folders:
        """The folders that were given; the first is made where it does not exist. Raises ConfigError for one that is no folder."""
        roots = [Path(one).expanduser() for one in given] or [Path("datasets")]
        try:
            roots[0].mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("cannot make the folder", f"{roots[0]}: {error.strerror}", "name another one") from error
        for root in roots:
            if not root.is_dir():
                raise ConfigError("this is no folder", root, "name folders with datasets in them")
        return cls(tuple(root.resolve() for root in roots))

    @property
    def new(self) -> Path:
        """Where new configs and datasets go."""
        return self.roots[0]

    def datasets(self) -> dict[str, Path]:
        """The folders of published datasets by name: a root itself, or one right below it. The first of a name counts."""
        return _by_name(place for root in self.roots for place in (root, *_below(root)) if (place / HISTORY).is_file())

    def configs(self) -> dict[str, Path]:
        """The configs by name: YAML files right in a root."""
        found = (file for root in self.roots for file in _below(root) if file.suffix in CONFIG_SUFFIXES)
        return _by_name((file for file in found if file.is_file()), stem=True)

    def dataset(self, name: str) -> Path:
        """The folder of a dataset. Raises ConfigError where there is none of the name."""
        return _found(name, self.datasets(), "no such dataset")

    def config(self, name: str) -> Path:
        """The file of a config. Raises ConfigError where there is none of the name."""
        return _found(name, self.configs(), "no such config")

    def free_name(self, wanted: str) -> str:
        """A name that no dataset and no config has, like the wanted one."""
        name = "-".join(re.findall(r"[a-z0-9]+", wanted.lower()))[:60] or "dataset"
        taken, number = {*self.datasets(), *self.configs(), *(one.name for one in _below(self.new))}, 1
        while (free := name if number == 1 else f"{name}-{number}") in taken:
            number += 1
        return free

    def place(self, name: str) -> Path:
        """Where a new file or folder of this name lies. Raises ConfigError for what is no plain name."""
        if not CONFIG_NAME.fullmatch(name):
            raise ConfigError("this is no name", name[:100], "letters, digits, . _ and -, a letter or digit first")
        return self.new / name

    def holds(self, path: str | Path) -> bool:
        """Whether a path, its links followed, lies in one of the folders."""
        real = Path(os.path.realpath(Path(path).expanduser()))
        return any(real.is_relative_to(root) for root in self.roots)


def _below(root: Path) -> list[Path]:
    """What lies right in a folder and, its links followed, in no other place."""
    found = sorted(one for one in root.iterdir() if not one.name.startswith("."))
    return [one for one in found if one.resolve().is_relative_to(root)]


def _by_name(places: Iterator[Path], *, stem: bool = False) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in places:
        found.setdefault(place.stem if stem else place.name, place)
    return found


def _found(name: str, there: dict[str, Path], what: str) -> Path:
    if name not in there:
        raise ConfigError(what, name[:100], did_you_mean(name, there, "the first page lists what there is"))
    return there[name]
