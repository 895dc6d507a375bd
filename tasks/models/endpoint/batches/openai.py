"""Batches in the OpenAI protocol: a file of lines is uploaded, a batch made of it, and two files fetched.

POST /files, POST /batches, GET /batches/ID, GET /files/ID/content, POST /batches/ID/cancel. The tag goes into the
batch's metadata, so that it is found again in the list of batches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from tasks.errors import PermanentError
from tasks.models.batching import MEGABYTE, BatchState, LineResult, Submission
from tasks.models.endpoint.batches.exchanges import Exchanges

TAG = "stillroom"
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
PAGE = 100
EARLIER_S = 600  # the provider's clock may be behind ours
NEVER_BEGUN = frozenset({"batch_expired", "batch_cancelled"})
FAILED_WITHOUT_STATUS = 500  # of a line whose error has no answer beside it


class OpenAIBatches:
    """Implements `BatchWords`."""

    most_lines, most_bytes = 50_000, 200 * MEGABYTE

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges

    def line(self, key: str, _tag: str, path: str, body: bytes) -> bytes:
        """A line names its place below /v1, whatever the base URL is."""
        sent = {"custom_id": key, "method": "POST", "url": f"/v1{path}", "body": orjson.Fragment(body)}
        return orjson.dumps(sent)

    async def upload(self, tag: str, lines: Sequence[bytes]) -> str:
        """The id of the file with the lines."""
        body, kind = _form(tag, b"\n".join(lines))
        return id_in(await self._exchanges.call("POST", "/files", body, kind))

    async def create(self, submission: Submission, _lines: Sequence[bytes]) -> str:
        """A batch of an uploaded file."""
        asked = {
            "input_file_id": submission.upload,
            "endpoint": f"/v1{submission.path}",
            "completion_window": "24h",
            "metadata": {TAG: submission.tag},
        }
        return id_in(await self._exchanges.call("POST", "/batches", orjson.dumps(asked), once=True))

    async def find(self, submission: Submission) -> str | None:
        """By the tag, and by the file where a server keeps no metadata. Lists go from the newest to the oldest."""
        after = ""
        while True:
            page = await self._exchanges.call("GET", f"/batches?limit={PAGE}{after}")
            found = [one for one in page.get("data") or () if isinstance(one, dict)]
            for one in found:
                is_ours = (one.get("metadata") or {}).get(TAG) == submission.tag
                if is_ours or (submission.upload and one.get("input_file_id") == submission.upload):
                    return id_in(one)
            oldest = found[-1].get("created_at") if found else None
            is_older = isinstance(oldest, int | float) and oldest < submission.since_s - EARLIER_S
            if not found or is_older or not page.get("has_more"):
                return None
            after = f"&after={id_in(found[-1])}"

    async def look(self, batch: str) -> BatchState:
        """Its status, and its files."""
        told = await self._exchanges.call("GET", f"/batches/{batch}")
        status, counts = str(told.get("status")), told.get("request_counts") or {}
        files = tuple(str(told[name]) for name in ("output_file_id", "error_file_id") if told.get(name))
        return BatchState(
            batch,
            status,
            status in ENDED,
            status == "cancelled",
            int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
            int(counts.get("total") or 0),
            _faults(told) if status == "failed" else "",
            files,
        )

    async def results(self, state: BatchState) -> AsyncIterator[LineResult]:
        """The lines of the file with answers, then of that with errors."""
        for file in state.results:
            async for line in self._exchanges.lines(f"/files/{file}/content"):
                if (result := _result(line)) is not None:
                    yield result

    async def cancel(self, batch: str) -> None:
        """What is answered by then is kept."""
        await self._exchanges.call("POST", f"/batches/{batch}/cancel", b"{}")


def _form(tag: str, content: bytes) -> tuple[bytes, str]:
    """A form with the file and what it is for, and its content type."""
    boundary = f"stillroom-{tag}".encode()
    purpose = b'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch'
    named = f'Content-Disposition: form-data; name="file"; filename="stillroom-{tag}.jsonl"'.encode()
    file = named + b"\r\nContent-Type: application/jsonl\r\n\r\n" + content
    parts = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in (purpose, file))
    return parts + b"--" + boundary + b"--\r\n", f"multipart/form-data; boundary={boundary.decode()}"


def id_in(told: Mapping[str, Any]) -> str:
    """The id of a batch or a file. Raises PermanentError where there is none."""
    found = told.get("id")
    if not isinstance(found, str) or not found:
        raise PermanentError("the server's answer is none", "a batch or file without an id", "check the URL")
    return found


def _faults(told: Mapping[str, Any]) -> str:
    """Why a batch was refused: codes and words."""
    errors = told.get("errors") or {}
    data = errors.get("data") if isinstance(errors, dict) else None
    some = [one for one in data or () if isinstance(one, dict)][:3]
    return "; ".join(f"{one.get('code')}: {one.get('message')}" for one in some) or "no reason given"


def _result(line: bytes) -> LineResult | None:
    """What a line of a result file says; None for one that cannot be read: its request counts as not answered."""
    try:
        told = orjson.loads(line)
        key, response, error = told["custom_id"], told.get("response"), told.get("error")
        if isinstance(response, dict) and response.get("status_code"):
            body = response.get("body")
            return LineResult(key, int(response["status_code"]), orjson.dumps(body))
        code = error.get("code") if isinstance(error, dict) else None
        return LineResult(key, 0 if code in NEVER_BEGUN else FAILED_WITHOUT_STATUS, orjson.dumps({"error": error}))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
