"""Server-sent events: parts of a page as they become known, until `done`, which leads to the page itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fastapi.sse import ServerSentEvent

from flows.studio.trials.desk import Desk

LOOKS_S = 0.15
ShowEvent = Callable[[Mapping[str, Any]], "tuple[str, str] | None"]
"""What an event is on the page: the id of the place and the HTML that is added there; None for nothing."""


def page_part(at: str, html: str, how: str = "replace") -> ServerSentEvent:
    """A part of the page: `html` in the element of the id `at`; `how`: replace or append."""
    return ServerSentEvent(event="part", data={"at": at, "html": html, "how": how})


async def events_of_try(
    desk: Desk, about: str, number: int, show: ShowEvent, then: str
) -> AsyncIterator[ServerSentEvent]:
    """What a try says, from its beginning to its end."""
    one = desk.find(about, number)
    seen = 0
    while one is not None:
        is_last = one.ended  # looked at before the events: what is said last is shown too
        for event in one.events[seen:]:
            seen += 1
            if "said" in event:
                yield ServerSentEvent(event="said", data=event["said"])
            elif (part := show(event)) is not None:
                yield page_part(*part, how="append")
        if is_last:
            break
        await asyncio.sleep(LOOKS_S)
    yield ServerSentEvent(event="done", data=then)
