"""Anthropic's Message Batches: created with their lines in one call, and fetched from one place.

POST /v1/messages/batches, GET .../ID, GET .../ID/results, POST .../ID/cancel. A batch has no metadata: the tag is part
of each line's id, which is seen only in the results. So a batch that may be ours is waited for until it has ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from tasks.models.batching import MEGABYTE, BatchState, LineResult, NotYetKnown, Submission
from tasks.models.endpoint.batches.exchanges import Exchanges
from tasks.models.endpoint.batches.openai import EARLIER_S, FAILED_WITHOUT_STATUS, PAGE, id_in
from tasks.models.endpoint.providers.anthropic import STATUS

TAG_CHARS = 24  # an id has 64 characters at most, and a key takes 32 of them
NEVER_BEGUN = frozenset({"expired", "canceled"})


class AnthropicBatches:
    """Implements `BatchWords`."""

    most_lines, most_bytes = 100_000, 256 * MEGABYTE

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges
        base = "" if exchanges.server.url.endswith("/v1") else "/v1"
        self._path = f"{base}/messages/batches"

    def line(self, key: str, tag: str, _path: str, body: bytes) -> bytes:
        """A request with its id."""
        return orjson.dumps({"custom_id": f"{key}_{tag[:TAG_CHARS]}", "params": orjson.Fragment(body)})

    async def upload(self, _tag: str, _lines: Sequence[bytes]) -> str:
        """Nothing is sent ahead."""
        return ""

    async def create(self, _submission: Submission, lines: Sequence[bytes]) -> str:
        """A batch with its lines."""
        body = b'{"requests":[' + b",".join(lines) + b"]}"
        return id_in(await self._exchanges.call("POST", self._path, body, once=True))

    async def find(self, submission: Submission) -> str | None:
        """Of the batches of that time with so many lines, the one whose results have the tag."""
        maybe = ""
        async for told in self._since(submission.since_s - EARLIER_S):
            if sum(_counts(told).values()) != submission.lines:
                continue
            if told.get("processing_status") != "ended":
                maybe = maybe or id_in(told)
            elif await self._is_ours(told, submission.tag):
                return id_in(told)
        if maybe:
            raise NotYetKnown(maybe)
        return None

    async def _since(self, since_s: float) -> AsyncIterator[dict[str, Any]]:
        """The batches made since then, the newest first."""
        after = ""
        while True:
            page = await self._exchanges.call("GET", f"{self._path}?limit={PAGE}{after}")
            found = [one for one in page.get("data") or () if isinstance(one, dict)]
            for one in found:
                if _seconds(one.get("created_at")) < since_s:
                    return
                yield one
            if not found or not page.get("has_more"):
                return
            after = f"&after_id={id_in(found[-1])}"

    async def _is_ours(self, told: Mapping[str, Any], tag: str) -> bool:
        """Whether the first of the results of a batch has the tag."""
        async for line in self._exchanges.lines(f"{self._path}/{id_in(told)}/results"):
            return bool(orjson.loads(line)["custom_id"].endswith(f"_{tag[:TAG_CHARS]}"))
        return False

    async def look(self, batch: str) -> BatchState:
        """Its status; cancelled is one that has ended with lines that were."""
        told = await self._exchanges.call("GET", f"{self._path}/{batch}")
        counts, status = _counts(told), str(told.get("processing_status"))
        whole = sum(counts.values())
        done = whole - counts.get("processing", 0)
        is_cancelled = bool(counts.get("canceled"))
        return BatchState(batch, status, status == "ended", is_cancelled, done, whole, results=(batch,))

    async def results(self, state: BatchState) -> AsyncIterator[LineResult]:
        """What came of each line."""
        for batch in state.results:
            async for line in self._exchanges.lines(f"{self._path}/{batch}/results"):
                if (result := _result(line)) is not None:
                    yield result

    async def cancel(self, batch: str) -> None:
        """What is answered by then is kept."""
        await self._exchanges.call("POST", f"{self._path}/{batch}/cancel", b"{}")


def _counts(told: Mapping[str, Any]) -> dict[str, int]:
    counts = told.get("request_counts")
    return {name: n for name, n in counts.items() if isinstance(n, int)} if isinstance(counts, dict) else {}


def _seconds(moment: Any) -> float:
    """A date as seconds since 1970; one that cannot be read is late, so that the search goes on."""
    try:
        read = datetime.fromisoformat(str(moment))
    except ValueError:
        return float("inf")
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _result(line: bytes) -> LineResult | None:
    """What a line of the results says; None for one that cannot be read: its request counts as not answered."""
    try:
        told = orjson.loads(line)
        key, result = told["custom_id"].partition("_")[0], told["result"]
        kind = result["type"]
        if kind == "succeeded":
            return LineResult(key, 200, orjson.dumps(result["message"]))
        if kind in NEVER_BEGUN:
            return LineResult(key, 0)
        error = result["error"]
        error = error if "error" in error else {"type": "error", "error": error}
        return LineResult(key, STATUS.get(error["error"].get("type"), FAILED_WITHOUT_STATUS), orjson.dumps(error))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
