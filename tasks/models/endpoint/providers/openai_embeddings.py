"""Embeddings in the OpenAI protocol: a list of texts out, numbered vectors back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import orjson
from pydantic import BaseModel

from tasks.models.base import Completion
from tasks.models.endpoint.provider import BadAnswer
from tasks.models.endpoint.providers.openai_answers import AnswerBody, validated


def embeddings_body(model: str, texts: Sequence[str]) -> bytes:
    """The JSON body that asks for the embeddings of these texts."""
    return orjson.dumps({"model": model, "input": texts})


class _Embedding(BaseModel):
    embedding: list[float] | str
    index: int | None = None


class _Embeddings(AnswerBody):
    data: list[_Embedding] | None = None


def embeddings_of(body: bytes, texts: Sequence[str], dimensions: int = 0) -> list[Completion]:
    """The embeddings in an answer's body, in the order of the texts, all of one length (`dimensions`, if it is known).

    The tokens that the call took are shared out by the lengths of the texts. Raises BadAnswer, or ErrorInAnswer for
    an error with HTTP 200.
    """
    answer = validated(_Embeddings, body)
    found = answer.data or []
    if len(found) != len(texts):
        raise BadAnswer(f"{len(found)} embeddings of {len(texts)} texts")
    if any(one.index is not None for one in found):
        found = sorted(found, key=lambda one: -1 if one.index is None else one.index)
        if [one.index for one in found] != list(range(len(texts))):
            raise BadAnswer("the embeddings are not numbered from 0 on")
    vectors = [_vector(one.embedding) for one in found]
    lengths = {len(vector) // 4 for vector in vectors} | ({dimensions} if dimensions else set())
    if len(lengths) != 1:
        raise BadAnswer(f"embeddings of different lengths: {sorted(lengths)}")
    tokens = _shared_out(answer.tokens("prompt_tokens"), texts)
    return [Completion("", prompt_tokens=n, embedding=v) for n, v in zip(tokens, vectors, strict=True)]


def _vector(sent: list[float] | str) -> bytes:
    """Numbers, or base64 of float32, as float32."""
    import numpy as np

    try:
        with np.errstate(over="ignore"):
            plain = sent if isinstance(sent, list) else np.frombuffer(base64.b64decode(sent, validate=True), "<f4")
            vector = np.array(plain, "<f4")
    except (binascii.Error, ValueError) as error:
        raise BadAnswer("an embedding that is neither numbers nor base64 of float32") from error
    if not vector.size or not np.isfinite(vector).all():
        raise BadAnswer("an embedding without numbers, or with some that are not finite")
    return vector.tobytes()


def _shared_out(tokens: int, texts: Sequence[str]) -> list[int]:
    """Whole shares of the tokens, as the texts are long; their sum is exact."""
    shares, whole, before = [], sum(map(len, texts)) or 1, 0
    for text in texts:
        shares.append(tokens * (before + len(text)) // whole - tokens * before // whole)
        before += len(text)
    return shares
