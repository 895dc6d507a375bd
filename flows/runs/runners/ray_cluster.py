"""The Ray cluster of a run: found or started, whether its workers can reach what they need, and what each may use.

RAY_ADDRESS=10.0.0.1:6379 stillroom sft --runner ray --set ray.num_cpus=0.25
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.runs.runners.ray_workers import RayWorkers
from tasks.engine.process import Settings
from tasks.errors import ConfigError
from tasks.ledger.database import is_file
from tasks.models.config import ModelConfig, Roles
from tasks.models.open import is_remote
from tasks.storage import places

if TYPE_CHECKING:  # a run is checked before Prefect is needed
    from prefect.task_runners import TaskRunner

ROOT = Path(__file__).parents[3]
LOST_WORKERS = 3
"""How often Ray runs a shard again whose worker was lost. The ledger answers what the lost one had paid for."""
ANSWER_S = 5.0
OBJECT_STORE_BYTES = 128 * 2**20  # tasks pass references to tables, never rows


def address() -> str:
    """The cluster to use: RAY_ADDRESS, or `local`. Raises ConfigError where nobody answers there."""
    given = os.environ.get("RAY_ADDRESS") or "local"
    host, _, port = given.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), ANSWER_S).close()
        except OSError as error:  # Ray itself would try for more than a minute
            fix = "start it, or leave RAY_ADDRESS out for one on this machine"
            raise ConfigError(
                "no Ray cluster answers", f"RAY_ADDRESS={given}: {error.strerror or error}", fix
            ) from error
    return given


def ray_runner(ray: RayWorkers, api_url: str) -> TaskRunner[Any]:
    """Prefect's Ray runner, not started yet: for the cluster of RAY_ADDRESS, else one of its own on this machine."""
    where = address()
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        "runtime_env": {
            "env_vars": {"PREFECT_API_URL": api_url},
            "worker_process_setup_hook": _importing_ours(str(ROOT)),
        },
    }
    if where == "local":
        # Ray listens on all interfaces: nobody gets in who does not have the token of this run
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        options |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        if ray.workers is not None:
            options["num_cpus"] = max(1, round(ray.workers * ray.num_cpus))
    from prefect_ray import RayTaskRunner  # type: ignore[import-untyped]  # it ships no types

    runner: TaskRunner[Any] = RayTaskRunner(where, options)
    return runner


def _importing_ours(root: str) -> Callable[[], None]:
    """What a worker does first: it imports our packages, if they lie where they do here.

    Ray puts the folder of the run on its path, before everything else, and a `tasks/` there would be taken for ours.
    """

    def import_ours() -> None:  # a function in a function travels whole; one with a name is looked for on that path
        import sys
        from pathlib import Path

        if Path(root, "flows", "__init__.py").exists():
            sys.path.insert(0, root)
            import flows  # noqa: F401 - it imports `tasks`

            sys.path.remove(root)

    return import_ours


def resources(ray: RayWorkers) -> Callable[[], AbstractContextManager[Any]]:
    """What surrounds the submission of each shard, so that Ray finds it a place."""
    from prefect_ray.context import remote_options  # type: ignore[import-untyped]

    return partial(remote_options, num_cpus=ray.num_cpus, num_gpus=ray.num_gpus, max_retries=LOST_WORKERS)


def nodes() -> list[dict[str, Any]]:
    """The nodes of the cluster that are alive."""
    import ray

    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's has no annotation
    return [node for node in known if node["Alive"]]


def check_reach(hosts: set[str], api_url: str, settings: Settings) -> None:
    """Raise ConfigError where workers on other machines could not reach the server, the ledger or the tables."""
    others = hosts - {socket.gethostname()}
    if not others:
        return
    cluster = f"the Ray cluster has workers on {', '.join(sorted(others)[:3])}"
    if _is_loopback(api_url):
        fix = "set PREFECT_API_URL to one that they can"
        raise ConfigError(f"{cluster}, which cannot reach Prefect's server", api_url, fix)
    if is_file(settings.ledger):
        fix = "set STILLROOM_LEDGER=postgresql://..."
        raise ConfigError(f"{cluster}, which cannot share a ledger in a file", "SQLite", fix)
    if not places.is_url(settings.tables) and "STILLROOM_TABLES" not in os.environ:
        fix = "set STILLROOM_TABLES to an object store (s3://bucket/prefix) or a shared folder"
        raise ConfigError(f"{cluster}, which do not share the folder of the tables", settings.tables, fix)


def room_for(nodes: Sequence[Mapping[str, Any]], ray: RayWorkers) -> int:
    """How many shards the nodes take at once. Raises ConfigError for none."""
    wanted = {"CPU": ray.num_cpus, "GPU": ray.num_gpus}
    room = sum(
        min(int(node["Resources"].get(name, 0) / amount + 1e-6) for name, amount in wanted.items() if amount)
        for node in nodes
    )
    if room == 0:
        asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items() if amount)
        raise ConfigError("no node of the Ray cluster has room for a shard", asked, "set ray.num_cpus and ray.num_gpus")
    return room


def shared_out(models: Roles, workers: int) -> Roles:
    """The models as one of so many workers is to use them: with its share of each endpoint's window.

    A local model is each worker's own, whole. Raises ConfigError where a window has less than one for each.
    """
    return {role: tuple(_share(model, workers) for model in members) for role, members in models.items()}


def _share(model: ModelConfig, workers: int) -> ModelConfig:
    if not is_remote(model):
        return model
    shares = {}
    for name in ("max_in_flight", "requests_per_minute", "tokens_per_minute"):
        if (most := getattr(model, name)) is None:
            continue
        if most < workers:
            fix = f"raise it to {workers}, or set ray.workers or ray.num_cpus so that there are fewer"
            raise ConfigError(f"{name} of {model.name} is too small for {workers} workers", most, fix)
        shares[name] = most // workers
    return model.model_copy(update=shares)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
