"""A disk that is full in the middle of a run: one clear line, and what was paid for before is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.engine.world import world

QUESTIONS = [f"question {i}" for i in range(300)]


def answer(request: Request) -> str:
    return f"{request.seed} " * 50


def test_a_full_disk_ends_the_run_in_one_line_and_what_was_paid_for_is_kept(tmp_path: Path) -> None:
    with world(tmp_path) as full:
        engine = full.ledger._engine

        @sa.event.listens_for(engine, "connect")
        def limits(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA max_page_count = 40")  # SQLite then says what it says of a full disk

        engine.dispose()
        with pytest.raises(ConfigError, match="free some space and run the same command again") as caught:
            full.run(QUESTIONS, answer, in_flight=4)
        assert "\n" not in str(caught.value)
        kept = full.ledger.count()
    assert 0 < kept < 300
    with world(tmp_path) as roomy:
        run = roomy.run(QUESTIONS, answer)
    assert (run.requests, run.frame().height) == (300 - kept, 300)
