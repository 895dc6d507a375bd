"""What is told of a dataset is counted over tables as it is row by row."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.curate.fit import FitDataset
from tasks.models.target import open_target
from tasks.publish.trainers.choose import Fit
from tasks.publish.trainers.facts import RowFacts
from tasks.publish.trainers.findings import FitTally
from tests.publish.trainers import rows as draws


@pytest.mark.parametrize("draw", [draws.messages, draws.explicit_pair, draws.text])
def test_a_table_is_counted_as_its_rows_are(draw: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    records = [json.dumps(draw(random.Random(at))) for at in range(40)]
    file.write_text("\n".join([*records[:9], "no record", *records[9:]]))
    part = FitDataset(str(file), Fit(max_length=100), open_target("demo")).part(0, 50)
    whole, one_by_one = FitTally(), FitTally()
    for piece in (part[:1], part[1:30], part[30:], part[:0]):
        whole.add_part(piece)
    for line in part.iter_rows(named=True):
        one_by_one.add(RowFacts.of(line))
    assert whole == one_by_one and whole.rows == 41 and whole.counts["unreadable"] == 1


TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
SHARED = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]


def test_a_row_without_variables_is_refused_where_others_have_some(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"messages": TALK}, {"messages": TALK, "chat_template_kwargs": {"x": 1}}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    part = FitDataset(str(tmp_path / "rows.jsonl"), Fit(), open_target("demo")).part(0, 10)
    assert part["fate"].to_list() == ["refused", "whole"]
    assert part["why"][0] == "chat_template_kwargs is null, and TRL takes an object only; give it an empty one"


@pytest.mark.parametrize(
    ("turns", "trainer", "told"),
    [
        (SHARED, "trl", "rows.jsonl: human is read as user; TRL gives the template the names as they are: rename them"),
        (SHARED, "llamafactory", ""),
        ([{"from": "user", "value": "a"}, {"from": "assistant", "value": "b"}], "trl", ""),
        (json.dumps(SHARED), "trl", ""),
    ],
)
def test_names_that_trl_does_not_change_are_told(
    turns: Any, trainer: Any, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(json.dumps({"conversations": turns}) + "\n")
    assert FitDataset("rows.jsonl", Fit(trainer=trainer), open_target("demo")).told == told
