"""The words of the OpenAI protocol: a request as a JSON body, an answer as a `Completion`.

Chat completions for messages, completions for raw text. Only what differs from the protocol's defaults is sent, so
that servers that know little understand it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from tasks.models.answers.counted import about_tokens
from tasks.models.answers.ended import finish_of, finish_word
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.base import Completion, FinishReason, Request, Sampling, TokenLogprobs
from tasks.models.faults import status_in
from tasks.models.learnt import Learnt
from tasks.models.streams import whole

NOTHING: Mapping[str, Any] = MappingProxyType({})
SEED_BITS = 31  # what every server takes: llama.cpp reads 32, and all ones mean "random" to it
MOST_TOKENS = 2**31


class BadAnswer(Exception):
    """HTTP 200, but no completion."""


class ErrorInAnswer(Exception):
    """HTTP 200, but the body is an error object. `status` is the HTTP status it stands for."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def chat_body(
    model: str,
    request: Request,
    learnt: Learnt,
    stop_ids: Sequence[int] = (),
    extra: Mapping[str, Any] = NOTHING,
) -> bytes:
    """The JSON body that asks for a chat completion, as far as the server is known to take it.

    `extra`: fields beside the protocol, laid over the others.
    """
    sampling = request.sampling
    body: dict[str, Any] = {"model": model, "messages": request.messages, "stream": False}
    if request.tools is not None:
        body["tools"] = orjson.Fragment(request.tools)
    body |= {learnt.limit: sampling.most_tokens, "seed": _seed(request)}
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": orjson.Fragment(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return _dumped(body | _sampled(sampling), learnt, stop_ids, extra)


def raw_body(
    model: str,
    request: Request,
    learnt: Learnt,
    stop_ids: Sequence[int] = (),
    extra: Mapping[str, Any] = NOTHING,
    *,
    bos: str | None,
) -> bytes:
    """The JSON body that asks for `request.prompt` to be continued.

    `bos` None: the server is told to add no special token (`add_special_tokens`, known to vLLM). A text: the server
    adds this one by itself, so it is taken off the prompt's start.
    """
    prompt, sampling = request.prompt or "", request.sampling
    body: dict[str, Any] = {"model": model, "max_tokens": sampling.max_new_tokens, "seed": _seed(request)}
    body["stream"] = False
    if bos is None:
        body |= {"prompt": prompt, "add_special_tokens": False}
    else:
        body["prompt"] = prompt.removeprefix(bos)
    if sampling.logprobs:
        body["logprobs"] = sampling.logprobs
    return _dumped(body | _sampled(sampling), learnt, stop_ids, extra)


def _dumped(body: dict[str, Any], learnt: Learnt, stop_ids: Sequence[int], extra: Mapping[str, Any]) -> bytes:
    """The body without what the server does not take; of the stop texts the first ones, which are the surest."""
    if learnt.stops is not None and "stop" in body:
        body["stop"] = body["stop"][: learnt.stops]
        body |= {"stop_token_ids": stop_ids} if stop_ids else {}
    taken = {name: value for name, value in body.items() if value != () and name not in learnt.left_out}
    return orjson.dumps(taken | dict(extra))


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two bodies, the second laid over the first, and the objects in them too."""
    return dict(one) | {
        name: merged(one[name], value) if isinstance(value, dict) and isinstance(one.get(name), dict) else value
        for name, value in other.items()
    }


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
    for name in ("top_k", "min_p", "repetition_penalty"):
        if (value := getattr(sampling, name)) != Sampling.model_fields[name].default:
            fields[name] = value
    if sampling.stop:
        fields["stop"] = sampling.stop
    return fields


# What servers answer, as far as it is read; everything else in it is passed over. What is only counted or kept may have
# any form: it never refuses an answer.


class _Part(BaseModel):
    type: Any = None
    text: Any = None
    thinking: Any = None

    @property
    def is_answer(self) -> bool:
        return self.type in (None, "text", "output_text")


class _Turn(BaseModel):
    content: str | list[_Part] | _Part | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None


class _Choice(BaseModel):
    message: _Turn | None = None
    text: str | None = None
    finish_reason: Any = None
    logprobs: Any = None


class Answer(BaseModel):
    """What all answers may have."""

    usage: Any = None
    error: Any = None
    model: Any = None

    def tokens(self, kind: str) -> int:
        """The server's count of tokens, `prompt_tokens` or `completion_tokens`; 0 where it has none that is one."""
        return _count(self.usage.get(kind)) if isinstance(self.usage, dict) else 0


class _Answer(Answer):
    choices: list[_Choice] | None = None


A = TypeVar("A", bound=Answer)


def validated(kind: type[A], body: bytes) -> A:
    """An answer's body, read. Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200."""
    try:
        answer = kind.model_validate_json(whole(body))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise BadAnswer(f"{where}: {fault['msg']}" if where else fault["msg"]) from None
    if answer.error:
        code = answer.error.get("code") if isinstance(answer.error, dict) else None
        raise ErrorInAnswer(code if isinstance(code, int) and 400 <= code < 600 else status_in(body))
    return answer


def completion_of(body: bytes, request: Request, model: str = "", answer_format: AnswerFormat = KNOWN) -> Completion:
    """The completion in an answer's body, asked of `model`, its text parsed by the model's format.

    Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200.
    """
    answer = validated(_Answer, body)
    if not answer.choices:
        raise BadAnswer("no choices")
    completion = _completion(answer.choices[0], answer, request, answer_format)
    if isinstance(answer.model, str) and is_another(answer.model, model):
        return replace(completion, served=answer.model)
    return completion


def _completion(choice: _Choice, answer: Answer, request: Request, answer_format: AnswerFormat) -> Completion:
    prompt_tokens, completion_tokens = _prompt_tokens(answer), answer.tokens("completion_tokens")
    text, reasoning = _said(choice, answer_format)
    word = finish_word(choice.finish_reason)
    finish = finish_of(word) or _silent_finish(text, completion_tokens, request.sampling.most_tokens)
    turn = choice.message
    if turn is not None and turn.refusal and isinstance(turn.refusal, str) and not text:
        text, finish, word = turn.refusal, "content_filter", "refusal"
    elif turn is not None and turn.tool_calls and not text:
        finish = "tool_calls"
    stop = request.sampling.stop
    if stop and (cut := _cut(text, stop)) != text:
        text, finish = cut, "stop"
    logprobs = _logprobs(choice.logprobs) if choice.logprobs else None
    said = word if finish in ("cut_off", "content_filter") else None
    return Completion(text, finish, prompt_tokens, completion_tokens, logprobs, reasoning, finish_word=said)


def _said(choice: _Choice, answer_format: AnswerFormat) -> tuple[str, str | None]:
    """The text of a choice, and the reasoning before and beside it; a blank field is none."""
    if (turn := choice.message) is None:
        if choice.text is None:
            raise BadAnswer("a choice without message and text")
        return choice.text, None
    content = turn.content or ""
    parts = [] if isinstance(content, str) else content if isinstance(content, list) else [content]
    if parts:
        content = "".join(part.text for part in parts if isinstance(part.text, str) and part.is_answer)
    fields = (turn.reasoning_content, turn.reasoning, [part.thinking for part in parts])
    given = next((text.strip() for text in map(_plain, fields) if text.strip()), "")
    parsed = answer_format.parse_served(str(content))
    return parsed.text, "\n\n".join(thought for thought in (given, parsed.reasoning) if thought) or None


def _plain(value: Any) -> str:
    """The text in whatever a server puts a model's reasoning into: text, parts, an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_plain, value))
    if isinstance(value, dict):
        return next(
            (text for name in ("text", "content", "summary", "thinking") if (text := _plain(value.get(name)))), ""
        )
    return ""


def _silent_finish(text: str, tokens: int, most: int) -> FinishReason:
    """Where a server does not say why it stopped: an end, if fewer tokens came than were allowed."""
    return "stop" if (tokens or about_tokens([text])) < most else "length"


def _prompt_tokens(answer: Answer) -> int:
    """Tokens of the prompt; where those in the cache are more than are counted, they were not counted."""
    counted = answer.tokens("prompt_tokens")
    details = answer.usage.get("prompt_tokens_details") if isinstance(answer.usage, dict) else None
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return counted + cached if cached > counted > 0 else counted


def _count(value: Any) -> int:
    """A count of tokens in whatever form a server gives it; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_TOKENS:
        return 0
    return round(value)


def is_another(served: str, asked: str) -> bool:
    """Whether a server's name of a model means another one: not where one holds the other, as with a date or an owner."""
    served, asked = served.lower(), asked.lower()
    return bool(served and asked) and not (served.split("/")[-1] in asked or asked.split("/")[-1] in served)


def _cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string, for servers that leave it in or do not know it."""
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


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


def _logprobs(said: Any) -> tuple[TokenLogprobs, ...] | None:
    try:
        found = _Logprobs.model_validate(said)
    except ValidationError:
        return None
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
