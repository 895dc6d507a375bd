"""One ask before it is a request: what all its attempts share, the request of each attempt, and its key.

The key holds all that shapes the answer (law 3). What a model turned out not to take is not part of the request, and
the key says so where it would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from tasks.models.base import Message, Request, Sampling
from tasks.models.endpoint.learnt import schema_without
from tasks.models.endpoint.providers.openai import parameters_of
from tasks.storage.digest import digest, number

RESAMPLED_TEMPERATURE = 0.3  # a greedy answer that was unusable would only come back the same


@dataclass(frozen=True, slots=True)
class Ask:
    """What all attempts have in common. `words`: the digest of the messages, or of the raw prompt.

    `seed` is that of the ask, which each attempt draws its own from. `schema`: the JSON schema that the answer is held
    to by the model, None where it is only checked. `tools`: what the messages may call, as JSON. `prefill`: how the answer begins.
    """

    words: str
    sampling: Sampling
    seed: int
    order: int
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    schema: str | None = None
    tools: str | None = None
    prefill: str | None = None

    def without(self, left_out: frozenset[str]) -> Ask:
        """The same, for a model that does not take some of it."""
        if self.schema is None or (left := schema_without(self.schema, left_out)) == self.schema:
            return self
        return replace(self, schema=left)

    @property
    def digest(self) -> str:
        """What is asked, without how it is sampled."""
        words = self.words if self.prefill is None else digest(self.words, "prefill", self.prefill)
        return words if self.schema is None else digest(words, self.schema)

    def request(self, attempt: int, admit: Callable[[], None], left_out: frozenset[str] = frozenset()) -> Request:
        """The request of one attempt. At temperature 0 the later ones are sampled."""
        sampling = _resampled(self.sampling) if attempt else self.sampling
        seed = number(self.seed, attempt)
        return Request(
            sampling,
            seed,
            self.messages,
            self.prompt,
            self.order,
            self.schema,
            tools=self.tools,
            left_out=left_out,
            prefill=self.prefill,
            admit=admit,
        )

    def key(self, identity: str, attempt: int, sampled: str) -> str:
        """The key of one attempt; `sampled` says how it is sampled."""
        return digest(identity, self.digest, sampled, self.seed, attempt)


def words_digest(messages: tuple[Message, ...] | None, prompt: str | None, tools: str | None = None) -> str:
    """The digest of what is said to a model, and of the tools that it is offered."""
    words = digest(orjson.dumps(messages) if prompt is None else prompt, int(prompt is None))
    return words if tools is None else digest(words, "tools", tools)


def sampled_key(sampling: Sampling, left_out: Set[str]) -> str:
    """How an answer is sampled, as canonical JSON; with the names of what would have been sent and was left out."""
    missing = parameters_of(sampling) & left_out if left_out else None
    return _with_missing(sampling, tuple(sorted(missing))) if missing else sampling.key


@lru_cache(maxsize=256)
def _with_missing(sampling: Sampling, missing: tuple[str, ...]) -> str:
    return sampling.key_with(left_out=missing)


@lru_cache(maxsize=1024)
def _resampled(sampling: Sampling) -> Sampling:
    return sampling if sampling.temperature > 0 else sampling.but(temperature=RESAMPLED_TEMPERATURE)
