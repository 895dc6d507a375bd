"""`STILLROOM_HOME`: where ledger, tables, runs and Prefect's own files live. Never the user's home directory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tasks.engine.files import write_atomically


def home() -> Path:
    """The folder, absolute; `.stillroom` here unless STILLROOM_HOME says otherwise."""
    return Path(os.environ.get("STILLROOM_HOME", ".stillroom")).absolute()


def ledger_url() -> str:
    """The ledger's database: STILLROOM_LEDGER, else a SQLite file in the home."""
    return os.environ.get("STILLROOM_LEDGER", f"sqlite:///{home() / 'ledger.sqlite'}")


def prepare_environment() -> None:
    """Point Prefect at our home and keep it quiet, where the user has not decided otherwise."""
    prefect_home = home() / "prefect"
    for name, value in {
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect_home / "results"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
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
    """Raise ConfigError where the home cannot be written."""
    write_atomically(home() / ".writable", b"")
    (home() / ".writable").unlink()
