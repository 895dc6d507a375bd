"""The responses to an instruction, as the preference techniques hand them on: what one is, its name, how it is shown.

A preference row has one instruction and `responses`, a list of these. Whatever is drawn about them (an order, a side)
is drawn from the digests of their texts, so that permuting the list changes nothing.
"""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypedDict

from tasks.engine.digest import digest
from tasks.errors import Filtered
from tasks.models.base import Message

_AMONG_EQUALS = itemgetter("model", "origin", "parent", "arguments", "principle", "template")


class Rating(TypedDict):
    """What one judge said of one response. `rating` is 1 to 5, None for N/A; `order` is 1 for the reverse order."""

    judge: str
    aspect: str
    rating: float | None
    rationale: str
    order: int


class Response(TypedDict):
    """One response and where it comes from.

    `origin`: pool, given, evolved or revised. `parent`: the `name_of` the response that an evolved or revised one was
    made from, else "". `arguments`: the sampling as JSON. `principle`: the system prompt drawn for it. `template`: the
    template drawn for it. `score`: the mean of its ratings, None where there is none.
    """

    text: str
    model: str
    arguments: str
    principle: str
    template: str
    origin: str
    parent: str
    operations: list[str]
    critique: str | None
    ratings: list[Rating]
    score: float | None


def response_of(text: str, **known: Any) -> Response:
    """A response with what is known of it, and nothing in the fields that are not (unknown names are left out)."""
    blank = Response(text=text, model="", arguments="", principle="", template="", origin="", parent="", operations=[],
                     critique=None, ratings=[], score=None)  # fmt: skip
    known = {field: value for field, value in known.items() if field in blank and value is not None}
    return blank | known  # type: ignore[return-value]


def given(row: Mapping[str, Any]) -> list[Response]:
    """The responses that a row came with: `responses` (texts or structs), else `response`, else the end of `messages`.

    Empty ones are left out.
    """
    listed: Sequence[Any] = row.get("responses") or []
    said = (row.get("messages") or [{"role": ""}])[-1]
    if not listed and row.get("response"):
        listed = [{"text": row["response"], "model": row.get("response_model"), "principle": row.get("system")}]
    elif not listed and said["role"] == "assistant":
        listed = [{"text": said["content"], "model": row.get("response_model")}]
    structs = ({"text": one} if isinstance(one, str) else dict(one) for one in listed if one)
    return [response_of(**({"origin": "given"} | struct)) for struct in structs if (struct.get("text") or "").strip()]


def name_of(response: Mapping[str, Any]) -> str:
    """What a response is called by others: the digest of its text, 32 hex digits."""
    # straight from the bytes: half the cost of `digest`, and pairing names every response of a run
    return hashlib.blake2b(response["text"].encode(errors="surrogatepass"), digest_size=16).hexdigest()


def by_digest(responses: Iterable[Response]) -> list[Response]:
    """The responses in the order of their digests: the same however the list was permuted."""
    return sorted(responses, key=lambda one: (name_of(one), _AMONG_EQUALS(one), repr(one["score"])))


def drawn_from(responses: Iterable[Response], run_seed: int, purpose: str) -> random.Random:
    """A generator seeded by the texts alone: neither their order nor the row's id matters."""
    return random.Random(digest(run_seed, purpose, *sorted(map(name_of, responses))))


def normalised(text: str) -> str:
    """The text with compatibility forms folded, lower case, and each run of white space one space."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def prompt_of(row: Mapping[str, Any]) -> list[Message]:
    """The conversation to respond to, ending with the user's turn: the row's `messages` up to it, or its `instruction`.

    The row's column `system` is said first, in place of a system message that is there already. Raises Filtered
    (no_prompt) where there is neither; tool_turns where tools are called, since pairs have no room for that.
    """
    turns: Sequence[Mapping[str, Any]] = row.get("messages") or []
    if any(turn.get("tool_calls") for turn in turns):
        raise Filtered("tool_turns", "a pair has no room for calls of tools")
    messages = [Message(role=turn["role"], content=turn["content"]) for turn in turns]
    while messages and messages[-1]["role"] != "user":
        messages.pop()
    if not messages and not row.get("instruction"):
        raise Filtered("no_prompt", "neither messages with a user's turn nor an instruction")
    messages = messages or [Message(role="user", content=row["instruction"])]
    if row.get("system"):
        system = Message(role="system", content=row["system"])
        messages = [system, *(message for message in messages if message["role"] != "system")]
    return messages


def shown(prompt: Sequence[Message]) -> str:
    """A conversation as text for another model to read: one instruction as it stands, else each turn after its role."""
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in prompt)
