"""A ledger of an earlier version: what today's rules refuse in it counts as an attempt, what they take is not paid again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.served import run_served
from tests.models.server import chat, serving

QUESTIONS = ["What is it?", "What else?"]
REFUSED = {
    "a tool call": ('<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', "tool_call"),
    "further turns": ("It is a river.assistant\n\nAnything else?", "further_turns"),
    "invisible": ("\u200b", "empty"),
}


def overwrite(folder: Path, text: str) -> None:
    """Make the first answer on record another one, as an earlier version had stored it."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE completions SET text = ? WHERE text = 'first'", (text,))


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_an_answer_that_is_none_by_todays_rules_is_asked_for_anew_and_told(
    text: str, reason: str, tmp_path: Path
) -> None:
    with serving(chat("first"), chat("second")) as server:
        run_served(server.name, tmp_path, QUESTIONS, max_in_flight=1)
        overwrite(tmp_path, text)
        server.behaviours = [chat("anew")]
        run = run_served(server.name, tmp_path, QUESTIONS)
        assert len(server.bodies) == 3
        assert sorted(run.responses) == ["anew", "second"]
        assert [f"({reason})" in line for line in run.told] == [True]
        assert run_served(server.name, tmp_path, QUESTIONS).responses == run.responses
        assert len(server.bodies) == 3


def test_an_end_of_a_turn_in_an_old_answer_is_cut_there_without_a_request(tmp_path: Path) -> None:
    with serving(chat("first"), chat("second")) as server:
        run_served(server.name, tmp_path, QUESTIONS, max_in_flight=1)
        overwrite(tmp_path, "It is a river.<|im_end|>")
        run = run_served(server.name, tmp_path, QUESTIONS)
        assert len(server.bodies) == 2
    assert (sorted(run.responses), run.losses) == (["It is a river.", "second"], ["end_token"])
