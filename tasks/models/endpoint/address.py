"""Where an endpoint is, and its key: read from what the user wrote, and never shown where it is a secret."""

from __future__ import annotations

import os
import re

from yarl import URL

from tasks.errors import ConfigError

API_PATHS = ("/chat/completions", "/completions", "/messages")  # of an address that was copied from somewhere whole


def address_of(name: str) -> tuple[str, URL]:
    """Model and base URL of `model@http://host:port/v1`. Never shows a password that somebody has put in."""
    found = re.fullmatch(r"(.+)@(https?://\S+)", name)
    fix = "write model@http://host:port/v1"
    if found is None:
        raise ConfigError("not the name of an endpoint", name, fix)
    try:
        url = URL(found[2])
    except ValueError as error:
        raise ConfigError("the endpoint's URL cannot be read", found[1], fix) from error
    if url.user or url.password or url.query_string or url.fragment:
        where = f"{found[1]}@{url.origin()}"
        fix = "keys come from the environment variable that api_key_env names"
        raise ConfigError("an endpoint's URL holds no password, key or query", where, fix)
    if not url.host:
        raise ConfigError("the endpoint's URL has no host", name, fix)
    path = url.path.rstrip("/")
    for end in API_PATHS:
        path = path.removesuffix(end)
    return found[1], url.with_path(path)


def key_in(variable: str | None) -> str | None:
    """The key that an environment variable holds. Raises ConfigError where there is none, or it cannot be one."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        what = "the environment variable for the endpoint's key is not set"
        shown = variable if variable.isupper() else None  # who has written the key itself there sees no more of it
        raise ConfigError(what, shown, f"export {shown or 'NAME'}=..., and name it in api_key_env")
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("the endpoint's key has characters that no key has", variable, "copy it again")
    return key
