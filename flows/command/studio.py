"""`stillroom studio`: the web app on this machine, for those who would rather click than type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.errors import ConfigError


def studio(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="folders with datasets; new ones go to the first; default: datasets")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on; 0: a free one")] = 7860,
    host: Annotated[
        str, typer.Option(help="address to listen on; one that others reach needs a password")
    ] = "127.0.0.1",
) -> None:
    """Describe, preview, run, look through and publish datasets in a browser, until Ctrl-C."""

    try:
        from flows.studio.serving import serve_studio
    except ModuleNotFoundError as error:
        raise ConfigError("the studio needs a package", error.name, "pip install 'stillroom[studio]'") from error
    serve_studio(folders or [], host, port)
