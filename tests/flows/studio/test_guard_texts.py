"""What texts from elsewhere might try: those of rows, columns, logs, names of files, reviewers and queries; and odd requests."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from flows.studio.jobs.jobs import jobs_of, start_job
from tests.flows.studio.asked import ORIGIN, TOKEN, open_studio
from tests.publish.report.made import pair, publish_rows, talk

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def studio(home: Path, tmp_path: Path) -> TestClient:
    return open_studio(tmp_path / "datasets")


def runs_nothing(page: str) -> bool:
    return "<script>alert" not in page and "<img" not in page


def test_a_script_in_a_row_its_columns_and_its_rejects_is_text(studio: TestClient, tmp_path: Path) -> None:
    row = talk(SCRIPT, SCRIPT, **{SCRIPT: SCRIPT, "topic": SCRIPT, "score": 1.0})
    rejects = [
        {"row_id": "a" * 32, "kind": "failed", "reason": SCRIPT, "technique": SCRIPT, "detail": SCRIPT, "raw": SCRIPT}
    ]
    publish_rows(tmp_path / "datasets" / "talks", [row, talk("q", "a", topic="t", score=2.0)], rejects=rejects)
    publish_rows(
        tmp_path / "datasets" / "pairs", [pair(SCRIPT, f"{SCRIPT} b", f"{SCRIPT} c", topic=SCRIPT)], kind="dpo"
    )
    paths = [
        *("/d/talks/look", "/d/talks/look/facets", f"/d/talks/look/row/{row['row_id']}", "/d/talks/look?table=rejects"),
        *(
            "/d/talks/review?by=anna&order=given",
            "/d/pairs/look",
            "/d/pairs/review?by=anna",
            "/d/talks/publish",
            "/d/talks",
        ),
    ]
    for path in paths:
        page = studio.get(path)
        assert page.status_code == 200, path
        assert runs_nothing(page.text), path
        assert "&lt;script&gt;" in page.text or path in ("/d/talks/publish", "/d/talks"), path


def test_a_script_in_a_query_and_in_a_reviewers_name_is_text(studio: TestClient, tmp_path: Path) -> None:
    publish_rows(tmp_path / "datasets" / "talks", [talk("q", "a", topic="t", score=2.0)])
    row_id = talk("q", "a")["row_id"]
    told = {"by": SCRIPT, "order": "given", "did": SCRIPT}
    assert runs_nothing(studio.get("/d/talks/review", params=told).text)
    sent = {"session": f"by={SCRIPT}", "row": row_id, "decision": "accept"}
    assert studio.post("/d/talks/review", data=sent).status_code == 303
    assert runs_nothing(studio.get("/d/talks/review/figures").text)
    for query in ({"text": SCRIPT}, {"sort": SCRIPT}, {"is.topic": SCRIPT}, {f"is.{SCRIPT}": "1"}, {"near": SCRIPT}):
        page = studio.get("/d/talks/look", params=query)
        page = studio.get(page.headers["location"]) if page.status_code == 303 else page
        assert runs_nothing(page.text), query
    assert runs_nothing(studio.get(f"/{SCRIPT}").text)


def test_a_script_in_what_a_job_says_is_text(studio: TestClient) -> None:
    job = start_job("doctor", "x", ["doctor", "--model", SCRIPT, "--json"])
    assert "event: done" in studio.get(f"/jobs/{job.number}/stream").text
    page = studio.get(f"/jobs/{job.number}").text
    assert "&lt;script&gt;" in page
    assert runs_nothing(page)
    assert runs_nothing(studio.get("/").text)


def test_a_file_of_any_name_is_shown_and_downloaded_under_it(studio: TestClient, tmp_path: Path) -> None:
    for name in ('x"; filename="evil.exe', "dữ liệu", "<b>"):
        (tmp_path / "datasets" / f"{name}.yaml").write_text("# stillroom sft\nrecipe: respond\n")
    assert "<b>.yaml" not in studio.get("/").text
    for path in ("x%22%3B%20filename%3D%22evil.exe", "d%E1%BB%AF%20li%E1%BB%87u", "%3Cb%3E"):
        answer = studio.get(f"/c/{path}/config.yaml")
        assert answer.status_code == 200, path
        assert 'filename="evil' not in answer.headers["content-disposition"]


def test_a_decision_is_about_a_row_of_this_dataset_alone(studio: TestClient, tmp_path: Path) -> None:
    publish_rows(tmp_path / "datasets" / "one", [talk("q", "a")])
    publish_rows(tmp_path / "datasets" / "other", [talk("another", "b")])
    foreign = talk("another", "b")["row_id"]
    for row_id in (foreign, "../other", ""):
        sent = {"session": "by=anna", "row": row_id, "decision": "reject"}
        assert studio.post("/d/one/review", data=sent).status_code in (400, 404), row_id
    for decision in ("drop table", "undo", "", "9"):
        sent = {"session": "by=anna", "row": talk("q", "a")["row_id"], "decision": decision}
        assert studio.post("/d/one/review", data=sent).status_code == 400, decision
    assert not (tmp_path / "datasets" / "one" / "reviews.jsonl").exists()


def test_what_a_form_says_is_no_option_of_a_command(studio: TestClient, tmp_path: Path) -> None:
    publish_rows(tmp_path / "datasets" / "talks", [talk("q", "a")])
    for repo in ("--public", "-h", "a/b --public", "../../x", "a/b/c", ""):
        assert studio.post("/d/talks/push", data={"repo": repo}).status_code in (400, 422), repo
    for format_ in ("--out", "messages --out /tmp/x", ""):
        assert studio.post("/d/talks/export", data={"format": format_}).status_code in (400, 404, 422), format_
    assert jobs_of("d/talks") == []


def test_a_yaml_that_grows_without_end_is_refused_at_once(studio: TestClient) -> None:
    where = studio.post("/new/example", data={"example": "short-answers"}).headers["location"]
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9)
    )
    began = time.monotonic()
    assert studio.post(f"{where}/yaml", data={"text": laughs}).status_code == 400
    assert time.monotonic() - began < 10


def test_there_are_no_websockets(studio: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), studio.websocket_connect("/"):
        pass


def test_two_names_of_the_host_are_none(studio: TestClient) -> None:
    hosts = [("host", "127.0.0.1:7860"), ("host", "evil.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http", "raw_path": b"/"}
    told: list[Any] = []

    async def ask() -> None:
        async def hear() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def say(event: Any) -> None:
            told.append(event)

        for some in (hosts, hosts[::-1], []):
            headers = [(name.encode(), value.encode()) for name, value in some]
            await studio.app({**scope, "headers": headers}, hear, say)

    asyncio.run(ask())
    assert [event["status"] for event in told if "status" in event] == [421, 421, 421]


def test_no_other_page_frames_the_studio(studio: TestClient) -> None:
    for path in ("/", "/new", "/login", "/static/studio.js"):
        assert "frame-ancestors 'none'" in studio.get(path).headers["content-security-policy"]


def test_wrong_passwords_wait_one_after_the_other(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.studio.login.WRONG_WAITS_S", 0.2)
    studio = open_studio(tmp_path / "datasets", signed_in=False, password="a password", host="127.0.0.1")
    token = studio.get("/login").text.partition('csrf-token" content="')[2].partition('"')[0]
    headers = {"origin": ORIGIN, "x-csrf-token": token}
    began = time.monotonic()
    for guess in ("password", TOKEN, ""):
        assert studio.post("/login", data={"password": guess}, headers=headers).status_code == 401
    assert time.monotonic() - began > 0.6
