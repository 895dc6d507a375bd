"""What is sent to a model of what a user says, where that holds control tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tasks.engine.requests.asking import Member, special_tokens_of
from tasks.errors import Filtered
from tasks.models.answers.control import Neutral, control_tokens_in, neutralised
from tasks.models.base import Message

if TYPE_CHECKING:
    from tasks.engine.context import Context


def neutral_of(messages: tuple[Message, ...], tools: str | None, member: Member, context: Context) -> Neutral:
    """What is sent to a model of what a user says. Raises Filtered where control tokens are to be rejected."""
    config = member.config
    if not config.is_endpoint or config.control_tokens == "keep":
        return Neutral(messages, tools)
    found = control_tokens_in(messages, tools, None if config.tokenizer is None else partial(special_tokens_of, member))
    if not found:
        return Neutral(messages, tools)
    if config.control_tokens == "reject":
        raise Filtered("control_tokens", f"the text holds {min(found)}, which ends or opens a turn")
    line = f"{member.model.name}: texts hold control tokens ({min(found)}): they are sent with a word joiner in them"
    context.tell_once(line, "control_tokens")
    return neutralised(messages, tools, found)
