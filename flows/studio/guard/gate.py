"""What stands before the studio: an ASGI app that passes on what its own pages ask for, and refuses the rest.

| what | is refused because |
|---|---|
| another `Host` (421) | a name that is let resolve to this machine (DNS rebinding) is of our origin to the browser |
| a POST without our `Origin`, or that says it comes from another site (403) | another page sends it |
| no session (401) | whoever asks has not opened the studio by its URL |
| a body that is too long (413) | memory and disk are not endless |
| websockets | there are none |

Every answer brings along a content security policy under which nothing runs but the studio's own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.studio.guard.sessions import Sessions

ONLY_READS = ("GET", "HEAD")
METHODS = (*ONLY_READS, "POST")
OPEN_TO_ALL = ("/static/", "/login")
"""Paths that need no session: style and scripts, and where the password is asked for."""
MOST_FORM_BYTES = 4_000_000
MOST_UPLOAD_BYTES = 200_000_000
MOST_URL = 8_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
NOT_OPENED = "Open the studio by the link that `stillroom studio` printed when it was started: it has a token in it.\n"


class NotPassedOn(Exception):
    """A request that is not passed on: the status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Gate:
    """Passes on what may be asked, with the session's cookie in `scope["studio_session"]`."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, hosts: frozenset[str], cookie: str) -> None:
        self._app, self._sessions, self._hosts, self._cookie = app, sessions, hosts, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        say = _with_headers(send)
        try:
            headers = self._checked(scope)
            if (start := self._lets_in(scope)) is not None:
                await start(scope, receive, say)
                return
            self._check_session(scope, headers)
            most = MOST_UPLOAD_BYTES if _is_upload(headers) else MOST_FORM_BYTES
            await self._app(scope, _at_most(most, headers, receive), say)
        except NotPassedOn as refused:
            await PlainTextResponse(refused.why, refused.status)(scope, receive, say)

    def _checked(self, scope: Scope) -> Headers:
        """The headers. Raises NotPassedOn for what comes from elsewhere."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise NotPassedOn(421, "the studio does not answer under that name\n")
        if scope["method"] not in METHODS:
            raise NotPassedOn(405, "the studio takes GET and POST\n")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_URL:
            raise NotPassedOn(414, "this address is too long\n")
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] in ONLY_READS:
            is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            if site not in ("same-origin", "none") and not is_visit:
                raise NotPassedOn(403, "another site may not read what is here\n")
        elif site != "same-origin" or headers.get("origin") != f"{scope['scheme']}://{hosts[0]}":
            raise NotPassedOn(403, "only the studio's own pages may send this\n")
        return headers

    def _lets_in(self, scope: Scope) -> Response | None:
        """The answer to the start URL, None where another is asked for: the cookie, and the same page without the token."""
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = asked.pop("token", None)
        if token is None or scope["method"] not in ONLY_READS:
            return None
        if self._sessions.password is not None or not self._sessions.opens(token[0]):
            raise NotPassedOn(401, NOT_OPENED)
        query = f"?{urlencode(asked, doseq=True)}" if asked else ""
        location = "/" + scope["path"].lstrip("/\\")  # // would lead to another host
        answer = Response(status_code=303, headers={"location": f"{quote(location, safe='/:@')}{query}"})
        self._sessions.begin(answer, self._cookie, scope["scheme"])
        return answer

    def _check_session(self, scope: Scope, headers: Mapping[str, str]) -> None:
        session = _cookies(headers.get("cookie", "")).get(self._cookie, "")
        if self._sessions.holds(session):
            scope["studio_session"] = session
        elif not scope["path"].startswith(OPEN_TO_ALL):
            if self._sessions.password is not None and scope["method"] in ONLY_READS:
                raise NotPassedOn(401, "Sign in at /login\n")
            raise NotPassedOn(401, NOT_OPENED)


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _is_upload(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


def _at_most(most: int, headers: Mapping[str, str], receive: Receive) -> Receive:
    """Take in no more than so many bytes. Raises NotPassedOn where the header says more, HTTPException where more comes."""
    said = headers.get("content-length", "0")
    if not said.isdigit() or int(said) > most:
        raise NotPassedOn(413, f"more than {most // 1_000_000} MB are not taken\n")
    taken = 0

    async def hear() -> Message:
        nonlocal taken
        event = await receive()
        taken += len(event.get("body", b""))
        if taken > most:
            raise HTTPException(413, f"more than {most // 1_000_000} MB are not taken")
        return event

    return hear


def _with_headers(send: Send) -> Send:
    async def say(event: Message) -> None:
        if event["type"] == "http.response.start":
            headers = MutableHeaders(scope=event)
            for name, value in ALWAYS.items():
                headers.setdefault(name, value)
        await send(event)

    return say
