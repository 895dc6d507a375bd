"""Under which names the studio answers: with its own port alone, so that no rebound name and no other page fits."""

from __future__ import annotations

from collections.abc import Iterable

from flows.service.serve import LOOPBACK, shown_host
from flows.service.server.app import ALLOWED_HOSTS
from tasks.errors import ConfigError

PASSWORD_VARIABLE = "STILLROOM_STUDIO_PASSWORD"
SHORTEST_PASSWORD = 8


def own_hosts(host: str, port: int, more: Iterable[str] = ()) -> frozenset[str]:
    """The values of `Host` that are ours, in small letters, for a studio that listens on `host`.

    `more`: names that a proxy gives it, with or without a port.
    """
    names = {f"{shown_host(one)}:{port}" for one in (*LOOPBACK, host)}
    given = {name for one in more for name in (one, f"{one}:{port}")}
    return frozenset(name.lower() for name in names | given)


def check_password(host: str, password: str | None) -> str | None:
    """The password, None where none is needed. Raises ConfigError for a host that others reach without a good one."""
    if host in LOOPBACK and not password:
        return None
    if not password or len(password) < SHORTEST_PASSWORD:
        fix = f"set {PASSWORD_VARIABLE} to one of at least {SHORTEST_PASSWORD} characters, and {ALLOWED_HOSTS} to the names"
        raise ConfigError("a host that others reach needs a password", host, fix)
    return password
