"""An endpoint against a server that breaks, refuses and dies in every way that servers do."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tasks.errors import PermanentError, RequestRefused
from tasks.models.base import Completion, Sampling
from tests.models.asking import KEY, TRIES, ask, asked, opened, question
from tests.models.server import (
    Behaviour,
    body,
    chat,
    garbage,
    huge,
    loris,
    never,
    page,
    reset,
    serving,
    status,
    taking,
)

# What breaks and is tried again.


BROKEN: dict[str, tuple[Behaviour, str, int]] = {
    "reset in mid-body": (reset, "transport", TRIES),
    "not HTTP": (garbage, "bad_answer", 3),
    "slow-loris body": (loris, "timeout", 3),
    "never answers": (never, "timeout", 3),
    "broken JSON": (body(b'{"choices": [{"mess'), "bad_answer", 3),
    "JSON of another kind": (body(b'["hello"]'), "bad_answer", 3),
    "error object with 200": (body(b'{"error": {"message": "worker died", "code": "x"}}'), "transport", TRIES),
    "empty choices": (body(b'{"choices": []}'), "bad_answer", 3),
    "a choice of nothing": (body(b'{"choices": [{}]}'), "bad_answer", 3),
    "content of the wrong type": (chat(5), "bad_answer", 3),
    "invalid UTF-8": (body(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'), "bad_answer", 3),
    "gzip that is none": (body(b"not gzip", headers={"Content-Encoding": "gzip"}), "transport", TRIES),
    "408": (status(408), "timeout", 3),
    "425": (status(425), "transport", TRIES),
    "500": (status(500, "CUDA error"), "transport", TRIES),
    "502 page": (page(502, "<html><head><style>h1{}</style></head><h1>Bad Gateway</h1></html>"), "transport", TRIES),
    "504": (status(504), "transport", TRIES),
}


@pytest.mark.parametrize(("behaviour", "reason", "tries"), BROKEN.values(), ids=BROKEN.keys())
def test_a_fault_that_stays_costs_the_row_and_a_bounded_number_of_tries(
    behaviour: Behaviour, reason: str, tries: int
) -> None:
    with serving(behaviour) as server:
        (refusal,) = ask(server, timeout_s=1.0)
        assert isinstance(refusal, RequestRefused), refusal
        assert (refusal.reason, len(server.bodies)) == (reason, tries)
        assert "\n" not in str(refusal)


@pytest.mark.parametrize("behaviour", [b for b, _, _ in BROKEN.values()], ids=BROKEN.keys())
def test_a_fault_that_passes_is_survived_by_the_same_request(behaviour: Behaviour) -> None:
    with serving(behaviour, chat("back")) as server:
        (completion,) = ask(server, timeout_s=0.3)
        assert completion.text == "back"
        assert len(server.bodies) == 2
        assert server.bodies[0] == server.bodies[1]


def test_the_words_of_a_page_are_in_the_error_and_its_markup_is_not() -> None:
    with serving(BROKEN["502 page"][0]) as server:
        (refusal,) = ask(server)
    assert refusal.detail == f"HTTP 502: Bad Gateway, tried {TRIES} times"


def test_an_answer_without_end_is_cut_off_at_once() -> None:
    with serving(huge(70), chat()) as server:
        (refusal,) = ask(server)
        assert (refusal.reason, refusal.detail, len(server.bodies)) == (
            "bad_answer",
            "the answer is longer than 64 MB",
            1,
        )


def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off() -> None:
    with serving(body(b" " * (70 * 2**20), gzip=True)) as server:
        assert ask(server)[0].reason == "bad_answer"


def test_a_retried_request_does_not_wait_for_the_others() -> None:
    with serving(reset, chat(delay_s=0.0), chat(delay_s=0.0), chat(delay_s=2.0)) as server:
        model = opened(server.name, max_in_flight=8)
        done: list[int] = []

        async def one(number: int) -> None:
            await model.complete(question(number))
            done.append(number)

        async def work() -> None:
            slow = [asyncio.create_task(one(number)) for number in range(6)]
            await asyncio.gather(*slow)
            await model.close()

        started = time.monotonic()
        asyncio.run(work())
        assert len(server.bodies) == 7
        assert sorted(done) == list(range(6))
        assert time.monotonic() - started < 4  # one round of the slow ones: the retry ran beside them


# Tokens a minute.


@pytest.mark.parametrize("first", [chat("first"), status(400), status(429)], ids=["answered", "refused", "no room"])
def test_tokens_that_a_request_reserved_and_did_not_use_are_there_for_the_next(first: Behaviour) -> None:
    async def work() -> Completion:
        model = opened(server.name, tokens_per_minute=3000)
        long = question(sampling=Sampling(max_new_tokens=1_000_000))  # nothing is left for hours, if it used them
        try:
            await asyncio.gather(model.complete(long), return_exceptions=True)
            return await asyncio.wait_for(model.complete(question()), 20)
        finally:
            await model.close()

    with serving(first, chat("next")) as server:
        assert asyncio.run(work()).text == "next"


# What the server refuses.


@pytest.mark.parametrize("code", [429, 503, 529])
def test_refusals_for_want_of_room_do_not_count_against_the_row(code: int) -> None:
    with serving(*[status(code)] * (TRIES + 2), chat("at last")) as server:
        model = opened(server.name)
        (completion,) = asyncio.run(asked(model, question()))
        assert completion.text == "at last"
        assert model.window.refusals == TRIES + 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(form: str) -> None:
    started = time.monotonic()
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2.9), usegmt=True)
    headers = {"Retry-After": "1" if form == "seconds" else moment}
    with serving(status(429, headers=headers), chat()) as server:
        results = ask(server, question(0))
        assert isinstance(results[0], Completion)
        assert time.monotonic() - started >= (1.0 if form == "seconds" else 1.8)
        assert len(server.bodies) == 2


def test_an_allowance_that_is_used_up_is_waited_for_without_a_refusal() -> None:
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "800ms"}
    with serving(chat(headers=spent), chat()) as server:
        model = opened(server.name, max_in_flight=1)
        started = time.monotonic()
        results = asyncio.run(asked(model, question(0), question(1)))
        assert [r.text for r in results] == ["hello", "hello"]
        assert time.monotonic() - started >= 0.8
        assert model.window.refusals == 0


def test_a_server_that_takes_20_at_once_is_asked_no_more_than_it_takes() -> None:
    with serving(taking(20, delay_s=0.05)) as server:
        model = opened(server.name, max_in_flight=100)
        results = asyncio.run(asked(model, *map(question, range(300))))
        assert all(isinstance(r, Completion) for r in results)
        assert model.window.refusals <= 100
        assert len(server.bodies) == 300 + model.window.refusals


def test_never_more_at_once_than_the_user_allows_whatever_the_number_of_models() -> None:
    with serving(chat(delay_s=0.02)) as server:
        models = [opened(server.name, max_in_flight=5, temperature=t) for t in (0.1, 0.9)]

        async def work() -> None:
            await asyncio.gather(*(asked(model, *map(question, range(30))) for model in models))

        asyncio.run(work())
        assert models[0].window is models[1].window
        assert (len(server.bodies), server.peak) == (60, 5)


def test_requests_per_minute_are_a_hard_cap() -> None:
    with serving(chat()) as server:
        model = opened(server.name, requests_per_minute=600)  # 20 at once, then 9.7 a second
        started = time.monotonic()
        asyncio.run(asked(model, *map(question, range(30))))
        assert time.monotonic() - started >= 0.95


def test_a_server_that_refuses_everything_for_too_long_ends_the_run() -> None:
    with serving(status(503, "overloaded")) as server:
        (error,) = ask(server, patience_s=0.5)
        assert isinstance(error, PermanentError)
        assert "refused everything" in str(error) and "HTTP 503: overloaded" in str(error)


def test_a_server_that_asks_for_hours_of_waiting_ends_the_run_at_once() -> None:
    with serving(status(429, headers={"Retry-After": "7200"})) as server:
        (error,) = ask(server)
        assert isinstance(error, PermanentError)
        assert "left alone for 7200 s" in str(error)


ROWS_OWN: dict[str, tuple[Behaviour, str, str]] = {
    "openai": (
        status(400, "This model's maximum context length is 8 tokens", code="context_length_exceeded"),
        "context_too_long",
        "maximum",
    ),
    "vllm": (
        body(b'{"object":"error","message":"maximum context length is 8","code":400}', code=400),
        "context_too_long",
        "maximum",
    ),
    "llama.cpp": (
        status(400, "the request exceeds the available context size", type="exceed_context_size_error"),
        "context_too_long",
        "size",
    ),
    "tgi": (status(422, "`inputs` tokens + `max_new_tokens` must be <= 8"), "context_too_long", "must be"),
    "413": (page(413, "<h1>Request Entity Too Large</h1>"), "context_too_long", "Too Large"),
    "400": (status(400, "temperature must be positive"), "bad_request", "temperature must be positive"),
    "422 of FastAPI": (
        body(b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', code=422),
        "bad_request",
        "field required",
    ),
    "400 within 200": (body(b'{"error": {"message": "bad word", "code": 400}}'), "bad_request", "bad word"),
}


@pytest.mark.parametrize(("behaviour", "reason", "words"), ROWS_OWN.values(), ids=ROWS_OWN.keys())
def test_what_is_wrong_with_one_request_costs_one_request(behaviour: Behaviour, reason: str, words: str) -> None:
    with serving(behaviour, chat()) as server:
        (refusal,) = ask(server)
        assert isinstance(refusal, RequestRefused), refusal
        assert (refusal.reason, len(server.bodies)) == (reason, 1)
        assert words in refusal.detail


FOR_GOOD: dict[str, tuple[Behaviour, str]] = {
    "401": (status(401, f"Incorrect API key provided: {KEY}"), "environment variable TEST_KEY"),
    "403": (status(403), "environment variable TEST_KEY"),
    "402": (status(402), "no credit left"),
    "429 without credit": (status(429, "You exceeded your quota", code="insufficient_quota"), "no credit left"),
    "404": (status(404, "The model `a-model` does not exist"), "does not know this model: a-model@"),
    "400 of transformers serve": (status(400, "Server is pinned to 'x'; requested 'y'."), "does not know this model"),
    "400 of LiteLLM": (status(400, "Invalid model name passed in model=a-model"), "does not know this model"),
    "405": (status(405), "/chat/completions"),
    "400 without credit": (
        body(b'{"type": "error", "error": {"message": "Your credit balance is too low to access the API."}}', code=400),
        "no credit left",
    ),
    "403 of a spent key": (status(403, "Key limit exceeded (total limit)."), "no credit left"),
    "200 with an empty balance": (body(b'{"error": {"message": "Insufficient Balance"}}'), "no credit left"),
    "200 that knows no such path": (
        body(b'{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'),
        "mostly in /v1",
    ),
    "a page instead of JSON": (page(200, "<html>Welcome</html>"), "a web page at this URL"),
    "redirect": (status(307, headers={"Location": "http://evil.test/v1?token=1"}), "name http://evil.test/v1 itself"),
}


@pytest.mark.parametrize(("behaviour", "words"), FOR_GOOD.values(), ids=FOR_GOOD.keys())
def test_a_permanent_fault_ends_the_run_at_once_in_one_line_without_the_key(
    behaviour: Behaviour, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with serving(behaviour) as server:
        started = time.monotonic()
        (error,) = ask(server, api_key_env="TEST_KEY")
        assert time.monotonic() - started < 2
        assert isinstance(error, PermanentError), error
        assert len(server.bodies) == 1
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert words in str(error)
    assert "\n" not in str(error)
    assert KEY not in str(error) + repr(error) + caplog.text


@pytest.mark.parametrize("behaviour", [b for b, _, _ in BROKEN.values()], ids=BROKEN.keys())
def test_no_traceback_of_a_fault_shows_the_key(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with serving(behaviour) as server:
        (refusal,) = ask(server, api_key_env="TEST_KEY", timeout_s=0.2, max_tries=1)
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert isinstance(refusal, RequestRefused)
    assert KEY not in "".join(traceback.format_exception(refusal))


def test_not_even_half_a_key_is_told_where_an_error_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    for before in range(4096 - len(KEY), 4097, 5):
        html = "<p>" + " " * (before - 3) + KEY + "</p>"
        with serving(page(502, html)) as server:
            (refusal,) = ask(server, api_key_env="TEST_KEY", max_tries=1)
        assert KEY[:6] not in refusal.detail
        assert "HTTP 502" in refusal.detail


def test_a_redirect_takes_the_key_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with (
        serving(chat("stolen")) as other,
        serving(status(308, headers={"Location": f"{other.url}/chat/completions"})) as server,
    ):
        (error,) = ask(server, api_key_env="TEST_KEY")
        assert isinstance(error, PermanentError)
        assert other.headers == []


def test_a_403_in_the_middle_of_a_run_is_the_rows_own() -> None:
    with serving(chat(), status(403, "blocked by the firewall"), chat()) as server:
        model = opened(server.name, max_in_flight=1)
        results = asyncio.run(asked(model, *map(question, range(3))))
        assert isinstance(results[1], RequestRefused)
        assert (results[1].reason, results[0].text, results[2].text) == ("forbidden", "hello", "hello")
