"""`stillroom fit` as a flow: any dataset, a table of every row, findings, and what is not done twice."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runs.verdict import UnfitRows
from tasks.curate import fit as fit_step
from tasks.curate import fit_parts
from tasks.curate.fit import FitDataset
from tasks.errors import ConfigError
from tasks.models.target import open_target
from tasks.notices import heard
from tasks.publish.trainers.choose import Fit
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.publish.trainers import rows as draws


def fit(dataset: str, **options: Any) -> dict[str, Any]:
    import flows.fit

    return flows.fit.fit(dataset, "demo", **options)


def table(found: dict[str, Any]) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(found["table"]).glob("*.parquet"))])


def written(name: str, rows: int, draw: Any = draws.messages) -> str:
    records = [draw(random.Random(at)) for at in range(rows)]
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records))
    return name


def test_a_dataset_of_ours_has_a_line_for_each_row(scripted: Scripted, home: Path) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[f"question {at}" for at in range(12)])
    found = fit("out")
    rows = pl.read_parquet("out/data/train.parquet")
    assert table(found)["row_id"].to_list() == rows["row_id"].to_list()
    assert (found["rows"], found["unfit"]) == (rows.height, 0)
    assert {finding["name"] for finding in found["findings"]} == {"prompts_trained"}
    assert "For `demo`, trl with max_length 1,024: 12 rows" in Path("out/README.md").read_text()
    assert "Findings for demo, trl" in Path("out/report.html").read_text()
    card = Path("out/README.md").read_bytes()
    again = fit("out")  # the card is a part of the folder: this look is a new one, and says the same
    assert again["findings"] == found["findings"] and Path("out/README.md").read_bytes() == card
    assert fit("out")["table"] == again["table"]
    sft(recipe="respond", seeds=[f"question {at}" for at in range(12)])
    assert Path("out/fit.json").exists(), "no row has changed"
    assert "## Fit" in Path("out/README.md").read_text()
    sft(recipe="respond", seeds=["another"])
    assert not Path("out/fit.json").exists()
    assert "## Fit" not in Path("out/README.md").read_text()


def test_parts_are_made_once_and_joined_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.fit

    monkeypatch.setattr(flows.fit, "IN_PART", 20)
    monkeypatch.setattr(fit_step, "AT_ONCE", 7)
    name = written("rows.jsonl", 50)
    whole = fit(name, max_length=200)
    assert table(whole)["place"].to_list() == list(range(1, 51))
    made = {path: path.stat().st_mtime_ns for path in Path(whole["table"]).iterdir()}
    assert fit(name, max_length=200) == whole
    assert {path: path.stat().st_mtime_ns for path in Path(whole["table"]).iterdir()} == made
    monkeypatch.setattr(flows.fit, "IN_PART", 5_000)
    (Path(name).parent / "same.jsonl").write_text(Path(name).read_text())
    other = fit("same.jsonl", max_length=200)
    assert [f | {"rows": []} for f in other["findings"]] == [f | {"rows": []} for f in whole["findings"]]


@pytest.mark.slow
def test_processes_write_the_same_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = written("rows.jsonl", 50)
    params, target = Fit(max_length=200), open_target("demo")
    for folder, here in (("alone", 1 << 30), ("processes", 20)):
        monkeypatch.setattr(fit_parts, "HERE", here)
        parts = fit_parts.FitParts(FitDataset(name, params, target), str(home / folder))
        for start in range(0, 60, 20):
            parts.write(start, 20)
        parts.close()
    tables = [sorted((home / folder).glob("*.parquet")) for folder in ("alone", "processes")]
    assert len(tables[0]) == 3
    assert [path.read_bytes() for path in tables[0]] == [path.read_bytes() for path in tables[1]]


def test_auto_takes_the_length_at_which_99_of_100_rows_stay_whole(home: Path) -> None:
    name = written("pairs.jsonl", 60, draws.explicit_pair)
    found = fit(name, max_length="auto")
    lengths = sorted(max(s["tokens"] for s in row) for row in table(found)["sequences"].to_list())
    assert found["max_length"] == lengths[-(-60 * 99 // 100) - 1]
    assert (table(found)["fate"] != "whole").sum() == sum(length > found["max_length"] for length in lengths)


def test_too_many_unfit_rows_end_it_failed_with_its_findings(home: Path) -> None:
    name = written("rows.jsonl", 30)
    with pytest.raises(UnfitRows) as failed:
        fit(name, max_length=64, max_unfit_fraction=0.2)
    assert failed.value.summary is not None and failed.value.summary["unfit"] > 6


def test_a_record_that_is_none_is_a_finding(home: Path) -> None:
    good = json.dumps({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]})
    Path("bad.jsonl").write_text(
        f'{good}\n{{"messages": "Why?"}}\n{good}\n{{"messages": [{{"content": "no role"}}]}}\n'
    )
    found = fit("bad.jsonl")
    (unreadable,) = (finding for finding in found["findings"] if finding["name"] == "unreadable")
    assert (unreadable["count"], found["rows"]) == (2, 4)


def test_alpaca_is_read_as_a_conversation_and_it_is_told(home: Path) -> None:
    told: list[str] = []
    record = {"instruction": "Add.", "input": "2, 3", "output": "5", "system": "Brief.", "history": [["Hi", "Hello"]]}
    Path("alpaca.jsonl").write_text(json.dumps(record) + "\n")
    with heard(told.append):
        found = fit("alpaca.jsonl")
    (row,) = table(found).to_dicts()
    roles = [turn["role"] for turn in row["sequences"][0]["turns"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    assert (row["faults"], len(told)) == (["prompts_trained"], 1) and "TRL reads them as `messages` only" in told[0]


def test_a_model_that_is_not_there_is_told_at_once(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be reached on the Hub|no such model"):
        open_target("no-such/model")
    with pytest.raises(ConfigError, match="no such model folder"):
        open_target("./no-such-folder")
    assert capfd.readouterr().err == ""


def test_mistakes_are_one_line(home: Path) -> None:
    Path("other.jsonl").write_text('{"instruction": "Why?"}\n')
    with pytest.raises(ConfigError, match="no columns that a trainer reads"):
        fit("other.jsonl")
    with pytest.raises(ConfigError, match="no such file"):
        fit("nowhere.jsonl")
