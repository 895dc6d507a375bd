"""`ModelConfig`: how a user names a model. The command, the YAML and the Prefect form all speak it."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from tasks.models.base import Sampling, Thinking
from tasks.models.batching import BatchMode
from tasks.own_code import absolute, is_own

OVERRIDES = (
    "temperature",
    "top_p",
    "max_new_tokens",
    "presence_penalty",
    "top_k",
    "min_p",
    "repetition_penalty",
    "thinking",
    "max_reasoning_tokens",
)
EMBEDDER = "embedder"
"""The role that writes nothing."""
RECOMMENDED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
NOT_SHAPING = frozenset(
    {  # how fast, how dear and how patiently, but never what is answered
        "max_in_flight",
        "requests_per_minute",
        "tokens_per_minute",
        "price_prompt",
        "price_completion",
        "timeout_s",
        "embeddings_in_one",
        "max_tries",
        "patience_s",
        "api_key_env",
        "device",
        "batch",
        "price_cached",
        "price_cache_write",
    }
)


OUR_PROVIDERS = ("openai", "anthropic")
AT_ANTHROPIC = re.compile(r"@https://api\.anthropic\.com(?:[:/]|$)")  # the host itself: it is sent a key


class ModelConfig(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):  # it may be a pasted key
    """One model and how to ask it. Sampling fields left empty mean: what the technique's paper uses."""

    name: str = Field(
        "demo", min_length=1, description="demo, demo-2, a transformers name or folder, or model@http://host:port/v1"
    )
    provider: str | None = Field(
        None,
        description="the API of a model behind a URL: openai, anthropic or your own, FILE.py:NAME; empty: anthropic at api.anthropic.com, else openai",
    )
    temperature: float | None = Field(None, ge=0, le=5, description="overrides every technique's own; 0 is greedy")
    top_p: float | None = Field(None, gt=0, le=1, description="overrides every technique's own")
    max_new_tokens: int | None = Field(None, ge=1, description="tokens; overrides every technique's own")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="overrides every technique's own")
    top_k: int | None = Field(None, ge=0, description="likeliest tokens to choose from; 0 is all")
    min_p: float | None = Field(None, ge=0, le=1, description="least share of the likeliest token's probability")
    repetition_penalty: float | None = Field(None, gt=0, le=10, description="1 is off")
    sampling: Literal["technique", "model"] = Field(
        "technique",
        description="model: the checkpoint's recommended sampling (generation_config.json) in place of every technique's own",
    )
    thinking: Thinking | None = Field(
        None, description="on or off: whether the model reasons before it answers; model: as it does unasked"
    )
    max_reasoning_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens of reasoning with thinking: on (4096); max_new_tokens is the answer's alone then",
    )
    extra_body: str | None = Field(
        None, description="a JSON object (in YAML a mapping) that is laid over every request to an endpoint"
    )
    max_in_flight: int = Field(64, ge=1, le=4096, description="requests under way at once (local: rows in one batch)")
    revision: str | None = Field(
        None, description="a Hub revision; for a server, a word that changes when the model does"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where a local model runs")
    dtype: Literal["auto", "float32", "bfloat16"] = Field("auto", description="auto: bfloat16 where it is native")
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="the NAME of the environment variable that holds an endpoint's key",
    )
    identity: str | None = Field(
        None, min_length=1, description="stands for the endpoint's URL in the ledger, so that answers survive a move"
    )
    requests_per_minute: int | None = Field(None, ge=1, description="of an endpoint, never exceeded")
    tokens_per_minute: int | None = Field(
        None, ge=1, description="of an endpoint, prompts and completions together, never exceeded"
    )
    price_prompt: float | None = Field(None, ge=0, description="of a million prompt tokens, in your currency")
    price_completion: float | None = Field(None, ge=0, description="of a million completion tokens, in your currency")
    price_cached: float | None = Field(
        None, ge=0, description="of a million prompt tokens that the server had in its cache; empty: price_prompt"
    )
    price_cache_write: float | None = Field(
        None, ge=0, description="of a million prompt tokens that the server wrote into its cache; empty: price_prompt"
    )
    batch: BatchMode | None = Field(
        None,
        description="send requests in batches, which are answered within a day at a lower price (openai, anthropic): true or a mapping",
    )
    pooling: Literal["mean", "weighted", "cls", "last"] | None = Field(
        None,
        description="how an embedder that runs here makes one vector of those of its tokens; weighted: a mean that weighs "
        "later ones more (RDS+); empty: as the model's own files say, else mean",
    )
    embeddings_in_one: int = Field(64, ge=1, le=2048, description="texts that an endpoint embeds in one call, at most")
    structured: Literal["schema", "parse"] = Field(
        "schema",
        description="schema: answers that have to be JSON are held to their schema by the server; parse: they are only checked",
    )
    verdicts: Literal["text", "schema", "prefill"] = Field(
        "text",
        description="how judges are asked: text, in the format of the prompt; schema: the server holds them to JSON; "
        "prefill: the answer's beginning is given (vLLM, SGLang, llama.cpp, local models)",
    )
    scored_by: Literal["score", "classify"] = Field(
        "score",
        description="where a server with a reward model is asked: score, with conversation and answer as two texts; "
        "classify (vLLM), with the conversation, which then goes through the model's chat template",
    )
    timeout_s: float = Field(600.0, gt=0, description="seconds in which an endpoint has to answer one request")
    max_tries: int = Field(
        10, ge=1, description="exchanges with an endpoint that may fail before their row is rejected"
    )
    patience_s: float = Field(
        600.0, gt=0, description="seconds that an endpoint may be down or refuse everything before the run ends"
    )
    tokenizer: str | None = Field(
        None, description="transformers name or folder of an endpoint's tokenizer, for Magpie"
    )
    today: date | None = Field(
        None,
        description="the date that a chat template is told which prints one: a local model's, and Magpie's; "
        "empty: 2025-01-02, so that the same request stays the same",
    )
    control_tokens: Literal["escape", "reject", "keep"] = Field(
        "escape",
        description="user text with a chat template's control tokens, to an endpoint: escape sends it as text, reject filters the row, keep sends it as it is",
    )
    bos: Literal["prompt", "server"] = Field(
        "prompt",
        description="who starts a raw prompt with the first token: the prompt (vLLM), or the server unasked (llama.cpp, SGLang)",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @property
    def is_endpoint(self) -> bool:
        """Whether it is a model behind a URL."""
        return "@http://" in self.name or "@https://" in self.name

    @property
    def spoken(self) -> str:
        """The provider of an endpoint: `openai`, `anthropic` or `FILE.py:NAME`."""
        return self.provider or ("anthropic" if AT_ANTHROPIC.search(self.name) else "openai")

    @property
    def key_env(self) -> str | None:
        """The name of the environment variable that holds an endpoint's key."""
        is_at_home = self.spoken == "anthropic" and AT_ANTHROPIC.search(self.name) is not None
        return self.api_key_env or ("ANTHROPIC_API_KEY" if is_at_home else None)

    @field_validator("provider")
    @classmethod
    def _found_from_everywhere(cls, value: str | None, info: ValidationInfo) -> str | None:
        """The user's own file by its whole path, so that it is found by a worker in another folder too."""
        if value is None or value in OUR_PROVIDERS:
            return value
        if not is_own(value):
            raise ValueError("write openai, anthropic or FILE.py:NAME")
        return absolute(value, (info.context or {}).get("folder"))

    @field_validator("batch", mode="before")
    @classmethod
    def _switched_on(cls, value: object) -> object:
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _has_batches(self) -> ModelConfig:
        if self.batch is not None and not (self.is_endpoint and self.spoken in OUR_PROVIDERS):
            raise ValueError("batches are for a model behind a URL, of provider openai or anthropic")
        return self

    @model_validator(mode="after")
    def _has_a_url(self) -> ModelConfig:
        if self.provider is not None and not self.is_endpoint:
            raise ValueError("a provider is for a model behind a URL: name it model@https://host")
        return self

    @field_validator("extra_body", mode="before")
    @classmethod
    def _as_json(cls, value: object) -> object:
        """Canonical JSON, so that a config is hashable, and the same words are the same request."""
        read = json.loads(value) if isinstance(value, str) else value
        if read is not None and not isinstance(read, dict):
            raise ValueError("not a JSON object, as {chat_template_kwargs: {language: en}}")
        return None if not read else json.dumps(read, sort_keys=True, ensure_ascii=False)

    @property
    def marks_beginnings(self) -> bool:
        """Whether requests say which of their beginnings are worth keeping: where an API asks for it, and charges less."""
        return AT_ANTHROPIC.search(self.name) is not None or self.price_cached is not None

    @property
    def is_priced(self) -> bool:
        """Whether it is known what its tokens cost."""
        return self.price_prompt is not None and self.price_completion is not None

    def sampled(self, technique: Sampling) -> Sampling:
        """The technique's sampling, with this model's own settings laid over it."""
        return technique.but(**self.overrides) if self.overrides else technique

    @cached_property
    def overrides(self) -> dict[str, Any]:
        """The sampling that this model is always asked with."""
        return {field: value for field in OVERRIDES if (value := getattr(self, field)) is not None}


Roles = dict[str, tuple[ModelConfig, ...]]
"""The models by role."""
