"""A completion as a row of the ledger's table, and back."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import orjson

from tasks.models.base import Completion, FinishReason, TokenLogprobs

MESSAGE_CHARS = 200
REPLACEMENT = "\ufffd"
FINISH_REASONS = frozenset(get_args(FinishReason))


class Unreadable(ValueError):
    """An entry that no completion was ever stored as."""


def storable(completion: Completion) -> Completion:
    """What a database cannot hold as text (NUL, half a surrogate pair) becomes U+FFFD, before the answer is used."""
    text = _clean(completion.text)
    if text is completion.text and not any(_more(completion)):
        return completion
    logprobs = completion.logprobs and tuple(
        replace(t, token=_clean(t.token), top={_clean(token): value for token, value in t.top.items()})
        for t in completion.logprobs
    )
    reasoning = completion.reasoning and _clean(completion.reasoning)
    word, served = (said and _clean(said) for said in (completion.finish_word, completion.served))
    return replace(completion, text=text, reasoning=reasoning, logprobs=logprobs, finish_word=word, served=served)


def _more(c: Completion) -> tuple[Any, ...]:
    """What a completion may have beside its text."""
    return (c.logprobs, c.reasoning, c.embedding, c.finish_word, c.served)


def _clean(text: str) -> str:
    text = text.replace("\0", REPLACEMENT)  # the same object where there is none
    try:
        text.encode()
    except UnicodeEncodeError:  # through UTF-16, so that two halves of one pair become the character that they are
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def record_of(key: bytes, model: str, completion: Completion) -> tuple[Any, ...]:
    """A completion as a row of the columns `ADDED`."""
    c, extra = completion, None
    if any(value is not None for value in _more(c)):
        beside: dict[str, Any] = {"logprobs": c.logprobs, "reasoning": c.reasoning}
        beside |= {name: value for name in ("finish_word", "served") if (value := getattr(c, name)) is not None}
        if c.embedding is not None:
            beside["embedding"] = base64.b64encode(c.embedding).decode()
        extra = orjson.dumps(beside)
    return (key, model, c.text, c.finish_reason, c.prompt_tokens, c.completion_tokens, extra)


def stored_completion(row: Sequence[Any]) -> Completion:
    """The completion of a row of the table: key, text, finish reason, counts, extra. Raises Unreadable."""
    key, text, finish_reason, prompt_tokens, completion_tokens, extra = row
    try:
        if not (isinstance(text, str) and text == _clean(text)):
            raise ValueError("its text was never text")
        if finish_reason not in FINISH_REASONS:
            raise ValueError(f"no completion ends with {finish_reason!r}")
        if not all(isinstance(count, int) and count >= 0 for count in (prompt_tokens, completion_tokens)):
            raise ValueError(f"{prompt_tokens!r} and {completion_tokens!r} are no counts of tokens")
        more = {} if extra is None else _unpacked(orjson.loads(extra))
        return Completion(text, finish_reason, prompt_tokens, completion_tokens, **more)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreadable(f"entry {bytes(key).hex()}: {error}"[:MESSAGE_CHARS]) from error


def _unpacked(extra: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: the log-probability of what could not be sampled comes back from null."""
    if extra["logprobs"] is not None:
        extra["logprobs"] = tuple(
            TokenLogprobs(t["token"], _number(t["logprob"]), {token: _number(v) for token, v in t["top"].items()})
            for t in extra["logprobs"]
        )
    if "embedding" in extra:
        extra["embedding"] = base64.b64decode(extra["embedding"], validate=True)
    return extra


def _number(logprob: float | None) -> float:
    return -math.inf if logprob is None else float(logprob)
