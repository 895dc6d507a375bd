"""A server with the batch endpoints of OpenAI and of Anthropic, and their single requests, on loopback.

    with serving_batches() as provider:
        ModelConfig(name=provider.openai, batch={"gather_s": 0.05, "poll_s": 0.05})

It counts what it would send a bill for: `paid`, by the words that were asked.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from tests.models.messages_api import fault_of
from tests.models.server import Server, answer, serving

Answer = Callable[[str], tuple[int, str]]
"""From what is asked last to an HTTP status and the text of the answer."""
NOT_ANSWERED = 0


def echo(asked: str) -> tuple[int, str]:
    return 200, f"An answer, and a whole one, to this: {asked}"


@dataclass
class Job:
    """A batch: its lines, and how many of them are answered before it ends."""

    id: str
    lines: list[dict[str, Any]]
    tag: str = ""
    file: str = ""
    created_s: float = field(default_factory=time.time)
    status: str = "in_progress"
    results: dict[str, list[bytes]] = field(default_factory=dict)


@dataclass
class BatchProvider:
    """`answer`: of each line; `ends`: how batches end, and after how many lines, in order: ("completed", None) for ever.

    `looks`: how often a batch is seen under way before it has ended; `at`: is told of each call, before it is done
    (METHOD PATH) and after (METHOD PATH done): tests kill there.
    """

    answer: Answer = echo
    ends: list[tuple[str, int | None]] = field(default_factory=list)
    looks: int = 1
    at: Callable[[str], None] = lambda _: None
    server: Server | None = None
    paid: Counter[str] = field(default_factory=Counter)
    single: int = 0
    calls: list[str] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    keeps_metadata: bool = True
    most_lines: int = 50_000

    @property
    def openai(self) -> str:
        assert self.server is not None
        return self.server.name

    @property
    def anthropic(self) -> str:
        return self.openai.removesuffix("/v1")

    async def behave(self, request: web.Request) -> web.StreamResponse:
        call = f"{request.method} {re.sub(r'(file|batch|msgbatch)[-_][0-9]+', 'ID', request.path)}"
        self.calls.append(call)
        self.at(call)
        said = await self._answered(request, await request.read())
        self.at(f"{call} done")
        return said

    async def _answered(self, request: web.Request, body: bytes) -> web.StreamResponse:
        path, method = request.path.removeprefix("/v1"), request.method
        if path in ("/chat/completions", "/completions", "/messages"):
            self.single += 1
            status, told = self._one(orjson.loads(body), anthropic=path == "/messages")
            return web.json_response(told, status=status)
        if path == "/files":
            return self._upload(request, body)
        if file := re.fullmatch(r"/files/(file-\d+)/content", path):
            return await self._lines(request, self.files[file[1]])
        if path in ("/batches", "/messages/batches"):
            return self._list(path) if method == "GET" else self._create(orjson.loads(body), request)
        found = re.fullmatch(r"(?:/messages)?/batches/(\w+)(/\w+)?", path)
        if found is None or found[1] not in self.jobs:
            return web.json_response({"error": {"message": "no such batch"}}, status=404)
        job = self.jobs[found[1]]
        if found[2] == "/cancel":
            self._end(job, "cancelled", 0)
        elif found[2] == "/results":
            return await self._lines(request, b"\n".join(job.results["all"]))
        elif job.status == "in_progress":
            self._look(job)
        return web.json_response(self._told(job, anthropic="/messages" in path))

    # Single requests.

    def _one(self, body: dict[str, Any], *, anthropic: bool) -> tuple[int, dict[str, Any]]:
        """The answer to a request, sent alone or in a batch."""
        asked = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        asked = asked if isinstance(asked, str) else asked[-1]["text"]
        status, text = self.answer(asked)
        if status != 200:
            error = {"message": text, "type": "api_error" if status >= 500 else "invalid_request_error"}
            return status, {"type": "error", "error": error} if anthropic else {"error": error}
        self.paid[asked] += 1
        if anthropic:
            blocks = [{"type": "text", "text": text}]
            usage = {"input_tokens": 7, "output_tokens": 3}
            return 200, {
                "type": "message",
                "content": blocks,
                "stop_reason": "end_turn",
                "usage": usage,
                "model": "a-model",
            }
        said = answer(text)
        if "prompt" in body:
            said["choices"][0]["text"] = said["choices"][0].pop("message")["content"]
        return 200, said

    # Batches.

    def _upload(self, request: web.Request, body: bytes) -> web.Response:
        boundary = request.content_type and request.headers["Content-Type"].partition("boundary=")[2]
        purpose, file = body.split(f"--{boundary}\r\n".encode())[1:]
        assert purpose.rstrip().endswith(b"batch")
        assert b'filename="' in file
        self.files[f"file-{len(self.files)}"] = file.partition(b"\r\n\r\n")[2].partition(f"\r\n--{boundary}".encode())[
            0
        ]
        return web.json_response({"id": f"file-{len(self.files) - 1}", "purpose": "batch"})

    def _create(self, asked: dict[str, Any], request: web.Request) -> web.Response:
        if "requests" in asked:
            faults = [fault_of("/v1/messages", dict(request.headers), one["params"]) for one in asked["requests"]]
            ids = [one["custom_id"] for one in asked["requests"]]
            if any(faults) or any(not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in ids):
                return web.json_response({"error": {"message": f"{faults}"}}, status=400)
            job = Job(f"msgbatch_{len(self.jobs)}", asked["requests"])
        else:
            lines = [orjson.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
            assert all(line["url"] == asked["endpoint"] for line in lines)
            assert asked["completion_window"] == "24h"
            ids = [line["custom_id"] for line in lines]
            tag = asked["metadata"]["stillroom"] if self.keeps_metadata else ""
            job = Job(f"batch_{len(self.jobs)}", lines, tag, asked["input_file_id"])
            if len(lines) > self.most_lines:
                job.status = "failed"
        assert len(set(ids)) == len(ids)
        self.jobs[job.id] = job
        return web.json_response(self._told(job, anthropic="requests" in asked))

    def _list(self, path: str) -> web.Response:
        for job in self.jobs.values():
            if job.status == "in_progress":
                self._look(job)  # time goes by for all of them
        jobs = [job for job in reversed(self.jobs.values()) if job.id.startswith("msg") == path.startswith("/messages")]
        data = [self._told(job, anthropic=path.startswith("/messages")) for job in jobs]
        return web.json_response({"data": data, "has_more": False})

    def _look(self, job: Job) -> None:
        if self.looks > 0:
            self.looks -= 1
            return
        how, lines = self.ends.pop(0) if self.ends else ("completed", None)
        self._end(job, how, len(job.lines) if lines is None else lines)

    def _end(self, job: Job, how: str, lines: int) -> None:
        """Answer so many lines; backwards, since no order is promised."""
        for number, line in reversed(list(enumerate(job.lines))):
            if "params" in line:
                self._end_of_anthropics(job, line, how, answered=number < lines)
            else:
                self._end_of_openais(job, line, how, answered=number < lines)
        job.status = how
        for name, some in list(job.results.items()):
            self.files[f"file-{len(self.files)}"] = b"\n".join(some)
            job.results[f"{name}_file_id"] = [f"file-{len(self.files) - 1}".encode()]

    def _end_of_openais(self, job: Job, line: dict[str, Any], how: str, *, answered: bool) -> None:
        told: dict[str, Any] = {"id": f"{job.id}-{line['custom_id']}", "custom_id": line["custom_id"]}
        if not answered:
            error = {"code": f"batch_{how}", "message": "This request could not be executed"}
            job.results.setdefault("error", []).append(orjson.dumps(told | {"response": None, "error": error}))
            return
        status, body = self._one(line["body"], anthropic=False)
        response = {"status_code": status, "request_id": "req", "body": body}
        kind = "output" if status == 200 else "error"
        job.results.setdefault(kind, []).append(orjson.dumps(told | {"response": response, "error": None}))

    def _end_of_anthropics(self, job: Job, line: dict[str, Any], how: str, *, answered: bool) -> None:
        result: dict[str, Any] = {"type": "canceled" if how == "cancelled" else "expired"}
        if answered:
            status, body = self._one(line["params"], anthropic=True)
            result = {"type": "succeeded", "message": body} if status == 200 else {"type": "errored", "error": body}
        job.results.setdefault("all", []).append(orjson.dumps({"custom_id": line["custom_id"], "result": result}))

    def _told(self, job: Job, *, anthropic: bool) -> dict[str, Any]:
        """The object of a batch."""
        ended = job.status != "in_progress"
        if anthropic:
            kinds = Counter(orjson.loads(line)["result"]["type"] for line in job.results.get("all", ()))
            created = datetime.fromtimestamp(job.created_s, UTC).isoformat()
            counts = kinds if ended else {"processing": len(job.lines)}
            return {
                "id": job.id,
                "processing_status": "ended" if ended else "in_progress",
                "created_at": created,
                "request_counts": dict(counts),
            }
        files = {
            name: job.results[name][0].decode() for name in ("output_file_id", "error_file_id") if name in job.results
        }
        counts = {
            "total": len(job.lines),
            "completed": len(job.results.get("output", ())),
            "failed": len(job.results.get("error", ())),
        }
        told = {"id": job.id, "status": job.status, "created_at": int(job.created_s), "request_counts": counts, **files}
        if job.status == "failed":
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
            told["errors"] = {"object": "list", "data": [error]}
        return told | ({"metadata": {"stillroom": job.tag}} if job.tag else {"input_file_id": job.file})

    async def _lines(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """A file, in two pieces."""
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        self.at("half a file")
        await response.write(content[len(content) // 2 :])
        return response


@contextmanager
def serving_batches(**how: Any) -> Iterator[BatchProvider]:
    """A provider of batches, started."""
    provider = BatchProvider(**how)
    with serving(provider.behave) as provider.server:
        yield provider
