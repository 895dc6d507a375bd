"""Preference records in ShareGPT's columns, as LLaMA-Factory has them, made rows of ours.

    from_sharegpt({"conversations": [{"from": "human", "value": "Hi"}], "chosen": {...}, "rejected": {...}})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.errors import Filtered
from tasks.models.base import Message, Role

ROLES: dict[str, Role] = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
}  # fmt: skip


def from_sharegpt(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a row's columns: `messages` up to the user's last turn, that turn as `instruction`, both `responses`.

    Which response was chosen is left out: the judge is to say. Raises Filtered (not_sharegpt) with what is missing.
    """
    try:
        messages = [_message(turn) for turn in record["conversations"]]
        texts = [_message(record[side])["content"] for side in ("chosen", "rejected")]
    except (KeyError, TypeError) as error:
        raise Filtered("not_sharegpt", f"missing or of another shape: {error}") from error
    if not messages or messages[-1]["role"] != "user":
        raise Filtered("not_sharegpt", "the conversation does not end with the user's turn")
    responses = [{"text": text, "origin": "given"} for text in texts if text.strip()]
    return {"instruction": messages[-1]["content"], "messages": messages, "responses": responses}


def _message(turn: Mapping[str, str]) -> Message:
    """A turn `{from, value}` as a message. Raises KeyError for a role that is none of ROLES."""
    return Message(role=ROLES[turn["from"]], content=turn["value"])
