"""Templates of HTML pages: all text is escaped, and a value that is not there is an error."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from tasks.storage.home import PRIVATE_FOLDER, home

COMPILED = "templates"
"""In the home: templates as Python, which takes longer to make of them than to run. Jinja makes anew what has changed."""


def html_templates(folder: Path) -> Environment:
    """The templates in a folder. `whole` writes a count with its thousands apart."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )
    environment.filters["whole"] = lambda number: f"{number:,}"
    return environment


class _Compiled(FileSystemBytecodeCache):
    """What cannot be kept is compiled again."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> _Compiled | None:
    """Where the home is there, and one's own to write to."""
    if not os.access(home(), os.W_OK):
        return None
    folder = home() / COMPILED
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return _Compiled(str(folder))
