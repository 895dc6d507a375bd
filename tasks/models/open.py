"""From a name to a model."""

from __future__ import annotations

from pathlib import Path

from tasks.models.base import Model
from tasks.models.config import ModelConfig

DEMO = Path(__file__).parent / "demo" / "weights"


def is_remote(config: ModelConfig) -> bool:
    """Whether a model answers elsewhere, for all processes that ask it, rather than in each one of them."""
    return config.name.startswith("scripted:") or config.is_endpoint


def open_model(config: ModelConfig) -> Model:
    """The model that a config names. Raises ConfigError where there is no such model; loads no weights yet."""
    if config.name.startswith("scripted:"):
        from tasks.models.scripted import load_rule

        return load_rule(config.name, config.max_in_flight)
    if config.is_endpoint:
        from tasks.models.endpoint import open_endpoint

        return open_endpoint(config)
    from tasks.models.local import load_local

    if config.name == "demo":
        return load_local(config.model_copy(update={"name": str(DEMO)}), name="demo")
    return load_local(config)
