"""`stillroom fit --drop unfit`: rows that fit as a next revision or as a dataset of their own, the others as rejects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runs.verdict import NoRows, UnfitRows
from tasks.errors import ConfigError
from tests.flows.command.in_process import run_command
from tests.flows.test_fit import fit, table, written
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.publish.trainers import rows as draws

QUESTIONS = [f"question {at}" for at in range(30)]
LENGTH = 60
WORDS = ("rest", "light", "shade", "heat", "frost", "rain", "sun")


def lengthy(request: Any) -> str:
    """Every third answer is longer than the trainer takes."""
    number = int(request.messages[-1]["content"].split()[-1])
    more = " ".join(f"Jar {jar} takes {jar * number} days of {WORDS[jar % 7]} in all." for jar in range(12))
    return f"It is {number}. {more}" if number % 3 == 0 else f"It is {number}."


def rows_of(folder: str, split: str = "train") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/{split}.parquet")


def unfit_in(found: dict[str, Any]) -> dict[str, str]:
    """By row id: the first fault for which a row is better left out."""
    from tasks.publish.trainers.findings import UNFIT

    rows = table(found).select("row_id", "faults").iter_rows()
    first = {row_id: next((name for name in faults if name in UNFIT), None) for row_id, faults in rows}
    return {row_id: name for row_id, name in first.items() if name}


def test_the_next_revision_of_a_dataset_has_the_rows_that_fit_and_asks_nothing(scripted: Scripted) -> None:
    model = scripted(lengthy)
    sft(recipe="respond", seeds=QUESTIONS, rows=12, splits={"train": 0.7, "test": 0.3})
    before = {split: rows_of("out", split) for split in ("train", "test")}
    asked = len(model.requests)
    found = fit("out", max_length=LENGTH, drop="unfit")
    assert len(model.requests) == asked
    assert (found["fitting"]["revision"], found["fitting"]["requests"]) == (2, 0)
    for split, rows in before.items():
        short = [len(talk[-1]["content"]) < 100 for talk in rows["messages"]]
        assert rows_of("out", split).equals(rows.filter(short))
    assert sum(rows.height for rows in before.values()) == 12 > found["fitting"]["rows"] > 6
    gone = pl.read_parquet("out/rejects.parquet").filter(technique="fit")
    assert set(gone["reason"]) == {"answer_cut"} and set(gone["kind"]) == {"filtered"}
    assert all(detail.endswith(f"tokens, and max_length is {LENGTH}") for detail in gone["detail"])
    assert set(unfit_in(found)) <= set(gone["row_id"])
    assert pl.read_parquet("out/revisions/r1/data/train.parquet").equals(before["train"])

    again = fit("out", max_length=LENGTH, drop="unfit")
    assert (again["unfit"], again["fitting"]) == (0, {}), "every row fits"


def test_a_dataset_without_curation_stays_without_the_rest_of_it(scripted: Scripted) -> None:
    scripted(lambda request: lengthy(request) if "7" in request.messages[-1]["content"] else "I'm sorry, but I can't.")
    sft(recipe="respond", seeds=["question 17", "question 27", "question 8"], curate=None)
    assert fit("out", max_length=LENGTH, drop="unfit")["fitting"]["rows"] == 2
    assert [talk[-1]["content"] for talk in rows_of("out")["messages"]] == ["It is 17.", "I'm sorry, but I can't."]


def test_of_pairs_too(scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=["Why?", "What is " + "so " * 90 + "?", "Who?"], out="pairs", curate=None)
    before = rows_of("pairs")
    long = [len(prompt[-1]["content"]) > 100 for prompt in before["prompt"]]
    found = fit("pairs", max_length=90, drop="unfit")
    assert found["fitting"]["revision"] == 2 and any(long)
    assert rows_of("pairs").equals(before.filter([not one for one in long]))
    assert set(pl.read_parquet("pairs/rejects.parquet").filter(technique="fit")["reason"]) == {"dropped"}


DRAWS = {
    "messages": draws.messages,
    "prompt and completion": draws.prompt_completion,
    "texts": draws.text,
    "prompt and completion as texts": draws.prompt_completion_text,
    "pairs": draws.explicit_pair,
    "pairs without a prompt": draws.implicit_pair,
    "pairs of texts": draws.text_pair,
    "one answer with a label": draws.unpaired,
}
LONG = {shape: 150 if "texts" in shape else 500 for shape in DRAWS}


@pytest.mark.parametrize("shape", DRAWS)
def test_of_a_file_of_any_shape_what_fits_is_written_as_it_stands(shape: str, home: Path, prefect_server: str) -> None:
    name = written("rows.jsonl", 60, DRAWS[shape])
    found = fit(name, max_length=LONG[shape], drop="unfit", out="fitting")
    gone = table(found).with_columns(unfit=pl.col("row_id").is_in(list(unfit_in(found))))["unfit"]
    records = [json.loads(line) for line in Path(name).read_text().splitlines()]
    left = [one for one, is_gone in zip(records, gone, strict=True) if not is_gone and one.get("completion") != " "]
    kept = {json.dumps(record): None for record in left}  # a blank is no answer
    made = rows_of("fitting").drop("row_id").to_dicts()
    assert [json.dumps(record) for record in made] == list(kept), "each once"
    assert 0 < found["fitting"]["rows"] == len(kept) < 60
    assert fit("fitting", max_length=LONG[shape])["unfit"] == 0


def test_records_that_are_none_are_rejects(home: Path, prefect_server: str) -> None:
    good = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}
    bad = '{"messages": [{"role": "user"\n{"messages": [{"content": "So."}]}\n[1]\n'
    Path("rows.jsonl").write_text(f"{json.dumps(good)}\n{bad}")
    found = fit("rows.jsonl", drop="unfit", out="fitting")
    assert (found["unfit"], found["fitting"]["rows"]) == (3, 1)
    assert pl.read_parquet("fitting/rejects.parquet").height == 3


def test_what_fits_is_written_before_too_much_is_unfit(home: Path, prefect_server: str) -> None:
    name = written("rows.jsonl", 40)
    with pytest.raises(UnfitRows):
        fit(name, max_length=500, max_unfit_fraction=0.1, drop="unfit", out="fitting")
    assert 5 < rows_of("fitting").height < 36
    with pytest.raises(NoRows) as failed:
        fit(name, max_length=1, drop="unfit", out="none")
    assert failed.value.summary is not None and failed.value.summary["unfit"] == 40
    assert not Path("none/data").exists()


def test_the_command_tells_what_came_of_it(home: Path, prefect_server: str) -> None:
    name = written("rows.jsonl", 40)
    done = run_command("fit", name, "--model", "demo", "--max-length", "500", "--drop", "unfit", "--out", "fitting")
    assert done.returncode == 0, done.stderr
    rows = rows_of("fitting").height
    assert f"without the rows that do not fit: {rows} rows in r1 of" in done.stdout
    none = run_command("fit", name, "--model", "demo", "--max-length", "1", "--drop", "unfit", "--out", "none")
    assert none.returncode == 3 and "40 unfit" in none.stdout and "no row is left" in none.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rows.jsonl", "--drop", "unfit"), "give --out DIR"),
        (("rows.jsonl", "--out", "there"), "add --drop unfit"),
        (("out", "--drop", "unfit", "--out", "out/within"), "the dataset would be written where it is read from"),
        (("out", "--drop", "unfit", "--split", "train"), "leave --split out"),
        (("out", "--drop", "unfit"), "what stands in it stays: out (stillroom fit out --drop unfit --out DIR)"),
        (("rows.jsonl", "--drop", "all"), "Invalid value for '--drop'"),
    ],
)
def test_mistakes_are_told_before_anything_is_looked_at(scripted: Scripted, words: tuple[str, ...], said: str) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=QUESTIONS[:2], incremental=True)
    written("rows.jsonl", 2)
    done = run_command("fit", *words, "--model", "demo")
    assert done.returncode == 2 and said in " ".join(done.stderr.split()), done.stderr
    assert not Path("there").exists() and not Path("home/tables/fit").exists()
    with pytest.raises(ConfigError):
        fit("rows.jsonl", drop="unfit")
    assert not Path("home/tables/fit").exists()
