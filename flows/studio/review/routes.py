"""The pages of Review. A decision is a form that is sent, written down, and answered by the next row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from flows.studio.look.filters import Looked, ids_left
from flows.studio.pages import page, url_of
from flows.studio.review.session import ReviewSession
from flows.studio.review.shown import ReviewedRow, reviewed_row
from flows.studio.state import DatasetFolder
from tasks.errors import ConfigError
from tasks.reviews.desk import ReviewDesk
from tasks.reviews.queue import QUEUE_ORDERS

router = APIRouter(prefix="/d/{name}/review")
RATES = ("1", "2", "3", "4", "5")
PREFERENCES = ("left", "right", "tie")


@router.get("")
def show_review(request: Request, name: str, folder: DatasetFolder) -> Response:
    """The row that waits for the reviewer; who they are and which rows they want, where that is not said yet."""
    session, desk = ReviewSession.of(request.url.query), ReviewDesk(folder)
    looked = Looked.at(folder, session.query)
    if not session.by:
        reviewers = sorted({reviewer for reviewer, _ in desk.stand()})
        return page(
            request,
            "review_start.html",
            name=name,
            session=session,
            looked=looked,
            orders=QUEUE_ORDERS,
            reviewers=reviewers,
            rows=len(ids_left(looked)) if session.query.is_filtered else looked.view.rows,
        )
    stand = desk.stand()
    row_id = session.row or session.next_row(looked, stand)
    rows = desk.rows([row_id]) if row_id else {}
    if row_id and row_id not in rows:
        raise ConfigError("no such row in the dataset", row_id, "take a row_id of its rows")
    shown = reviewed_row(row_id, rows[row_id], session) if row_id else None
    mine = [shown.said_by(one.decision) for one in stand.get((session.by, shown.row_id), ())] if shown else []
    return page(
        request,
        "review.html",
        name=name,
        session=session,
        shown=shown,
        mine=mine,
        done=sum(reviewer == session.by for reviewer, _ in stand),
        rows=looked.view.rows,
        rates=RATES,
        here_again=f"{url_of('d', name, 'review')}?",
    )


@router.post("")
async def decide(request: Request, name: str, folder: DatasetFolder) -> Response:
    """Write a decision down, and go on. It is on the disk before the answer is sent."""
    form = {key: str(value) for key, value in (await request.form()).items()}
    session = ReviewSession.of(form.get("session", ""))
    did = await run_in_threadpool(_decided, folder, session, form)
    return RedirectResponse(f"{url_of('d', name, 'review')}?{session.url(did=did)}", 303)


@router.post("/undo")
async def undo(request: Request, name: str, folder: DatasetFolder) -> Response:
    """Take the reviewer's last decision back, and show its row."""
    form = await request.form()
    session = ReviewSession.of(str(form.get("session", "")))
    last = await run_in_threadpool(ReviewDesk(folder).undo, session.by)
    told = {"did": "undo", "row": last.decision.about} if last else {"did": "nothing"}
    return RedirectResponse(f"{url_of('d', name, 'review')}?{session.url(**told)}", 303)


@router.post("/bulk")
async def bulk(request: Request, name: str, folder: DatasetFolder) -> Response:
    """Decide the same about all rows of a filter."""
    form = {key: str(value) for key, value in (await request.form()).items()}
    session = ReviewSession.of(form.get("session", ""))

    def decide_all() -> int:
        if session.query.table != "rows":
            raise ConfigError("only rows can be decided about", session.query.table, "filter rows, not rejects")
        told = _plain(form.get("decision", ""))
        return len(ReviewDesk(folder).decide(session.by, ids_left(Looked.at(folder, session.query)), told))

    count = await run_in_threadpool(decide_all)
    return RedirectResponse(f"{url_of('d', name, 'review')}?{session.url(did=f'bulk {count}')}", 303)


@router.get("/figures")
def show_review_figures(request: Request, name: str, folder: DatasetFolder) -> Response:
    """How much was decided, by whom, and how far people agree with each other and with the judges."""
    desk = ReviewDesk(folder)
    return page(request, "review_figures.html", name=name, folder=folder, figures=desk.figures())


def _decided(folder: Any, session: ReviewSession, form: Mapping[str, str]) -> str:
    desk, decision, row_id = ReviewDesk(folder), form.get("decision", ""), form.get("row", "")
    if decision in PREFERENCES:
        shown = _row_of(desk, row_id, session)
        told: dict[str, Any] = {"decision": "prefer", "preferred": shown.preferred(decision), "left": shown.left}
        if session.named:
            told["left"] = None  # it was not shown blind
    elif decision == "edit":
        shown = _row_of(desk, row_id, session)
        told = {"decision": "edit", "edits": shown.edits_in(form)}
        if not told["edits"]:
            return "unchanged"
    else:
        told = _plain(decision)
    desk.decide(session.by, [row_id], told | {"note": form.get("note", "")})
    return decision


def _row_of(desk: ReviewDesk, row_id: str, session: ReviewSession) -> ReviewedRow:
    rows = desk.rows([row_id])
    if row_id not in rows:
        raise ConfigError("no such row in the dataset", row_id, "take a row_id of its rows")
    return reviewed_row(row_id, rows[row_id], session)


def _plain(decision: str) -> dict[str, Any]:
    """A decision that needs no more than its name, or a rating."""
    return {"decision": "rate", "rating": int(decision)} if decision in RATES else {"decision": decision}
