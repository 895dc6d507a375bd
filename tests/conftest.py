"""One home and one Prefect server for the whole session, both in a temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.object_store import s3
from tests.postgres import ledger_url, postgres

__all__ = ["ledger_url", "postgres", "s3"]  # fixtures for every test

_home = tempfile.mkdtemp(prefix="stillroom-tests-")
os.environ["STILLROOM_HOME"] = _home  # before anything imports Prefect, which reads its settings then
os.environ["HF_HUB_OFFLINE"] = "1"
settings.register_profile("here", deadline=None)  # how long an example takes says how busy the machine is
settings.register_profile("first-found", deadline=None, phases=(Phase.explicit, Phase.generate))
settings.load_profile("here")
LEAVE_S = 10.0
"""For what the server has not been told yet, once the last test has ended."""


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The API of a Prefect server for this session: the one that a command starts for itself."""
    import flows  # noqa: F401 - settles Prefect's folders
    from flows.service.server.own_server import OwnServer

    with OwnServer() as server:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from flows.service.away.patience import leave
        from flows.service.heartbeat import without_prefects

        server.begin(timeout_s=120)
        with temporary_settings({PREFECT_API_URL: server.api_url}), without_prefects():
            yield server.api_url
            leave(LEAVE_S)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for one test, and the folder to work in."""
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def connected(prefect_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder to work in, for commands in this process (`in_process.run_command`) with this session's server."""
    from tasks.engine.process import process

    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    monkeypatch.setenv("REQUEST_LOG", str(home.parent / "requests.log"))
    yield home.parent
    process.close()


@pytest.fixture
def scripted(prefect_server: str, home: Path) -> Iterator[Callable[..., object]]:
    """Make a scripted model that flows find under the name "test"; the last one made counts."""
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig
    from tasks.models.scripted import ScriptedModel

    def make(rule: object, name: str = "test") -> ScriptedModel:
        model = ScriptedModel(rule, name=name)  # type: ignore[arg-type]
        process.adopt(ModelConfig(name=name), model)
        return model

    yield make
    process.close()
