"""The seam between the engine and whatever writes text: `Request` in, `Completion` out.

The request holds everything that shapes the answer, and nothing else: no timeouts, no concurrency, no run ids
(law 3). A `Model` answers it, at its own pace, within its own window of requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, NotRequired, Protocol, TypedDict

from pydantic import BaseModel, BeforeValidator, Field

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "cut_off"]
YAML_SWITCH = {True: "on", False: "off"}  # what YAML makes of `on` and `off`
Thinking = Annotated[
    Literal["model", "on", "off"], BeforeValidator(lambda said: YAML_SWITCH[said] if isinstance(said, bool) else said)
]


class Message(TypedDict):
    """One turn of a conversation. `content` is "" where a turn only calls tools.

    `tool_calls`: as OpenAI writes them, their arguments as JSON text; `tool_call_id` and `name`: of what a tool gave back.
    """

    role: Role
    content: str
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


def message_of(turn: Mapping[str, Any]) -> Message:
    """A message from a turn of a row; fields that are not there, or null, are left out, and so is a user's name."""
    message = Message(role=turn["role"], content=turn["content"] or "")
    for field_ in ("tool_calls", "tool_call_id", "name"):
        if turn.get(field_) and not (field_ == "name" and turn["role"] == "user"):
            message[field_] = turn[field_]
    return message


FIRST_FIELDS = frozenset({"temperature", "top_p", "max_new_tokens", "presence_penalty", "stop", "logprobs"})


class Sampling(BaseModel, frozen=True, extra="forbid"):
    """How a completion is sampled. Every field is part of the request key; all but the first ones only where set."""

    temperature: float = Field(1.0, ge=0, le=5, description="0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus sampling: keep the likeliest tokens up to this mass")
    max_new_tokens: int = Field(512, ge=1, description="tokens; a completion that reaches it is refused as truncated")
    presence_penalty: float = Field(
        0.0, ge=-2, le=2, description="subtracted from the logit of every token written so far"
    )
    stop: tuple[str, ...] = Field((), description="texts that end a completion; they are not part of it")
    logprobs: int = Field(0, ge=0, le=20, description="report the log-probability of this many tokens at each position")
    top_k: int = Field(0, ge=0, description="keep this many of the likeliest tokens; 0 keeps all")
    min_p: float = Field(0.0, ge=0, le=1, description="keep tokens of this share of the likeliest one's probability")
    repetition_penalty: float = Field(
        1.0, gt=0, le=10, description="divides what speaks for every token of the prompt and the text so far; 1 is off"
    )
    thinking: Thinking = Field(
        "model", description="whether a model reasons before it answers; model: as it does unasked"
    )
    max_reasoning_tokens: int = Field(
        4096, ge=1, description="tokens of reasoning with `thinking: on`; `max_new_tokens` is the answer's alone then"
    )

    @property
    def most_tokens(self) -> int:
        """How many tokens a completion may have, reasoning and answer together."""
        return self.max_new_tokens + (self.max_reasoning_tokens if self.thinking == "on" else 0)

    @cached_property
    def key(self) -> str:
        """Canonical JSON, for the request key and for provenance."""
        return self.key_with()

    def key_with(self, **more: Any) -> str:
        """The key, with more fields in it."""
        unset = {name for name, field in type(self).model_fields.items() if getattr(self, name) == field.default}
        if self.thinking == "on":
            unset -= {"max_reasoning_tokens"}
        return json.dumps(self.model_dump(exclude=unset - FIRST_FIELDS) | more, sort_keys=True, ensure_ascii=False)

    def but(self, **changes: Any) -> Sampling:
        """The same sampling with some fields changed (validated)."""
        return Sampling(**{**self.model_dump(), **changes})


class Reshaped(Exception):
    """A model has just learnt that it has to leave something out (`left_out`): the request has another key now."""


def _unasked() -> None:
    """Nobody keeps account of the request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a model: `messages` (through the chat template), `prompt` (raw text, sent as it stands), or `embed`.

    `seed` is a non-negative 63-bit integer drawn from (run seed, row, template, sample, attempt); `order` is the age
    of the row that asks, smaller is older. `order` only schedules: it is not part of the key. `schema` is JSON schema,
    as JSON: the answer has to be JSON that fits it. `embed` is a text to be embedded; nothing of `sampling` and `seed`
    shapes that. `tools` is a JSON list of the tools that `messages` may call. `left_out`: what the model was known not
    to take when the request got its key; None where it has none. `prefill`: how the answer to `messages` begins; the completion is what
    comes after it. `scored_by`: the messages, of which the last is the assistant's, are to be scored by a reward model; a
    server is asked at this path. The completion is the number, as text. The model calls `admit` when it is the request's turn, before anything is sent or computed for it;
    `admit` raises Interrupted where the run may pay no more, and shapes nothing either.
    """

    sampling: Sampling
    seed: int
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    order: int = 0
    schema: str | None = None
    embed: str | None = None
    tools: str | None = None
    left_out: frozenset[str] | None = None
    prefill: str | None = None
    scored_by: str | None = None
    admit: Callable[[], None] = field(default=_unasked, compare=False, repr=False)

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, with what is given of the answer as the last one."""
        begun: tuple[Message, ...] = ({"role": "assistant", "content": self.prefill},) if self.prefill else ()
        return (*(self.messages or ()), *begun)


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """The chosen token at one position, and the likeliest alternatives, natural-log probabilities."""

    token: str
    logprob: float
    top: dict[str, float]


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. `text` has no stop string in it; counts are in tokens.

    `cut_off`: it is not known to have ended; `finish_word` is what the server called it. `served`: the name that the
    server gave the model, where it is another than the one asked for. `cached_tokens`: of those of the prompt, how many the
    server had in its cache, and `cache_write_tokens` wrote there; only of an answer that has just come. `embedding` is a vector of float32, little-endian, as bytes: compact, and equal where it is the same.
    """

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    logprobs: tuple[TokenLogprobs, ...] | None = None
    reasoning: str | None = None
    embedding: bytes | None = None
    finish_word: str | None = None
    served: str | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class ChatTemplate(Protocol):
    """Anything with transformers' `apply_chat_template` (a tokenizer, mostly)."""

    eos_token: str | None

    def apply_chat_template(self, conversation: Sequence[Message], **options: Any) -> Any:
        """A conversation as the model's text (`tokenize=False`) or tokens."""


class Model(Protocol):
    """Answers requests. `identity` is a digest of what shapes its answers (law 3).

    `left_out`: parameters that the model turned out not to take, and is not sent: part of the request key. It only
    grows, and is set from outside to what earlier runs have learnt.
    """

    name: str
    identity: str
    max_in_flight: int
    left_out: frozenset[str]

    @property
    def template(self) -> ChatTemplate:
        """The model's chat template. Raises `ConfigError` where there is none to be had."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request, once its `admit` has let it go.

        Raises `RequestRefused` for this row, `PermanentError` for the whole run, `Reshaped` where `left_out` has grown
        and the request has to be made anew, and what `admit` raises.
        """

    async def close(self) -> None:
        """Give back threads, connections and memory. Safe to call twice."""
