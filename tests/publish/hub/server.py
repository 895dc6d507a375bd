"""A Hub in this process, as far as pushing a dataset and reading it back need one. It keeps the Hub's rules.

The paths and bodies are those that huggingface_hub sends (hf_api.py, _commit_api.py, lfs.py) and that the Hub documents
(huggingface.co/docs/hub/api; git-lfs/docs/api/batch.md): preupload, LFS batch, PUT, verify, commit, tag, refs, tree, resolve.
Its storage takes files through Xet, too (`xet.py`), which is how huggingface_hub sends them where hf_xet is installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from tests.publish.hub.xet import chunks_of, files_in

TOKEN = "hf_theTokenThatNobodySees4711"
XET_TOKEN = "xet_theOneForItsStorage"
REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"


@dataclass
class Repo:
    private: bool
    commits: list[tuple[str, dict[str, bytes], str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def files_at(self, revision: str) -> dict[str, bytes] | None:
        """The files of a branch, tag or commit: of an LFS file its pointer, `lfs:<sha256>`."""
        wanted = self.commits[-1][0] if revision == "main" else self.tags.get(revision, revision)
        return next((files for oid, files, _ in self.commits if oid == wanted), None)

    def commit(self, files: dict[str, bytes], message: str) -> str:
        oid = hashlib.sha1(f"{len(self.commits)}{message}{sorted(files)}".encode()).hexdigest()
        self.commits.append((oid, files, message))
        return oid


@dataclass
class FakeHub:
    """Its state. `fault(method, path)`: the status of an answer that fails, else None; it may wait, or change what is there.

    `puts`: how often the content of each name was sent, whether by LFS or as a xorb. `asked`: the query of the last request.
    """

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    xorbs: dict[str, list[bytes]] = field(default_factory=dict)
    puts: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str]] = field(default_factory=list)
    asked: str = ""
    fault: Callable[[str, str], int | None] = lambda *_: None
    lose_answer: Callable[[str, str], bool] = lambda *_: False

    def content(self, repo: str, path: str, revision: str = "main") -> bytes:
        files = self.repos[repo].files_at(revision)
        assert files is not None
        return self.data_of(files[path])

    def data_of(self, entry: bytes) -> bytes:
        return self.stored[entry[4:].decode()] if entry.startswith(b"lfs:") else entry

    def names(self, repo: str, revision: str = "main") -> set[str]:
        return set(self.repos[repo].files_at(revision) or {})

    def messages(self, repo: str) -> list[str]:
        return [message for _, _, message in self.repos[repo].commits]


Route = Callable[[FakeHub, "re.Match[str]", bytes], tuple[int, Any]]
NOT_FOUND = (404, {"error": "Repository not found"})
ROUTES: list[tuple[str, re.Pattern[str], Route]] = []


def route(method: str, pattern: str) -> Callable[[Route], Route]:
    def add(handler: Route) -> Route:
        ROUTES.append((method, re.compile(pattern), handler))
        return handler

    return add


@route("GET", r"/api/whoami-v2")
def whoami(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    return 200, {"type": "user", "name": "me"}


@route("POST", r"/api/repos/create")
def create(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    told = json.loads(body)
    assert told["type"] == "dataset"
    name = f"{told.get('organization') or 'me'}/{told['name']}"
    if told.get("organization") not in (None, "me"):
        return 403, {"error": "You don't have the rights to create a dataset there"}
    if name in hub.repos:
        return 409, {"error": "You already created this dataset repo", "url": f"{hub.url}/datasets/{name}"}
    hub.repos[name] = Repo(told.get("visibility") == "private")
    hub.repos[name].commit({".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")
    return 200, {"url": f"{hub.url}/datasets/{name}"}


@route("GET", r"/api/datasets")
def listed(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    asked = parse_qs(hub.asked)
    words = asked.get("search", [""])[0].lower()
    names = [name for name, repo in hub.repos.items() if words in name.lower() and not repo.private]
    told = [
        {
            "_id": name,
            "id": name,
            "downloads": 1000 + number,
            "likes": number,
            "tags": ["task_categories:text-generation"],
        }
        for number, name in enumerate(names)
    ]
    return 200, sorted(told, key=lambda one: -one["downloads"])[: int(asked["limit"][0])]


@route("GET", rf"/api/datasets/{REPO}(/revision/(?P<revision>[^/]+))?")
def info(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    repo = hub.repos.get(at["repo"])
    files = repo.files_at(unquote(at["revision"] or "main")) if repo else None
    if repo is None or files is None:
        return NOT_FOUND
    sha = next(oid for oid, there, _ in reversed(repo.commits) if there is files)
    siblings = [{"rfilename": name} for name in files]
    return 200, {
        "_id": "1",
        "id": at["repo"],
        "sha": sha,
        "private": repo.private,
        "siblings": siblings,
        "tags": [],
    }


@route("GET", rf"/api/datasets/{REPO}/tree/(?P<revision>[^/]+)(/(?P<below>.*))?")
def tree(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    files = hub.repos[at["repo"]].files_at(unquote(at["revision"]))
    if files is None:
        return 404, {"error": "Invalid rev id"}
    below = unquote(at["below"] or "")
    return 200, [entry(hub, name, data) for name, data in sorted(files.items()) if name.startswith(below)]


@route("POST", rf"/api/datasets/{REPO}/paths-info/(?P<revision>[^/]+)")
def paths_info(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    files = hub.repos[at["repo"]].files_at(unquote(at["revision"])) or {}
    wanted = json.loads(body)["paths"]
    return 200, [entry(hub, name, files[name]) for name in wanted if name in files]


def entry(hub: FakeHub, name: str, data: bytes) -> dict[str, Any]:
    content = hub.data_of(data)
    told = {"type": "file", "path": name, "size": len(content), "oid": blob(data)}
    if data.startswith(b"lfs:"):
        told["lfs"] = {"oid": data[4:].decode(), "size": len(content), "pointerSize": 130}
    return told


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@route("GET", rf"/api/datasets/{REPO}/refs")
def refs(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    repo = hub.repos[at["repo"]]
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid} for name, oid in repo.tags.items()]
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commits[-1][0]}
    return 200, {"branches": [main], "converts": [], "tags": tags}


@route("POST", r"/api/validate-yaml")
def validate_yaml(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    return 200, {"errors": [], "warnings": []}


@route("POST", rf"/api/datasets/{REPO}/preupload/(?P<revision>[^/]+)")
def preupload(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    files = hub.repos[at["repo"]].files_at(at["revision"]) or {}
    told = []
    for file in json.loads(body)["files"]:
        is_lfs = file["path"].endswith(".parquet")
        there = files.get(file["path"])
        oid = None if there is None else there[4:].decode() if there.startswith(b"lfs:") else blob(there)
        mode = "lfs" if is_lfs else "regular"
        told.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return 200, {"files": told}


@route("POST", rf"/datasets/{REPO}\.git/info/lfs/objects/batch")
def batch(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    told = json.loads(body)
    assert told["operation"] == "upload" and "basic" in told["transfers"]
    return 200, {"transfer": "basic", "objects": [lfs_action(hub, one) for one in told["objects"]]}


def lfs_action(hub: FakeHub, wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted["oid"] in hub.stored:  # what is there has no action
        return wanted
    upload = {"href": f"{hub.url}/storage/{wanted['oid']}?X-Amz-Signature=secret"}
    return wanted | {"actions": {"upload": upload, "verify": {"href": f"{hub.url}/verify"}}}


@route("PUT", r"/storage/(?P<oid>[0-9a-f]{64})")
def put(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    hub.puts[at["oid"]] += 1
    if hashlib.sha256(body).hexdigest() != at["oid"]:
        return 400, {"error": "the content is not what its name says"}
    hub.stored[at["oid"]] = body
    return 200, {}


@route("POST", r"/verify")
def verify(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    told = json.loads(body)
    return (200, {}) if len(hub.stored.get(told["oid"], b"")) == told["size"] else (404, {"error": "no such object"})


@route("GET", rf"/api/datasets/{REPO}/xet-write-token/(?P<revision>[^/]+)")
def xet_token(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    return 200, {"accessToken": XET_TOKEN, "exp": int(time.time()) + 3600, "casUrl": hub.url}


@route("POST", r"/v1/xorbs/default/(?P<hash>[0-9a-f]{64})")
def xorb(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    hub.puts[at["hash"]] += 1
    hub.xorbs[at["hash"]] = list(chunks_of(body))
    return 200, {"was_inserted": True}


@route("POST", r"/v1/shards")
def shard(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    for sha256, segments in files_in(body):
        data = b"".join(chunk for name, first, end in segments for chunk in hub.xorbs[name][first:end])
        if hashlib.sha256(data).hexdigest() != sha256:
            return 400, {"error": "the chunks are not those of the file"}
        hub.stored[sha256] = data
    return 200, {"result": 1}


@route("POST", rf"/api/datasets/{REPO}/commit/(?P<revision>[^/]+)")
def commit(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    repo = hub.repos[at["repo"]]
    lines = [json.loads(line) for line in body.splitlines()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    if header.get("parentCommit") not in (None, repo.commits[-1][0]):
        return 412, {"error": "A commit has happened since. Please refresh and try again."}
    files = dict(repo.commits[-1][1])
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            if len(hub.stored.get(value["oid"], b"")) != value["size"]:
                return 400, {"error": f"LFS object {value['oid']} is not there"}
            files[value["path"]] = f"lfs:{value['oid']}".encode()
        elif line["key"] == "deletedFile" and files.pop(value["path"], None) is None:
            return 404, {"error": "A file with this name doesn't exist"}
    oid = repo.commit(files, header["summary"])
    return 200, {"commitUrl": f"{hub.url}/datasets/{at['repo']}/commit/{oid}", "commitOid": oid}


@route("POST", rf"/api/datasets/{REPO}/tag/(?P<revision>[^/]+)")
def tag(hub: FakeHub, at: re.Match[str], body: bytes) -> tuple[int, Any]:
    repo, name = hub.repos[at["repo"]], json.loads(body)["tag"]
    if name in repo.tags:
        return 409, {"error": "Tag already exists"}
    repo.tags[name] = repo.commits[-1][0] if at["revision"] == "main" else at["revision"]
    return 200, {}


class Handler(BaseHTTPRequestHandler):
    """Checks the token of each request to the Hub itself; a file is put without it, since its URL is signed."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def _serve(self) -> None:
        path, _, self.hub.asked = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        self.hub.requests.append((self.command, path))
        told = self.headers.get("Authorization")
        if path.startswith("/storage/"):
            assert told is None, "the token goes to the Hub alone"
        elif path.startswith(("/v1/", "/v2/")):
            assert told == f"Bearer {XET_TOKEN}", "the storage has a token of its own"
        elif told != f"Bearer {TOKEN}":
            self._send(401, {"error": f"Invalid credentials in Authorization header: {told}"})
            return
        if (status := self.hub.fault(self.command, path)) is not None:
            self._send(status, {"error": f"{self.headers['Authorization']} fails: {dict(self.headers)}"})
            return
        if path.startswith("/datasets/") and "/resolve/" in path:
            self._resolve(path)
            return
        for method, pattern, handle in ROUTES:
            if method == self.command and (found := pattern.fullmatch(path)):
                answer = handle(self.hub, found, body)
                if self.hub.lose_answer(self.command, path):
                    answer = (500, {"error": "it was done, and the answer is lost"})
                self._send(*answer)
                return
        self._send(404, {"error": f"no such path: {path}"})

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 - the base class calls them so

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _resolve(self, path: str) -> None:
        found = re.fullmatch(rf"/datasets/{REPO}/resolve/(?P<revision>[^/]+)/(?P<name>.*)", path)
        assert found is not None
        repo = self.hub.repos[found["repo"]]
        files, name = repo.files_at(found["revision"]) or {}, unquote(found["name"])
        if name not in files:
            self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        data = self.hub.data_of(files[name])
        oid = next(oid for oid, there, _ in repo.commits if there is files)
        about = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": oid, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            about["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            self._send(206, data[start : end + 1], about)
        else:
            self._send(200, data, about)

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        named = {"X-Error-Code": "RepoNotFound"} if (status, answer) == NOT_FOUND else {}
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        if status >= 400 and isinstance(answer, dict):
            named["X-Error-Message"] = str(answer["error"])[:200].replace("\n", " ")
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **named, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A Hub at an address of its own while the block runs."""
    hub = FakeHub()
    handler = type("HubHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def hub_of_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub to which huggingface_hub talks in this process, with a token."""
    with fake_hub() as one:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", one.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield one
