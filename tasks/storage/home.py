"""`STILLROOM_HOME`: where ledger, tables, runs and Prefect's own files live. Never the user's home directory.

It is the user's alone (0700): the ledger holds what was asked and answered, and whoever writes Prefect's results runs code.
"""

from __future__ import annotations

import os
from contextlib import suppress
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path
from urllib.parse import quote

from tasks.errors import ConfigError
from tasks.storage import places

PRIVATE_FOLDER, PRIVATE_FILE, OTHERS = 0o700, 0o600, 0o077
SERVE_LOCK = "serve.lock"
"""Held by `stillroom serve` on a home; its text is the URL of the API, once that answers."""


def home() -> Path:
    """The folder, absolute; `.stillroom` here unless STILLROOM_HOME says otherwise."""
    return Path(os.environ.get("STILLROOM_HOME", ".stillroom")).absolute()


def ledger_url() -> str:
    """The ledger's database: the URL in STILLROOM_LEDGER, else the path of a SQLite file in the home.

    A path, since no URL of SQLite's can name a file with a question mark.
    """
    return os.environ.get("STILLROOM_LEDGER", str(home() / "ledger.sqlite"))


def ledger_wait_s() -> float:
    """How long a locked ledger, or a server that has gone away, is waited for: STILLROOM_LEDGER_WAIT_S, else 30 s."""
    return _seconds("STILLROOM_LEDGER_WAIT_S")


def lease_s() -> float:
    """How long a request under way is nobody else's, unless its process says so again: STILLROOM_LEASE_S, else 20 s."""
    return _seconds("STILLROOM_LEASE_S", "20")


def prefect_wait_s() -> float:
    """How long a Prefect server that has gone away is waited for: STILLROOM_PREFECT_WAIT_S, else 30 s."""
    return _seconds("STILLROOM_PREFECT_WAIT_S")


def _seconds(name: str, usual: str = "30") -> float:
    given = os.environ.get(name, usual)
    try:
        return float(given)
    except ValueError:
        raise ConfigError(f"{name} is a number of seconds", given, f"{usual}, unless told") from None


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
    if "?" in str(prefect_home):  # Prefect pastes its home into a URL
        file = quote(str(prefect_home / "prefect.db"))
        os.environ.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///file:{file}?uri=true")
    for name, value in {
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect_home / "results"),
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",  # else a line a shard: the run tells of its steps
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "",  # of no page in a browser, where Prefect would let all of them in
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    }.items():
        os.environ.setdefault(name, value)
    with suppress(OSError):  # Prefect makes only the last folder; `check_home` tells where even that cannot be
        make_private(home())
        prefect_home.mkdir(parents=True, exist_ok=True)


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can look into, or one that is there so. Raises OSError.

    Left as it is where it is another user's, and where it is more than a home: a folder that we work in.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    status = folder.stat()
    is_ours = status.st_uid == os.geteuid() and not Path.cwd().is_relative_to(folder) and folder != Path.home()
    if is_ours and status.st_mode & OTHERS:
        folder.chmod(PRIVATE_FOLDER)


def keep_prefect_off_the_terminal() -> None:
    """Before Prefect is imported: its log goes to its server alone. Our progress line tells, and errors are raised."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def check_home() -> None:
    """Raise ConfigError where the home or the tables' place cannot be written."""
    with suppress(OSError):  # told by the next line
        make_private(home())
    places.check_writable(str(home()))
    places.check_writable(tables_root())
