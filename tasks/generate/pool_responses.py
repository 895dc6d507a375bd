"""A response as its model wrote it, and what becomes of a row that has too few: what the techniques that answer for pairs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.engine.ask import Models
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.errors import Filtered, RowLoss, Unusable
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last, response_of
from tasks.text.responses import Response, called_tools, make_response, prompt_of, response_name


def answering(row: Row, models: Models, name: str, sampling: Sampling) -> dict[str, Any]:
    """What `models.chat` is told to have a row's conversation answered, but for who is asked: the technique's file says that."""
    prompt = prompt_of(row)
    return {
        "messages": prompt,
        "name": name,
        "sampling": sampling,
        "parse": models.in_language(response_of, asked_last(prompt)),
        "tools": called_tools(row, prompt),
    }


def written_by(member: Member, text: str, sampling: Sampling, origin: str, **more: Any) -> Response:
    """The response that a model wrote, with how it was sampled. `more`: its other fields."""
    arguments = member.config.sampled(sampling).key
    return make_response(text, model=member.model.name, arguments=arguments, origin=origin, **more)


def rewritten_by(
    member: Member, text: str, sampling: Sampling, origin: str, original: Response, operations: list[str]
) -> Response:
    """The response that a model has made of another."""
    parent = response_name(original)
    return written_by(
        member, text, sampling, origin, principle=original["principle"], parent=parent, operations=operations
    )


def too_few(kept: Sequence[Response], losses: Sequence[RowLoss]) -> RowLoss:
    """The reject of a row with too few responses: to be retried where a member failed, not where all said the same."""
    reason = {0: "no_response", 1: "one_response"}.get(len(kept), "few_responses")
    failed = next((loss for loss in reversed(losses) if loss.kind == "failed"), None)
    told = "; ".join(str(loss) for loss in losses)
    if failed is None:
        return Filtered(reason, told, raw=losses[-1].raw if losses else None)
    return Unusable(reason, told, raw=failed.raw, attempts=failed.attempts)
