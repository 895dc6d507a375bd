"""Who has opened the studio: a token in the start URL, then a signed cookie, and with it the token of each form.

The secret lies in the home (0600), so that a page that is open goes on working when the studio is started again. To end
all sessions, remove the file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.storage.home import PRIVATE_FILE, home, make_private

if TYPE_CHECKING:
    from starlette.responses import Response

SECRET = "studio.secret"
SECRET_BYTES = 32
LASTS_S = 30 * 24 * 3600
"""How long a session lasts."""


class Sessions:
    """Makes and checks the tokens of one studio. `token` opens it; `password` is needed as well where it is not None."""

    def __init__(self, secret: bytes, token: str, password: str | None) -> None:
        self._secret, self.token, self.password = secret, token, password

    def opens(self, token: str) -> bool:
        """Whether this is the token of the start URL."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def is_password(self, word: str) -> bool:
        """Whether this is the password; never where there is none."""
        return self.password is not None and hmac.compare_digest(word.encode(), self.password.encode())

    def new(self) -> str:
        """The cookie of a new session."""
        told = f"{secrets.token_hex(16)}.{int(time.time()) + LASTS_S}"
        return f"{told}.{self._signed('session', told)}"

    def begin(self, answer: Response, cookie: str, scheme: str) -> None:
        """Have a browser keep a new session, under the name of a cookie."""
        secure = scheme == "https"
        answer.set_cookie(cookie, self.new(), max_age=LASTS_S, httponly=True, samesite="strict", secure=secure)

    def holds(self, cookie: str) -> bool:
        """Whether a cookie is one of ours, and has not run out."""
        told, _, signature = cookie.rpartition(".")
        if not told or not hmac.compare_digest(signature.encode(), self._signed("session", told).encode()):
            return False
        return int(told.rpartition(".")[2]) > time.time()

    def form_token(self, cookie: str) -> str:
        """What a form of this session has to bring along, so that no other page can send one."""
        return self._signed("form", cookie)

    def is_form_token(self, cookie: str, given: str) -> bool:
        """Whether a form brings along what it has to."""
        return hmac.compare_digest(given.encode(), self.form_token(cookie).encode())

    def _signed(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose} {self.password} {text}".encode(), hashlib.sha256).hexdigest()


def kept_secret() -> bytes:
    """The secret of this home, made where there is none."""
    place: Path = home() / SECRET
    make_private(home())
    try:
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
    except FileExistsError:
        pass
    found = place.read_bytes()
    if len(found) == SECRET_BYTES:
        return found
    place.unlink()  # it was cut short
    return kept_secret()
