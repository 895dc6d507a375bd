"""What was thought before the last answer of a conversation is that answer's, not the first one's."""

from pathlib import Path
from typing import Any

import polars as pl

from tasks.publish.formats.reasoning import recorded_reasoning

ROW, PARENT = "a" * 32, "b" * 32


def line(row_id: str, template: str, sample: int, reasoning: str, **more: Any) -> dict[str, Any]:
    about = {"row_id": row_id, "parents": [PARENT] if row_id == ROW else [], "role": "responder"}
    return about | {"template": template, "sample": sample, "reasoning": reasoning} | more


def thoughts(tmp_path: Path, *lines: dict[str, Any], **columns: Any) -> list[str | None]:
    pl.DataFrame(list(lines)).write_parquet(tmp_path / "provenance.parquet")
    return recorded_reasoning(pl.DataFrame({"row_id": [ROW]} | columns), tmp_path / "provenance.parquet")


def test_of_a_conversation_that_was_carried_on_the_last_answer_counts(tmp_path: Path) -> None:
    lines = [
        line(PARENT, "text_generation", 0, "first"),
        line(ROW, "user_simulator/next_turn", 2, "the user's"),
        line(ROW, "carry_on", 3, "third"),
        line(ROW, "carry_on", 2, "second"),
    ]
    assert thoughts(tmp_path, *lines) == ["third"]
    assert thoughts(tmp_path, *lines, operations=[["deepen"]]) == ["third"]
    assert thoughts(tmp_path, lines[0], line(ROW, "carry_on", 2, "")) == [None]
    assert thoughts(tmp_path, lines[0], line(ROW, "user_simulator/next_turn", 1, "x")) == ["first"]
