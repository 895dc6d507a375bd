"""What can go wrong between a request and its completion, and how often it is tried again: the only retries there are.

Three kinds come back from one exchange. `Busy`: the server has no room, or is not there; the window is cut, and the
row loses nothing. `Fault`: this exchange failed, the next may not; a row has so many of them. What is final is raised
as `RequestRefused` (the row's own) or `PermanentError` (the run's).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from tasks.errors import PermanentError, RequestRefused
from tasks.models.endpoint.limits import retry_after_s
from tasks.patterns import pattern

BUSY = frozenset({429, 503, 529})
TRANSIENT = frozenset({408, 425})
TOO_LONG = pattern(
    r"context[_ ](?:length|window|size|limit)|maximum (?:model |sequence )?length|max_model_len|too many (?:input )?tokens"
    r"|(?:prompt|input|message)s?`? (?:is|are) too long|tokens? \+ `?max_new_tokens`? must be|exceeds? the (?:model|token limit)",
    re.IGNORECASE,
)
NO_MODEL = pattern(
    r"model_not_found|(?:unknown|invalid|no such) model|model\b.{0,80}(?:not found|does not exist|not available)"
    r"|server is pinned to",
    re.IGNORECASE,
)
NO_CREDIT = pattern(r"insufficient_quota|billing_hard_limit|credit balance is too low", re.IGNORECASE)
SPENT = pattern(  # where the status does not mean that there is no room just now
    NO_CREDIT.pattern + r"|insufficient[_ ](?:account[_ ])?(?:balance|credits?|funds)|payment required|arrear"
    r"|(?:no|not enough|out of|exceeded your|ran out of) (?:\w+ )?(?:credits?|balance|quota)\b"
    r"|(?:key|spend(?:ing)?|usage|credit|monthly) limit (?:has been |was )?(?:exceeded|reached)"
    r"|quota (?:has been |was )?exceeded|budget has been exceeded|exceeded[_ ]?budget",
    re.IGNORECASE,
)
NO_ROUTE = pattern(
    r"unexpected endpoint|(?:unknown|invalid|no such) (?:endpoint|url|path|route)|cannot (?:post|get) /|method not allowed"
    r"|(?:endpoint|route|path|url|page) (?:was )?not found",
    re.IGNORECASE,
)
MESSAGE_CHARS = 300
WHOLE_TRIES = 3  # of timeouts, and of answers that make no sense: more would not help

Reason = Literal["transport", "timeout", "bad_answer"]


class Busy(Exception):
    """No room at the server, or no server. `wait_s`: how long it asks to be left alone; None where it does not say."""

    def __init__(self, what: str, wait_s: float | None = None, *, connected: bool = True) -> None:
        super().__init__(what)
        self.wait_s, self.connected = wait_s, connected


class Fault(Exception):
    """An exchange that failed. Another one may succeed."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(what)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error of a server, in the words of HTTP: as its provider reads it.

    `status`: the HTTP status that it stands for; `message`: what it says, for people; `raw`: its text, in which codes
    are looked for; `wait_s`: how long it asks to be left alone.
    """

    status: int
    message: str
    raw: str
    wait_s: float | None = None


# Not tenacity: a refusal costs no try and waits for the window that all requests share, a fault counts by its kind; as
# its stop and wait functions this would be no shorter.
@dataclass(slots=True)
class Patience:
    """What one request may still go through. Delays double, with jitter, from `first_s` to `longest_s`.

    `tries` bounds the faults (timeouts and senseless answers: three), `whole_s` the time since the first refusal.
    """

    tries: int = 10
    whole_s: float = 600.0
    first_s: float = 0.5
    longest_s: float = 30.0
    faults: dict[Reason, int] = field(default_factory=dict)
    refusals: int = 0
    _refused_at: float | None = None

    def after_fault(self, fault: Fault) -> float:
        """Seconds to wait before the next try. Raises RequestRefused when there is none."""
        self.faults[fault.reason] = self.faults.get(fault.reason, 0) + 1
        most = self.tries if fault.reason == "transport" else min(self.tries, WHOLE_TRIES)
        tries = sum(self.faults.values())
        if self.faults[fault.reason] >= most or tries >= self.tries:
            raise RequestRefused(fault.reason, f"{fault}, tried {tries} times")
        return self._jittered(tries - 1)

    def after_refusal(self, busy: Busy) -> float:
        """Seconds to wait before asking for a slot again; the window does the rest of the waiting.

        Raises RequestRefused when the server has refused this one for too long.
        """
        now = time.monotonic()
        self._refused_at = now if self._refused_at is None else self._refused_at
        if now - self._refused_at > self.whole_s:
            raise RequestRefused("transport", f"{busy}, for {now - self._refused_at:.0f} s")
        self.refusals += 1
        return self._jittered(min(self.refusals - 1, 4)) / 10

    def _jittered(self, doublings: int) -> float:
        return min(self.longest_s, self.first_s * 2.0 ** min(doublings, 30)) * random.uniform(0.5, 1)


@dataclass(frozen=True, slots=True)
class Server:
    """What errors say of an endpoint: where it is, and where its key comes from; the key itself is kept out of them."""

    url: str
    model: str
    key_env: str | None
    key: str | None = field(repr=False)

    def scrub(self, text: str) -> str:
        """The text in one line of bounded length, without the key."""
        text = text.replace(self.key, "***") if self.key else text
        return re.sub(r"\s+", " ", text).strip()[:MESSAGE_CHARS]

    def without_key(self, body: bytes) -> bytes:
        """An error's body without the key: before anything is cut off, since half a key is a secret too."""
        return body.replace(self.key.encode(), b"***") if self.key else body

    def judge(self, error: ServerError, headers: Mapping[str, str], *, answered: bool) -> Exception:
        """The exception that an error of the server means. `answered`: the endpoint has answered others."""
        status, message = error.status, self.scrub(error.message)
        said = f"HTTP {status}: {message}" if message else f"HTTP {status}"
        if status in BUSY and not NO_CREDIT.search(error.raw):
            return Busy(said, error.wait_s)
        if status in (400, 403) and SPENT.search(message):
            status = 402
        if status in TRANSIENT or status >= 500:
            return Fault("timeout" if status == 408 else "transport", said)
        if status == 403 and answered:
            return RequestRefused("forbidden", said)  # a filter in front of the server that dislikes this text
        if not answered and status in (400, 422) and NO_MODEL.search(error.raw):
            status = 404
        if status in (400, 413, 422) or (400 < status < 500 and status not in (401, 402, 403, 404, 405, 429)):
            too_long = status == 413 or TOO_LONG.search(error.raw)
            return RequestRefused("context_too_long" if too_long else "bad_request", said)
        return self._final(status, headers, said)

    def _final(self, status: int, headers: Mapping[str, str], said: str) -> PermanentError:
        if status in (401, 403):
            return self._about_the_key(said)
        if status in (402, 429):
            fix = "top it up; the same command goes on"
            return PermanentError("the account has no credit left", f"{self.url}: {said}", fix)
        if status in (404, 405):
            fix = "check the model's name, and that the URL ends where /chat/completions or /embeddings begins, mostly in /v1"
            what = "the server does not know this model"
            if NO_ROUTE.search(said):
                what = "the server does not know this URL"
            return PermanentError(what, f"{self.model}@{self.url}: {said}", fix)
        if 300 <= status < 400:
            goal = self.scrub(headers.get("location", "")).partition("?")[0]
            what = "the server redirects, and the key goes nowhere else"
            return PermanentError(what, self.url, f"name {goal or 'its goal'} itself")
        return PermanentError("the server's answer is none", f"{self.url}: {said}", "check the URL")

    def _about_the_key(self, said: str) -> PermanentError:
        if self.key_env is None:
            fix = "name the environment variable that holds it: api_key_env"
            return PermanentError("the server wants a key", f"{self.url}: {said}", fix)
        fix = f"check the environment variable {self.key_env}"
        return PermanentError("the server does not take the key", f"{self.url}: {said}", fix)


def server_error(status: int, headers: Mapping[str, str], body: bytes) -> ServerError:
    """An error in the forms that most servers use."""
    return ServerError(status, error_message(body), raw_text(body), retry_after_s(headers))


def error_message(body: bytes) -> str:
    """What an error's body says, in words: from JSON in the forms that servers use, else without its HTML tags."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:4096].decode("utf-8", "replace")
        return re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return found if isinstance(found, str) else orjson.dumps(found).decode()


def status_in(body: bytes) -> int:
    """The HTTP status that an error stands for which came with 200 and without a code: by its words, else 500."""
    words = error_message(body)[:MESSAGE_CHARS]
    return 402 if SPENT.search(words) else 404 if NO_ROUTE.search(words) else 500


def raw_text(body: bytes) -> str:
    """The raw text of an error, in which codes are looked for."""
    return body[:65536].decode("utf-8", "replace")
