"""A Hub in a process of its own, as far as `datasets` needs one: the dataset some/name at one commit.

python -m tests.seeds.hub    prints its port
"""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee".ljust(40, "0")
CARD = """---
configs:
- {config_name: main, data_files: [{split: train, path: main.jsonl}]}
- {config_name: other, data_files: [{split: test, path: other.jsonl}]}
---
"""
FILES = {
    "README.md": CARD.encode(),
    "main.jsonl": b"".join(b'{"prompt": "seed %d"}\n' % n for n in range(2500)),
    "other.jsonl": b'{"prompt": "other"}\n',
}


class Hub(BaseHTTPRequestHandler):
    """The few requests that reading a public dataset takes."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(json.dumps([self._entry(name) for name in FILES]).encode())

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/datasets/some/name/tree/"):
            self._send(json.dumps([self._entry(name) for name in FILES]).encode())
        elif re.fullmatch(r"/api/datasets/some/name(/revision/(main|v1|c0ffee0+))?", path):
            files = [{"rfilename": name} for name in FILES]
            self._send(
                json.dumps({"_id": "1", "id": "some/name", "sha": COMMIT, "siblings": files, "tags": []}).encode()
            )
        elif (name := path.removeprefix(f"/datasets/some/name/resolve/{COMMIT}/")) in FILES:
            self._send_file(FILES[name])
        else:
            self._send(b"{}", 404, X_Error_Code="EntryNotFound" if "/resolve/" in path else "RepoNotFound")

    def _entry(self, name: str) -> dict[str, object]:
        return {"type": "file", "path": name, "size": len(FILES[name]), "oid": hashlib.sha1(FILES[name]).hexdigest()}

    def _send_file(self, data: bytes) -> None:
        about = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(data, **about)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        self._send(data[start : end + 1], 206, Content_Range=f"bytes {start}-{end}/{len(data)}", **about)

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    print(server.server_port, flush=True)
    server.serve_forever()
