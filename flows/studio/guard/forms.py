"""What every form has to bring along: the token of its session, as a field or as a header."""

from __future__ import annotations

from fastapi import HTTPException, Request

from flows.studio.guard.gate import ONLY_READS

FIELD, HEADER = "csrf", "x-csrf-token"


async def check_form(request: Request) -> None:
    """Raise 403 for what is sent without the token. A dependency of the whole app, so that no page can leave it out."""
    if request.method in ONLY_READS:
        return
    session = request.scope.get("studio_session", "")
    given = request.headers.get(HEADER)
    if given is None:
        kind = request.headers.get("content-type", "").partition(";")[0]
        is_form = kind in ("application/x-www-form-urlencoded", "multipart/form-data")
        given = str((await request.form()).get(FIELD, "")) if is_form else ""
    if not request.app.state.studio.sessions.is_form_token(session, given):
        raise HTTPException(403, "this form is not of this session: reload the page")
