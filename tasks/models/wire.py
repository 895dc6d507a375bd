"""The words of the OpenAI protocol: a request as a JSON body, an answer as a `Completion`.

Chat completions for messages, completions for raw text. Only what differs from the protocol's defaults is sent, so
that servers that know little understand it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.base import Completion, FinishReason, Request, Sampling, TokenLogprobs
from tasks.models.faults import status_in

SEED_BITS = 31  # what every server takes: llama.cpp reads 32, and all ones mean "random" to it
FINISH: dict[str | None, FinishReason] = {
    "length": "length", "max_tokens": "length", "max_length": "length", "model_length": "length",
    "content_filter": "content_filter", "safety": "content_filter", "refusal": "content_filter",
}  # fmt: skip


class BadAnswer(Exception):
    """HTTP 200, but no completion."""


class ErrorInAnswer(Exception):
    """HTTP 200, but the body is an error object. `status` is the HTTP status it stands for."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def chat_body(model: str, request: Request, limit: str = "max_tokens", left_out: Set[str] = frozenset()) -> bytes:
    """The JSON body that asks for a chat completion. `limit` names the field for the number of new tokens."""
    sampling = request.sampling
    body: dict[str, Any] = {"model": model, "messages": request.messages}
    body |= {limit: sampling.max_new_tokens, "seed": _seed(request)}
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": orjson.Fragment(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return _dumped(body | _sampled(sampling), left_out)


def raw_body(model: str, request: Request, *, bos: str | None, left_out: Set[str] = frozenset()) -> bytes:
    """The JSON body that asks for `request.prompt` to be continued.

    `bos` None: the server is told to add no special token (`add_special_tokens`, known to vLLM). A text: the server
    adds this one by itself, so it is taken off the prompt's start.
    """
    prompt, sampling = request.prompt or "", request.sampling
    body: dict[str, Any] = {"model": model, "max_tokens": sampling.max_new_tokens, "seed": _seed(request)}
    if bos is None:
        body |= {"prompt": prompt, "add_special_tokens": False}
    else:
        body["prompt"] = prompt.removeprefix(bos)
    if sampling.logprobs:
        body["logprobs"] = sampling.logprobs
    return _dumped(body | _sampled(sampling), left_out)


def _dumped(body: dict[str, Any], left_out: Set[str]) -> bytes:
    return orjson.dumps({name: value for name, value in body.items() if name not in left_out} if left_out else body)


def parameters_of(sampling: Sampling) -> frozenset[str]:
    """The names of what is sent to say how an answer is sampled."""
    return frozenset(_sampled(sampling)) | {"seed"}


def _seed(request: Request) -> int:
    return request.seed & ((1 << SEED_BITS) - 1)


@lru_cache(maxsize=256)
def _sampled(sampling: Sampling) -> dict[str, Any]:
    fields: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.top_p != 1:
        fields["top_p"] = sampling.top_p
    if sampling.presence_penalty:
        fields["presence_penalty"] = sampling.presence_penalty
    if sampling.stop:
        fields["stop"] = sampling.stop
    return fields


# What servers answer, as far as it is read; everything else in it is passed over.


class _Part(BaseModel):
    """A piece of an answer, or of the reasoning before it (Mistral, Anthropic): a text, or pieces again."""

    text: str | None = None
    thinking: str | list[_Part] | None = None

    def words(self) -> str:
        return self.text or _words(self.thinking)


def _words(pieces: str | list[_Part] | None) -> str:
    return "".join(piece.words() for piece in pieces) if isinstance(pieces, list) else pieces or ""


class _Turn(BaseModel):
    content: str | list[_Part] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None

    def parts(self) -> tuple[str, str]:
        """The answer, and the reasoning beside it; a blank field is none."""
        content = self.content if isinstance(self.content, list) else []
        texts = [self.reasoning_content, self.reasoning, _words([part for part in content if part.thinking])]
        said = _words([part for part in content if not part.thinking]) if content else self.content or ""
        reasoning = next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")
        return str(said), reasoning


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Position(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(BaseModel):
    """Of a chat: `content`. Of a completion: three lists side by side."""

    content: list[_Position] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(BaseModel):
    message: _Turn | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class Usage(BaseModel):
    """Tokens, where the server counts them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Answer(BaseModel):
    """What all answers may have."""

    usage: Usage | None = None
    error: Any = None


class _Answer(Answer):
    choices: list[_Choice] | None = None


A = TypeVar("A", bound=Answer)


def validated(kind: type[A], body: bytes) -> A:
    """An answer's body, read. Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200."""
    try:
        answer = kind.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise BadAnswer(f"{where}: {fault['msg']}" if where else fault["msg"]) from None
    if answer.error:
        code = answer.error.get("code") if isinstance(answer.error, dict) else None
        raise ErrorInAnswer(code if isinstance(code, int) and 400 <= code < 600 else status_in(body))
    return answer


def completion_of(body: bytes, stop: Sequence[str] = (), answer_format: AnswerFormat = KNOWN) -> Completion:
    """The completion in an answer's body, its text parsed by the model's format.

    Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200.
    """
    answer = validated(_Answer, body)
    if not answer.choices:
        raise BadAnswer("no choices")
    return _completion(answer.choices[0], answer.usage or Usage(), stop, answer_format)


def _completion(choice: _Choice, usage: Usage, stop: Sequence[str], answer_format: AnswerFormat) -> Completion:
    finish = FINISH.get(choice.finish_reason, "stop")
    if (turn := choice.message) is None:
        if choice.text is None:
            raise BadAnswer("a choice without message and text")
        text, reasoning = choice.text, None
    else:
        content, given = turn.parts()
        if turn.refusal and not content:
            content, finish = turn.refusal, "content_filter"
        parsed = answer_format.parse_served(content)
        text = parsed.text
        reasoning = "\n\n".join(thought for thought in (given, parsed.reasoning) if thought) or None
    if stop and (cut := _cut(text, stop)) != text:
        text, finish = cut, "stop"
    return Completion(
        text,
        finish,
        usage.prompt_tokens or 0,
        usage.completion_tokens or 0,
        _logprobs(choice.logprobs) if choice.logprobs else None,
        reasoning,
    )


def _cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string, for servers that leave it in or do not know it."""
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


def _logprobs(found: _Logprobs) -> tuple[TokenLogprobs, ...] | None:
    if found.content is not None:
        return tuple(
            TokenLogprobs(p.token, p.logprob, {a.token: a.logprob for a in p.top_logprobs or ()}) for p in found.content
        )
    if found.tokens is None or found.token_logprobs is None:
        return None
    tops = found.top_logprobs or [None] * len(found.tokens)
    return tuple(
        TokenLogprobs(token, logprob, top or {})
        for token, logprob, top in zip(found.tokens, found.token_logprobs, tops, strict=False)
        if logprob is not None
    )
