"""The provider that a model's config names: ours by name, the user's own as `FILE.py:NAME`."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.errors import ConfigError
from tasks.models.config import OVERRIDES, ModelConfig
from tasks.models.endpoint.provider import FEATURES, Provider
from tasks.models.endpoint.providers.anthropic import Anthropic
from tasks.models.endpoint.providers.openai import OpenAI
from tasks.own_code import digest_of_file, is_own, load

OURS: dict[str, type[Provider]] = {"openai": OpenAI, "anthropic": Anthropic}
MEMBERS = ("offers", "url", "headers", "body", "answer", "fault")


@dataclass(frozen=True, slots=True)
class Named:
    """A provider, what errors call it, and what it adds to a model's identity; None adds nothing (law 3)."""

    provider: Provider
    name: str
    identity: str | tuple[str, str] | None


def provider_of(config: ModelConfig) -> Named:
    """The provider of an endpoint. Raises ConfigError where there is none such, or it lacks what the config sets."""
    named = _own(config.spoken) if is_own(config.spoken) else _ours(config.spoken)
    for setting in OVERRIDES:
        if setting in FEATURES - named.provider.offers and getattr(config, setting) is not None:
            what = f"provider {named.name} offers no {setting}"
            raise ConfigError(what, f"{setting}={getattr(config, setting)}", "leave it out")
    return named


def _ours(name: str) -> Named:
    return Named(OURS[name](), name, None if name == "openai" else name)


def _own(spec: str) -> Named:
    found = load(spec, "a provider")
    provider = found() if isinstance(found, type) else found
    if lacking := [member for member in MEMBERS if not hasattr(provider, member)]:
        fix = "define what tasks.models.endpoint.provider.Provider has"
        raise ConfigError(f"the provider has no {', '.join(lacking)}", spec, fix)
    if unknown := sorted(set(provider.offers) - FEATURES):
        raise ConfigError(
            "the provider offers what nobody knows", ", ".join(unknown), f"of {', '.join(sorted(FEATURES))}"
        )
    name = spec.rpartition(":")[2]
    return Named(provider, name, (name, digest_of_file(spec)))
