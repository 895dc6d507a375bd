"""`STILLROOM_HOME`: where ledger, tables, runs and Prefect's own files live. Never the user's home directory."""

from __future__ import annotations

import os
from contextlib import suppress
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path

from tasks.engine import places
from tasks.errors import ConfigError

SERVE_LOCK = "serve.lock"
"""Held by `stillroom serve` on a home; its text is the URL of the API, once that answers."""


def home() -> Path:
    """The folder, absolute; `.stillroom` here unless STILLROOM_HOME says otherwise."""
    return Path(os.environ.get("STILLROOM_HOME", ".stillroom")).absolute()


def ledger_url() -> str:
    """The ledger's database: STILLROOM_LEDGER, else a SQLite file in the home."""
    return os.environ.get("STILLROOM_LEDGER", f"sqlite:///{home() / 'ledger.sqlite'}")


def ledger_wait_s() -> float:
    """How long a locked ledger, or a server that has gone away, is waited for: STILLROOM_LEDGER_WAIT_S, else 30 s."""
    given = os.environ.get("STILLROOM_LEDGER_WAIT_S", "30")
    try:
        return float(given)
    except ValueError:
        raise ConfigError("STILLROOM_LEDGER_WAIT_S is a number of seconds", given, "30, unless told") from None


def tables_root() -> str:
    """Where the tables lie: STILLROOM_TABLES, a folder or any URL that fsspec opens, else a folder in the home.

    Raises ConfigError for a URL that cannot be used.
    """
    return places.root(os.environ.get("STILLROOM_TABLES") or str(home() / "tables"))


def served_url() -> str | None:
    """The API that `stillroom serve` runs on this home; None where none does (the lock of a dead one is free)."""
    try:
        with (home() / SERVE_LOCK).open() as lock:
            try:
                flock(lock, LOCK_SH | LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or None
    except OSError:
        pass
    return None


def prepare_environment() -> None:
    """Point Prefect at our home and keep it quiet, where the user has not decided otherwise.

    The server: the user's (PREFECT_API_URL), else that of `stillroom serve` on this home, else one of the command's own.
    """
    if url := served_url():
        os.environ.setdefault("PREFECT_API_URL", url)
    if auth := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", auth)
    prefect_home = home() / "prefect"
    for name, value in {
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect_home / "results"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",  # else a line a shard: the run tells of its steps
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    }.items():
        os.environ.setdefault(name, value)
    with suppress(OSError):  # Prefect makes only the last folder; `check_home` tells where even that cannot be
        prefect_home.mkdir(parents=True, exist_ok=True)


def keep_prefect_off_the_terminal() -> None:
    """Before Prefect is imported: its log goes to its server alone. Our progress line tells, and errors are raised."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def check_home() -> None:
    """Raise ConfigError where the home or the tables' place cannot be written."""
    places.check(str(home()))
    places.check(tables_root())
