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

from tasks.errors import Filtered
from tasks.models.base import Message, message_of
from tasks.storage.digest import digest

STRONG, WEAK = "strong", "weak"
"""Origins of two responses of which one is better by who wrote it."""
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

    `origin`: pool, given, evolved, revised, on_policy, off_policy, strong or weak. `parent`: the `response_name` of the response that an evolved or revised one was
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


def make_response(text: str, **known: Any) -> Response:
    """A response with what is known of it, and nothing in the fields that are not (unknown names are left out)."""
    blank = Response(
        text=text,
        model="",
        arguments="",
        principle="",
        template="",
        origin="",
        parent="",
        operations=[],
        critique=None,
        ratings=[],
        score=None,
    )
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
    return [make_response(**({"origin": "given"} | struct)) for struct in structs if (struct.get("text") or "").strip()]


def response_name(response: Mapping[str, Any]) -> str:
    """What a response is called by others: the digest of its text, 32 hex digits."""
    # straight from the bytes: half the cost of `digest`, and pairing names every response of a run
    return hashlib.blake2b(response["text"].encode(errors="surrogatepass"), digest_size=16).hexdigest()


def by_digest(responses: Iterable[Response]) -> list[Response]:
    """The responses in the order of their digests: the same however the list was permuted."""
    return sorted(responses, key=lambda one: (response_name(one), _AMONG_EQUALS(one), repr(one["score"])))


def drawn_from(responses: Iterable[Response], run_seed: int, purpose: str) -> random.Random:
    """A generator seeded by the texts alone: neither their order nor the row's id matters."""
    return random.Random(digest(run_seed, purpose, *sorted(map(response_name, responses))))


def normalised(text: str) -> str:
    """The text with compatibility forms folded, lower case, and each run of white space one space."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def prompt_of(row: Mapping[str, Any]) -> list[Message]:
    """The conversation to respond to, ending with the user's turn or with what a tool gave back: the row's `messages`
    without the answer that ends them, or its `instruction`. Turns of tools are in it as they are.

    The row's column `system` is said first, in place of a system message that is there already. Raises Filtered
    (no_prompt) where there is neither; tool_turns where it ends with a call of a tool, which no text answers.
    """
    messages = [message_of(turn) for turn in row.get("messages") or ()]
    while messages and messages[-1]["role"] not in ("user", "tool"):
        if messages[-1].get("tool_calls"):
            raise Filtered("tool_turns", "the conversation ends with a call of a tool")
        messages.pop()
    if not any(turn["role"] == "user" for turn in messages) and (messages or not row.get("instruction")):
        raise Filtered("no_prompt", "neither messages with a user's turn nor an instruction")
    messages = messages or [Message(role="user", content=row["instruction"])]
    if row.get("system"):
        system = Message(role="system", content=row["system"])
        messages = [system, *(message for message in messages if message["role"] != "system")]
    return messages


def called_tools(row: Mapping[str, Any], prompt: Sequence[Message]) -> str | None:
    """The tools that a conversation is answered with, as JSON: the row's where one is called in it, else None."""
    return (row.get("tools") or None) if any("tool_calls" in turn for turn in prompt) else None


def turn_text(turn: Mapping[str, Any]) -> str:
    """What a turn says; one that calls tools says which, and with what."""
    calls: Sequence[Mapping[str, Any]] = turn.get("tool_calls") or ()
    called = [f"{call['function']['name']}({call['function']['arguments']})" for call in calls]
    return "\n".join(filter(None, [turn.get("content"), *called]))


def conversation_text(prompt: Sequence[Message]) -> str:
    """A conversation as text for another model to read: one instruction as it stands, else each turn after its role."""
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n".join(f"{message['role']}: {turn_text(message)}" for message in prompt)
