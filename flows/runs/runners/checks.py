"""What can be seen of a runner before anything is started: whether it is there, and whether it can do what is asked."""

from __future__ import annotations

from importlib.util import find_spec

from tasks.errors import ConfigError


def check_runner(runner: str) -> None:
    """Raise ConfigError where the run cannot go to the runner that it asks for, as far as can be seen from here."""
    if runner == "threads":
        return
    if find_spec("prefect_ray") is None:
        raise ConfigError("runner ray is not installed", None, 'pip install "stillroom[ray]"')
    from flows.runs.runners.ray_cluster import address

    address()
