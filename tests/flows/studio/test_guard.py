"""What the studio refuses: each of these is what another page, another person or a model's text might try."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from flows.studio.configs.file import ConfigFile, check_places
from flows.studio.folders import Folders
from flows.studio.guard.gate import MOST_FORM_BYTES, MOST_UPLOAD_BYTES
from flows.studio.guard.names import check_password
from flows.studio.guard.sessions import LASTS_S, Sessions, kept_secret
from flows.studio.markdown import as_html
from tasks.errors import ConfigError
from tests.flows.studio.asked import ORIGIN, TOKEN, open_studio
from tests.publish.report.made import pair, publish_rows

SCRIPT = "<script>alert(1)</script>"
POST = {"example": "short-answers"}


@pytest.fixture
def studio(home: Path, tmp_path: Path) -> TestClient:
    return open_studio(tmp_path / "datasets")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"host": "evil.example:7860"}, 421, id="a rebound name"),
        pytest.param({"host": "127.0.0.1:8000"}, 421, id="another port"),
        pytest.param({"host": "127.0.0.1"}, 421, id="no port"),
        pytest.param({"host": "127.0.0.1:7860.evil.example"}, 421, id="a name that begins like ours"),
        pytest.param({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403, id="an image of another site"),
        pytest.param({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403, id="a script on another port"),
        pytest.param(
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
            403,
            id="a frame",
        ),
    ],
)
def test_reading_from_elsewhere_is_refused(studio: TestClient, headers: dict[str, str], status: int) -> None:
    assert studio.get("/").status_code == 200
    assert studio.get("/", headers=headers).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "http://evil.example"}, id="another origin"),
        pytest.param({"origin": "null"}, id="a sandboxed page"),
        pytest.param({"origin": "http://127.0.0.1:8000"}, id="another port"),
        pytest.param({"origin": "https://127.0.0.1:7860"}, id="another scheme"),
        pytest.param({"origin": ""}, id="no origin"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="another site"),
        pytest.param({"x-csrf-token": "0" * 64}, id="a guessed form token"),
        pytest.param({"x-csrf-token": ""}, id="an empty form token"),
    ],
)
def test_a_post_that_no_page_of_ours_sends_is_refused(
    studio: TestClient, headers: dict[str, str], tmp_path: Path
) -> None:
    assert studio.post("/new/example", data=POST, headers=headers).status_code == 403
    assert not list((tmp_path / "datasets").glob("*.yaml"))
    assert studio.post("/new/example", data=POST).status_code == 303


def test_a_post_without_a_form_token_is_refused(studio: TestClient) -> None:
    del studio.headers["x-csrf-token"]
    assert studio.post("/new/example", data=POST).status_code == 403
    assert studio.post("/new/example", json=POST).status_code == 403
    assert studio.post("/new/example", data=POST, files={"file": b""}).status_code == 403


def test_every_path_that_posts_asks_for_the_form_token(studio: TestClient) -> None:
    del studio.headers["x-csrf-token"]
    paths = {route.path for route in _routes(studio) if "POST" in route.methods}
    assert len(paths) > 15
    for path in paths:
        asked = re.sub(r"\{\w+\}", "1", path)
        assert studio.post(asked, data={"csrf": "no"}).status_code == 403, path


def _routes(studio: TestClient) -> list[Any]:
    found, waiting = [], [studio.app]
    while waiting:
        for route in getattr(waiting.pop(), "routes", []):
            if getattr(route, "methods", None):
                found.append(route)
            waiting.append(getattr(route, "original_router", route))
    return found


def test_nothing_is_shown_without_a_session(home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets", signed_in=False)
    for path in ("/", "/new", "/models", "/recipes", "/c/x", "/d/x/publish", "/jobs/1", "/nowhere"):
        assert studio.get(path).status_code == 401, path
    assert studio.get("/?token=wrong").status_code == 401
    assert studio.get("/?token=").status_code == 401
    assert studio.get("/static/studio.css").status_code == 200
    assert studio.post("/new/example", data=POST, headers={"origin": ORIGIN}).status_code == 401


@pytest.mark.parametrize("forge", ["another secret", "run out", "longer", "no signature", "of a form"])
def test_a_forged_cookie_is_refused(studio: TestClient, forge: str) -> None:
    sessions = studio.app.state.studio.sessions  # type: ignore[attr-defined]
    good = sessions.new()
    told, _, signature = good.rpartition(".")
    name, end = told.split(".")
    forged = {
        "another secret": Sessions(b"guessed" * 8, TOKEN, None).new(),
        "run out": f"{name}.{int(time.time()) - 1}.{signature}",
        "longer": f"{name}.{int(end) + LASTS_S}.{signature}",
        "no signature": told,
        "of a form": f"{told}.{sessions.form_token(told)}",
    }[forge]
    assert sessions.holds(good)
    studio.cookies.clear()
    studio.cookies.set(studio.app.state.studio.cookie, forged)  # type: ignore[attr-defined]
    assert studio.get("/").status_code == 401


def test_the_start_url_leaves_a_cookie_that_no_script_and_no_other_site_gets(home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets", signed_in=False)
    answer = studio.get(f"/new?token={TOKEN}&x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/new?x=1")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
    assert studio.get(f"{ORIGIN}//evil.example/?token={TOKEN}").headers["location"] == "/evil.example/"


def test_the_secret_is_the_users_alone_and_stays(home: Path) -> None:
    first = kept_secret()
    assert kept_secret() == first
    assert (home / "studio.secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_another_host_needs_a_password(host: str) -> None:
    for password in (None, "", "short"):
        with pytest.raises(ConfigError, match="password"):
            check_password(host, password)
    assert check_password(host, "long enough") == "long enough"
    assert check_password("127.0.0.1", None) is None


def test_with_a_password_the_token_alone_opens_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.studio.login.WRONG_WAITS_S", 0)
    studio = open_studio(tmp_path / "datasets", signed_in=False, password="a password", host="127.0.0.1")
    assert studio.get(f"/?token={TOKEN}").status_code == 401
    found = re.search('csrf-token" content="([^"]+)"', studio.get("/login").text)
    assert found is not None
    headers = {"origin": ORIGIN, "x-csrf-token": found[1]}
    assert studio.post("/login", data={"password": "wrong"}, headers=headers).status_code == 401
    assert studio.post("/login", data={"password": "a password"}).status_code == 403
    assert studio.post("/login", data={"password": "a password"}, headers=headers).status_code == 303
    assert studio.get("/").status_code == 200


def test_what_is_too_long_is_not_taken(studio: TestClient, tmp_path: Path) -> None:
    too_long = {"content-length": str(MOST_UPLOAD_BYTES + 1)}
    assert studio.post("/new/file", files={"file": ("a.jsonl", b"{}")}, headers=too_long).status_code == 413
    many = iter([b"example=" + b"x" * 1_000_000] + [b"x" * 1_000_000] * (MOST_FORM_BYTES // 1_000_000))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert studio.post("/new/example", content=many, headers=form).status_code == 413  # says no length
    assert studio.get("/?" + "x" * 9000).status_code == 414
    assert studio.request("PUT", "/").status_code == 405
    assert studio.request("DELETE", "/d/x").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/d/..%2f..%2fsecret",
        "/d/%2e%2e/publish",
        "/c/..%2fdatasets%2fgood",
        "/c/%2e%2e/preview/1",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/jobs/..%2f1",
        "/d/good/file?file=../../home/studio.secret",
        "/d/good/file?file=README.md&split=../..",
        "/d/linked",
        "/c/linked",
    ],
)
def test_no_path_leads_out_of_the_folders(studio: TestClient, path: str, tmp_path: Path) -> None:
    outside = publish_rows(tmp_path / "outside", [pair("a", "b", "c")], kind="dpo")
    publish_rows(tmp_path / "datasets" / "good", [pair("a", "b", "c")], kind="dpo")
    (tmp_path / "datasets" / "linked").symlink_to(outside)
    (tmp_path / "elsewhere.yaml").write_text("recipe: basic\n")
    (tmp_path / "datasets" / "linked.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert studio.get("/d/good/file?file=README.md").status_code == 200
    assert studio.get(path).status_code in (400, 401, 404, 405)


@pytest.mark.parametrize(
    "told",
    [
        {"seeds": "/etc/hostname"},
        {"seeds": "../outside.jsonl"},
        {"instructions": "~/secret.jsonl"},
        {"out": "/tmp/elsewhere"},
        {"out": "file:///tmp/elsewhere"},
        {"prompts": "/etc"},
        {"model": "/root/weights"},
        {"model": {"name": "scripted:/tmp/rule.py:answer"}},
        {"model": {"name": "m@http://h/v1", "provider": "/tmp/provider.py:ask"}},
        {"roles": {"judge": [{"name": "../weights"}]}},
        {"recipe": "/tmp/recipe.py:mine"},
        {"recipe": [{"step": "/tmp/step.py:mine"}]},
        {"verified_scores": {"verifier": "/tmp/verify.py:check"}},
    ],
    ids=str,
)
def test_a_config_names_no_place_outside_of_the_folders(told: dict[str, Any], tmp_path: Path, home: Path) -> None:
    with pytest.raises(ConfigError, match="outside"):
        check_places(told, Folders.of([tmp_path / "datasets"]))


def test_a_config_may_name_what_lies_in_the_folders(tmp_path: Path, home: Path) -> None:
    folders = Folders.of([tmp_path / "datasets"])
    inside = str(tmp_path / "datasets" / "x")
    for told in (
        {"seeds": f"{inside}.jsonl", "model": f"scripted:{inside}.py:answer", "out": inside},
        {"seeds": "hf:some/name", "out": "s3://bucket/x", "model": "Qwen/Qwen3-8B@http://127.0.0.1:8000/v1"},
        {"text_generation": {"system": "/think ../ ~"}, "seeds": [{"instruction": "../x"}]},
    ):
        check_places(told, folders)


def test_a_bad_config_is_not_written(studio: TestClient, tmp_path: Path) -> None:
    where = studio.post("/new/example", data=POST).headers["location"]
    before = (tmp_path / "datasets" / "short-answers.yaml").read_bytes()
    for text in ("seeds: /etc/hostname", "rows: none", "- a list", "a: &a [*a]", "x: !!python/object:os.system 1"):
        assert studio.post(f"{where}/yaml", data={"text": text}).status_code == 400, text
    assert (tmp_path / "datasets" / "short-answers.yaml").read_bytes() == before


def test_a_script_in_a_file_name_is_text(studio: TestClient, tmp_path: Path) -> None:
    answer = studio.post("/new/file", files={"file": (f"{SCRIPT}.exe", b"x")})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "&lt;/script" in answer.text or "script&gt;" in answer.text
    made = studio.post("/new/file", files={"file": (f"../../{SCRIPT}x.jsonl", b'{"instruction": "a"}')})
    assert made.status_code == 303
    (kept,) = (tmp_path / "datasets" / "uploads").rglob("*.jsonl")
    assert re.fullmatch(r"[A-Za-z0-9-]+\.jsonl", kept.name)


def test_a_script_in_a_config_is_text(studio: TestClient, tmp_path: Path) -> None:
    bad = '</textarea>"><script>alert(1)</script>'
    (tmp_path / "datasets" / "bad.yaml").write_text(yaml.safe_dump({"text_generation": {"system": bad}, "recipe": bad}))
    page = studio.get("/c/bad").text
    assert "<script>alert" not in page
    assert "&lt;/textarea&gt;" in page


def test_a_script_in_an_answer_is_text(studio: TestClient) -> None:
    where = studio.post("/new/example", data=POST).headers["location"]
    entry = {
        "lane": 0,
        "rows_in": 1,
        "input": {},
        "asked": [
            {"template": SCRIPT, "role": "r", "model": SCRIPT, "attempt": 1, "refused": SCRIPT, "on_record": True}
            | {"messages": [{"role": "user", "content": SCRIPT}], "reasoning": SCRIPT, "answer": SCRIPT}
            | {"finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}
        ],
        "made": [{"row_id": "a", SCRIPT: SCRIPT, "list": [SCRIPT]}],
        "rejects": [{"reason": SCRIPT, "detail": SCRIPT, "raw": SCRIPT}],
        "losses": [],
        "pending": 0,
    }
    told = {"steps": [{"step": SCRIPT, "rows": [entry]}], "seconds": 1, "requests": 1, "ledger_hits": 0}
    told |= {"prompt_tokens": 1, "completion_tokens": 1, "cost": None}
    desk = studio.app.state.studio.desk  # type: ignore[attr-defined]
    from flows.studio.trials.desk import Try

    desk._tries[where[3:], 1] = Try(1, where[3:], {"rows": 1, "model": SCRIPT}, SCRIPT, [{"told": told}], True)
    page = studio.get(f"{where}/preview/1")
    assert page.status_code == 200
    assert page.text.count("&lt;script&gt;alert") > 8
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    "text",
    [
        SCRIPT,
        "[a](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "![a](https://evil.example/seen)",
        '<a href="https://x" onclick="alert(1)">a</a>',
        "<iframe src=https://evil.example></iframe>",
        "<style>*{display:none}</style>",
        "[a](data:text/html,<script>alert(1)</script>)",
    ],
)
def test_markdown_of_a_model_runs_nothing_and_loads_nothing(text: str) -> None:
    html = str(as_html(f"{text}\n\n**bold** [good](https://example.org)"))
    assert "<strong>bold</strong>" in html
    assert 'href="https://example.org"' in html
    assert not re.search(r"<(script|img|iframe|style)|<[^>]*(onclick|onerror)|href=\"(javascript|data)", html)


def test_a_script_in_a_card_is_text_and_a_report_runs_nothing(studio: TestClient, tmp_path: Path) -> None:
    folder = publish_rows(tmp_path / "datasets" / "good", [pair(SCRIPT, "b", "c")], kind="dpo")
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(f"{card}\n\n{SCRIPT} <img src=x onerror=alert(1)>\n")
    (folder / "report.html").write_text(SCRIPT)
    page = studio.get("/d/good/publish")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "sandbox" in studio.get("/d/good/report").headers["content-security-policy"]


def test_every_answer_has_the_policy_and_no_page_an_inline_script(studio: TestClient) -> None:
    for path in ("/", "/new", "/recipes", "/nowhere", "/static/studio.js", "/?token=no"):
        answer = studio.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|\sstyle=", answer.text.partition("//")[0]), (
            path
        )


def test_keys_are_in_no_page(studio: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-of-the-tests")
    monkeypatch.setenv("HF_TOKEN", "hf_secret-of-the-tests")
    where = studio.post("/new/example", data=POST).headers["location"]
    name = where.removeprefix("/c/")
    config = ConfigFile.read(Folders.of([tmp_path / "datasets"]), name)
    model = {"name": "m@http://127.0.0.1:9/v1", "api_key_env": "MY_KEY"}
    config.but({**config.settings, "model": model}).save(Folders.of([tmp_path / "datasets"]))
    for path in ("/", where, f"{where}/run", f"{where}/preview", f"{where}/config.yaml"):
        page = studio.get(path)
        assert page.status_code == 200
        assert "secret-of-the-tests" not in page.text
    told = studio.post(f"{where}/yaml", data={"text": "model: {name: m@http://h/v1, api_key_env: sk-pasted-key}"})
    assert told.status_code == 400
    assert "sk-pasted-key" not in told.text.partition('<textarea id="yaml"')[0]


def test_another_language_leads_nowhere_else(studio: TestClient) -> None:
    for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
        where = studio.post("/language", data={"language": "vi", "back": back}).headers["location"]
        assert re.match(r"/(?![/\\])", where), back
