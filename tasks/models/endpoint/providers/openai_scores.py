"""Scores of reward models beside the OpenAI protocol, as vLLM serves them: `/score` and `/classify`.

`/score` takes two texts, here the conversation and the answer, and leaves it to the server how they are put together.
`/classify` takes the conversation, which goes through the model's chat template. Both are asked for the bare logit
(`use_activation`), which other servers pass over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from tasks.models.base import Completion, Request
from tasks.models.endpoint.provider import BadAnswer, merged_bodies
from tasks.models.endpoint.providers.openai_answers import AnswerBody, validated


def score_url(base: str, scored_by: str) -> str:
    """Where a score is asked for. vLLM has `/classify` beside /v1, not below it."""
    return f"{base.removesuffix('/v1')}/classify" if scored_by == "classify" else f"{base}/{scored_by}"


def score_body(model: str, request: Request, extra: Mapping[str, Any]) -> bytes:
    """The JSON body that asks for the score of the last turn."""
    *turns, last = request.messages or ()
    body: dict[str, Any] = {"model": model, "use_activation": False}
    if request.scored_by == "classify":
        body["messages"] = [*turns, last]
    else:
        told = turns[0]["content"] if len(turns) == 1 else "\n".join(f"{m['role']}: {m['content']}" for m in turns)
        body |= {"text_1": told, "text_2": last["content"]}
    return orjson.dumps(merged_bodies(body, extra))


class _Score(BaseModel):
    score: float | None = None
    probs: list[float] | None = None


class _Scores(AnswerBody):
    data: list[_Score] | None = None


def score_of(body: bytes) -> Completion:
    """The one score in an answer's body, as text. Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200."""
    answer = validated(_Scores, body)
    found = [value for one in answer.data or [] for value in ([one.score] if one.probs is None else one.probs)]
    if len(found) != 1 or found[0] is None:
        raise BadAnswer(f"{len(found)} scores of one answer")
    if not math.isfinite(found[0]):
        raise BadAnswer("a score that is no number")
    return Completion(repr(found[0]), prompt_tokens=answer.tokens("prompt_tokens"))
