"""Where the password is asked for, of a studio that others reach."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from flows.studio.guard.sessions import LASTS_S
from flows.studio.messages import LANGUAGES
from flows.studio.pages import LANGUAGE_COOKIE, page
from flows.studio.state import TheStudio

WRONG_WAITS_S = 1.0
"""So long a wrong password is looked at, each after the other."""

router = APIRouter()
_one_at_a_time = asyncio.Lock()


@router.get("/login")
def ask_for_password(request: Request, studio: TheStudio) -> Response:
    """Show the page that asks for the password."""
    return page(request, "login.html", has_password=studio.sessions.password is not None, wrong=False)


@router.post("/login")
async def sign_in(request: Request, studio: TheStudio, password: Annotated[str, Form()] = "") -> Response:
    """Begin a session, or say that the password is wrong."""
    async with _one_at_a_time:
        if not studio.sessions.is_password(password):
            await asyncio.sleep(WRONG_WAITS_S)
            has_one = studio.sessions.password is not None
            return page(request, "login.html", status=401, has_password=has_one, wrong=True)
    answer = RedirectResponse("/", 303)
    studio.sessions.begin(answer, studio.cookie, request.url.scheme)
    return answer


@router.post("/language")
def choose_language(language: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
    """Speak another language from now on, on the page where it was chosen."""
    where = "/" + back.lstrip("/\\") if back.startswith("/") else "/"
    answer = RedirectResponse(where, 303)
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=LASTS_S, httponly=True, samesite="strict")
    return answer
