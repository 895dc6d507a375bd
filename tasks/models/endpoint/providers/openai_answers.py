"""What servers of the OpenAI protocol answer, as far as it is read; everything else in it is passed over.

What is only counted or kept may have any form: it never refuses an answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tasks.models.answers.counted import about_tokens
from tasks.models.answers.ended import finish_of, finish_word
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.base import Completion, FinishReason, Request, TokenLogprobs
from tasks.models.endpoint.faults import status_in
from tasks.models.endpoint.provider import BadAnswer, ErrorInAnswer, count_of, cut_at, is_another, misfit
from tasks.models.endpoint.providers.streams import whole


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


class AnswerBody(BaseModel):
    """What all answers may have."""

    usage: Any = None
    error: Any = None
    model: Any = None

    def tokens(self, kind: str) -> int:
        """The server's count of tokens, `prompt_tokens` or `completion_tokens`; 0 where it has none that is one."""
        return count_of(self.usage.get(kind)) if isinstance(self.usage, dict) else 0


class _Answer(AnswerBody):
    choices: list[_Choice] | None = None


A = TypeVar("A", bound=AnswerBody)


def validated(kind: type[A], body: bytes) -> A:
    """An answer's body, read. Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200."""
    try:
        answer = kind.model_validate_json(whole(body))
    except ValidationError as error:
        raise misfit(error) from None
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


def _completion(choice: _Choice, answer: AnswerBody, request: Request, answer_format: AnswerFormat) -> Completion:
    prompt_tokens, completion_tokens = _prompt_tokens(answer), answer.tokens("completion_tokens")
    text, reasoning = _said(choice, request, answer_format)
    word = finish_word(choice.finish_reason)
    finish = finish_of(word) or _silent_finish(text, completion_tokens, request.sampling.most_tokens)
    turn = choice.message
    if turn is not None and turn.refusal and isinstance(turn.refusal, str) and not text:
        text, finish, word = turn.refusal, "content_filter", "refusal"
    elif turn is not None and turn.tool_calls and not text:
        finish = "tool_calls"
    stop = request.sampling.stop
    if stop and (cut := cut_at(text, stop)) != text:
        text, finish = cut, "stop"
    logprobs = _logprobs(choice.logprobs) if choice.logprobs else None
    said = word if finish in ("cut_off", "content_filter") else None
    cached = min(_tokens_of_prompt(answer, "cached_tokens"), prompt_tokens)
    kept = min(_tokens_of_prompt(answer, "cache_write_tokens"), prompt_tokens - cached)
    used = (prompt_tokens, completion_tokens)
    made = Completion(text, finish, *used, logprobs, reasoning, finish_word=said)
    return replace(made, cached_tokens=cached, cache_write_tokens=kept) if cached or kept else made


def _said(choice: _Choice, request: Request, answer_format: AnswerFormat) -> tuple[str, str | None]:
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
    parsed = answer_format.parse_served(str(content), request, reasoned=bool(given))
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


def _prompt_tokens(answer: AnswerBody) -> int:
    """Tokens of the prompt; where those in the cache are more than are counted, they were not counted."""
    counted, cached = answer.tokens("prompt_tokens"), _tokens_of_prompt(answer, "cached_tokens")
    return counted + cached if cached > counted > 0 else counted


def _tokens_of_prompt(answer: AnswerBody, kind: str) -> int:
    """Tokens of the prompt that the server had in its cache (`cached_tokens`), or wrote there (`cache_write_tokens`)."""
    details = answer.usage.get("prompt_tokens_details") if isinstance(answer.usage, dict) else None
    return count_of(details.get(kind)) if isinstance(details, dict) else 0


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
