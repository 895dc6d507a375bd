"""An endpoint's connections: hosts that are not there, servers that die and come back, connections that are kept."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from tasks.errors import PermanentError
from tasks.models.base import Completion
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint
from tests.models.asking import ask, asked, opened, question
from tests.models.server import chat, never, serving
from tests.serving import free_port


def test_a_server_that_was_never_there_is_told_within_two_seconds() -> None:
    started = time.monotonic()
    model = open_endpoint(ModelConfig(name=f"m@http://127.0.0.1:{free_port()}/v1"))
    results = asyncio.run(asked(model, *map(question, range(200))))
    assert time.monotonic() - started < 2
    assert all(isinstance(r, PermanentError) for r in results)
    assert "nobody answers there" in str(results[0]) and "Connect call failed" in str(results[0])


def test_a_name_that_is_no_host_is_told_within_two_seconds() -> None:
    started = time.monotonic()
    model = open_endpoint(ModelConfig(name="m@http://no-such-host.invalid/v1"))
    results = asyncio.run(asked(model, *map(question, range(50))))
    assert time.monotonic() - started < 2
    assert all(isinstance(r, PermanentError) for r in results)
    assert "http://no-such-host.invalid/v1" in str(results[0]) and "\n" not in str(results[0])


def test_a_resolver_that_fails_for_a_while_in_the_middle_of_a_run_costs_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    real, failing, failures = socket.getaddrinfo, False, 0

    def flaky(*arguments: Any, **options: Any) -> Any:
        nonlocal failures
        if failing and failures < 3:
            failures += 1
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", flaky)
    with serving(chat()) as server:
        model = opened(server.name.replace("127.0.0.1", "localhost"), max_in_flight=4)

        async def work() -> list[Any]:
            nonlocal failing
            first = await model.complete(question(0))
            failing = True
            await model.close()  # and with it the connections and the names that were resolved
            return [first, *await asked(model, *map(question, range(1, 9)))]

        results = asyncio.run(work())
    assert [r.text for r in results] == ["hello"] * 9
    assert failures == 3


def test_https_to_a_server_without_it_is_told_at_once() -> None:
    with serving(chat()) as server:
        (error,) = asyncio.run(asked(opened(server.name.replace("http:", "https:")), question()))
        assert isinstance(error, PermanentError)
        assert "cannot be made secure" in str(error)


def test_a_server_that_dies_and_comes_back_costs_no_row() -> None:
    with serving(chat(delay_s=0.05)) as server:
        model = opened(server.name, max_in_flight=8)

        def die_and_come_back() -> None:
            while len(server.bodies) < 30:
                time.sleep(0.005)
            server.stop()
            time.sleep(1)
            server.start()

        killer = threading.Thread(target=die_and_come_back)
        killer.start()
        results = asyncio.run(asked(model, *map(question, range(100))))
        killer.join()
        assert [r.text for r in results if isinstance(r, Completion)] == ["hello"] * 100
        assert 100 < len(server.bodies) <= 100 + 8  # those in flight were asked twice, and no others
        assert model.window.refusals > 0


def test_connections_are_kept_and_used_again() -> None:
    with serving(chat()) as server:
        peers: set[Any] = set()
        plain = server.behaviours[0]

        async def remembering(request: Any) -> Any:
            peers.add(request.transport.get_extra_info("peername"))
            return await plain(request)

        server.behaviours[0] = remembering
        ask(server, *map(question, range(40)), max_in_flight=4)
        assert len(peers) <= 4


def test_a_cancelled_request_gives_its_slot_back() -> None:
    with serving(never, chat()) as server:
        model = opened(server.name, max_in_flight=1)

        async def work() -> Completion:
            stuck = asyncio.create_task(model.complete(question(0)))
            while not server.bodies:
                await asyncio.sleep(0.01)
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)
            (completion,) = await asked(model, question(1))
            return completion

        assert asyncio.run(work()).text == "hello"
        assert model.window.in_flight == 0


def test_closing_twice_is_safe() -> None:
    async def work() -> None:
        model = opened("m@http://127.0.0.1:9/v1")
        await model.close()
        await model.close()

    asyncio.run(work())
