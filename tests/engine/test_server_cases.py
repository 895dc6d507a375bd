"""What servers really answer, case by case, through the engine: the right row, or the right refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.accounting import Accounting, Budget
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import PermanentError
from tasks.generate.text_generation import TextGeneration
from tasks.models.base import Sampling
from tasks.schemas import Instructions, Responses
from tests.engine.served import Served, run_served
from tests.models.cases import CASES, played
from tests.models.server import Server, serving

GOOD = "The Loire is a river in France."
QUESTION = "Tell me of the Loire in one sentence."
Check = Callable[[Served, Server], None]


def rejected(reason: str, requests: int) -> Check:
    """One reject with this reason, after so many requests; nothing on record as good."""

    def check(run: Served, server: Server) -> None:
        assert (run.reasons, len(server.bodies)) == ([reason], requests)
        if reason in ("cut_off", "content_filter"):
            assert all(completion.finish_reason == reason for completion in run.on_record)

    return check


def good(run: Served, server: Server) -> None:
    assert (run.responses, run.losses, len(server.bodies)) == ([GOOD], [], 1)


def thought(run: Served, server: Server) -> None:
    good(run, server)
    assert run.reasoning == ["We think quietly."]


def cut_and_told(run: Served, _server: Server) -> None:
    assert (run.responses, run.losses) == ([GOOD], ["end_token"])


def estimated(run: Served, server: Server) -> None:
    good(run, server)
    assert 0 < run.context.accounting.tally.prompt_tokens + run.context.accounting.tally.completion_tokens < 100
    assert ["counts no tokens" in line for line in run.told] == [True]


def streamed(run: Served, server: Server) -> None:
    assert run.responses == [GOOD]
    assert server.bodies[0]["stream"] is False


def refused(words: str, requests: int = 1) -> Check:
    def check(run: Served, server: Server) -> None:
        assert isinstance(run.error, PermanentError), run.error
        assert words in str(run.error)
        assert len(server.bodies) == requests

    return check


def few_stops(run: Served, server: Server) -> None:
    assert run.responses == [GOOD]
    assert [len(sent["stop"]) for sent in server.bodies] == [6, 4]


def another_name(run: Served, server: Server) -> None:
    good(run, server)
    assert ["some-other-model-1b" in line for line in run.told] == [True]
    assert run.outcome is not None
    assert run.outcome.provenance["model"].to_list() == ["a-model (served: some-other-model-1b)"]
    assert run.on_record[0].served == "some-other-model-1b"


RIGHT: dict[str, tuple[Check, dict[str, Any]]] = {
    "finish_error": (rejected("cut_off", 3), {}),
    "finish_resource": (rejected("cut_off", 3), {}),
    "finish_recitation": (rejected("content_filter", 1), {}),
    "finish_context": (rejected("truncated", 1), {}),
    "end_token_left": (cut_and_told, {}),
    "role_word_run_on": (rejected("further_turns", 3), {}),
    "harmony": (thought, {}),
    "gemma4_channel": (thought, {}),
    "reasoning_blank": (thought, {}),
    "stray_think_end": (thought, {}),
    "reasoning_object": (thought, {}),
    "thinking_parts": (thought, {}),
    "tool_call_text": (rejected("tool_call", 3), {}),
    "invisible": (rejected("empty", 3), {}),
    "usage_none": (estimated, {"context": {"accounting": Accounting(Budget(max_total_tokens=1000))}}),
    "usage_fraction": (good, {}),
    "stream_unasked": (streamed, {}),
    "needs_a_field": (refused("parameter.enable_thinking must be set to false"), {}),
    "stop_list_limit": (few_stops, {"params": TextGeneration(sampling=Sampling(stop=tuple("123456")))}),
    "error_string_200": (refused("mostly in /v1"), {}),
    "other_model": (another_name, {}),
}
ELSEWHERE = {"schema_500", "key_limit_403", "reset_milliseconds"}  # below: they take more than one question


@pytest.mark.parametrize("name", RIGHT)
def test_a_servers_answer_becomes_the_right_row_or_the_right_refusal(name: str, tmp_path: Path) -> None:
    check, options = RIGHT[name]
    with serving(played(name)) as server:
        run = run_served(server.name, tmp_path, [QUESTION], **options)
        check(run, server)


def test_all_cases_are_played() -> None:
    assert set(RIGHT) | ELSEWHERE == set(CASES)


def test_a_schema_that_a_server_takes_for_its_own_fault_goes_out_in_the_form_that_it_takes(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    @technique(reads=Instructions, writes=Responses)
    async def structured(row: Row, models: Models, _params: Params) -> list[Row]:
        said = await models.chat(
            [{"role": "user", "content": row["instruction"]}], name="structured", sampling=Sampling(), schema=schema
        )
        return [row.child(response=str(said["a"]), response_model="m", system="")]

    with serving(played("schema_500")) as server:
        run = run_served(
            server.name, tmp_path, [QUESTION, "Another."], max_in_flight=1, technique=structured, params=Params()
        )
        formats = [sent.get("response_format", {}).get("type") for sent in server.bodies]
        assert formats == ["json_schema", "json_object", "json_object"]
        again = run_served(server.name, tmp_path, [QUESTION, "Another."], technique=structured, params=Params())
        assert len(server.bodies) == 3
    assert (run.reasons, again.reasons) == ([], [])
    assert run.responses == again.responses == ["1", "1"]
    assert ["takes a JSON schema as `json_object` alone" in line for line in run.told] == [True]


def test_a_key_that_is_spent_ends_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    questions = [f"question {number}" for number in range(6)]
    with serving(played("key_limit_403")) as server:
        run = run_served(server.name, tmp_path, questions, max_in_flight=1)
        assert isinstance(run.error, PermanentError)
        assert "no credit left" in str(run.error)
        assert "Key limit exceeded" in str(run.error)
        assert (len(server.bodies), len(run.on_record)) == (3, 2)
        server.behaviours = [played("usage_fraction")]
        again = run_served(server.name, tmp_path, questions, max_in_flight=1)
    assert (again.context.accounting.tally.ledger_hits, len(again.responses)) == (2, 6)


def test_a_reset_in_milliseconds_is_waited_for_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.models.endpoint import window

    waits: list[float] = []
    pause = window.Window._pause
    monkeypatch.setattr(
        window.Window, "_pause", lambda self, now, wait_s: (waits.append(wait_s), pause(self, now, 0))[1]
    )
    with serving(played("reset_milliseconds")) as server:
        run = run_served(server.name, tmp_path, [QUESTION])
    assert run.responses == [GOOD]
    assert 4 < max(waits) <= 5
