"""What can be seen of a run before anything is started: whether its models open, and whether its runner is there."""

from __future__ import annotations

from importlib.util import find_spec

from flows.config import RunConfig
from flows.ray_cluster import address
from tasks.engine.process import process
from tasks.errors import ConfigError


def open_models(config: RunConfig) -> None:
    """Open every model that the config names; weights load later, when they are asked. Raises ConfigError."""
    config.budget()
    check_runner(config)
    for configs in config.models().values():
        for model in configs:
            process.model(model)


def check_runner(config: RunConfig) -> None:
    """Raise ConfigError where the run cannot go to the runner that it asks for, as far as can be seen from here."""
    if config.runner == "threads":
        return
    if find_spec("prefect_ray") is None:
        raise ConfigError("runner ray is not installed", None, 'pip install "stillroom[ray]"')
    address()
    if budget := str(config.budget()):
        raise ConfigError("a budget has to be counted in one process", budget, "leave it out, or take --runner threads")
