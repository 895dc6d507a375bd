"""Splits: a prompt is in one, and stays in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.config import InstructionSFT
from tasks.column_types import MESSAGE
from tasks.publish.formats.conversations import SFT_FORMATS
from tasks.publish.formats.preference import FORMATS
from tasks.publish.revisions import all_data_files, data_files, history
from tasks.publish.splits import check_splits, parted, splits_of
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

HALVES = {"train": 0.5, "test": 0.5}


def talks(*texts: str) -> pl.DataFrame:
    turns = [[{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}] for text in texts]
    schema = {"row_id": pl.String, "messages": pl.List(MESSAGE)}
    return pl.DataFrame({"row_id": [f"{at:032x}" for at in range(len(texts))], "messages": turns}, schema=schema)


def test_the_shares_are_those_asked_for() -> None:
    shares = check_splits({"validation": 0.1, "train": 0.7, "test": 0.2})
    assert list(shares) == ["train", "test", "validation"]
    counts = pl.Series(splits_of(talks(*(f"question {at}" for at in range(20_000))), shares)).value_counts()
    found = dict(counts.iter_rows())
    assert {name: found[name] / 20_000 for name in shares} == pytest.approx(shares, abs=0.01)


few_letters = st.text("aAb \n", max_size=4)  # so that some differ in case and space alone


@given(st.lists(st.text(max_size=5) | few_letters, max_size=12), st.floats(0.05, 0.95))
def test_equal_prompts_are_in_one_split_and_others_do_not_move_them(texts: list[str], share: float) -> None:
    shares = check_splits({"train": 1 - share, "test": share})
    whole = splits_of(talks(*texts), shares)
    assert whole == [splits_of(talks(text), shares)[0] for text in texts]
    of_text: dict[str, set[str]] = {}
    for text, name in zip(texts, whole, strict=True):
        of_text.setdefault(" ".join(text.casefold().split()), set()).add(name)
    assert all(len(names) == 1 for names in of_text.values())
    parts = parted(talks(*texts), shares)
    assert sorted(row_id for part in parts.values() for row_id in part["row_id"]) == talks(*texts)["row_id"].to_list()


def test_another_share_of_one_moves_no_row_between_the_others() -> None:
    frame = talks(*(f"question {at}" for at in range(2_000)))
    before = splits_of(frame, check_splits({"train": 0.8, "a": 0.1, "b": 0.1}))
    after = splits_of(frame, check_splits({"train": 0.7, "a": 0.1, "b": 0.2}))
    assert {(x, y) for x, y in zip(before, after, strict=True) if x != y} == {("train", "b")}


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": 0.9, "test": 0.2}, "1.1 together"),
        ({"test": 1.0}, "`train`"),
        ({"train": 1.0, "test": 0.0}, "above 0"),
        ({"train": 0.5, "te-st": 0.5}, "no name for a split"),
        ({"train": 0.5, "all": 0.5}, "no name for a split"),
    ],
)
def test_what_is_no_split_is_told(splits: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        InstructionSFT(splits=splits)


def loaded(folder: str, tmp_path: Path, config: str | None = None) -> Any:
    from datasets import load_dataset

    return load_dataset(folder, config, cache_dir=str(tmp_path / f"cache-{len(list(tmp_path.iterdir()))}"))


def seeds(start: int, stop: int) -> list[str]:
    return [f"question {at}" for at in range(start, stop)]


def test_the_splits_of_a_dataset_are_its_rows_and_datasets_opens_them(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=seeds(0, 40), out="whole")
    sft(recipe="respond", seeds=seeds(0, 40), out="parts", splits={"train": 0.7, "test": 0.3})
    whole = pl.read_parquet("whole/data/train.parquet")
    rows = loaded("parts", tmp_path)
    assert {name: len(rows[name]) for name in rows} == {"train": 30, "test": 10}
    for name in rows:
        ids = rows[name]["row_id"]
        assert list(ids) == [row_id for row_id in whole["row_id"] if row_id in set(ids)]
    assert sorted([*rows["train"]["row_id"], *rows["test"]["row_id"]]) == sorted(whole["row_id"])
    assert len(pl.concat(map(pl.read_parquet, all_data_files(Path("parts"))))) == 40
    assert list(data_files(Path("parts"))) == ["train", "test"]


def test_a_night_joins_each_split_at_its_end_and_nothing_moves(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    for stop in (20, 20, 40):
        sft(recipe="respond", seeds=seeds(0, stop), out="out", splits=HALVES, incremental=True)
    sft(recipe="respond", seeds=seeds(0, 40), out="whole", splits=HALVES)
    for name, [file] in data_files(Path("out")).items():
        assert pl.read_parquet(file).equals(pl.read_parquet(f"whole/data/{name}.parquet"))
    assert [line.revision for line in history(Path("out"))] == [1, 2]
    assert {name: len(part) for name, part in loaded("out", tmp_path, "r1").items()} != {
        name: len(part) for name, part in loaded("out", tmp_path, "r2").items()
    }


def test_other_shares_move_the_rows_that_are_there_and_make_a_revision(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    for night, splits in enumerate(({"train": 1.0}, HALVES, {"train": 1.0})):
        sft(recipe="respond", seeds=seeds(0, 20 + night), out="out", splits=splits, incremental=True)
        rows = loaded("out", tmp_path)
        assert sum(len(rows[name]) for name in rows) == 20 + night
        assert set(data_files(Path("out"))) == set(rows), "a file is left of a split that there is no more"
        for name in rows:
            frame = pl.DataFrame(rows[name].to_list())
            assert set(splits_of(frame, splits)) == {name}
    lines = history(Path("out"))
    assert [(line.revision, line.changes.added, line.changes.gone) for line in lines] == [
        (1, 20, 0),
        (2, 1, 0),
        (3, 1, 0),
    ]
    assert lines[-1].splits == {"train": 1.0}


@pytest.mark.parametrize("shape", SFT_FORMATS)
def test_a_conversation_is_in_the_same_split_in_each_format_and_its_turns_with_it(
    shape: str, scripted: Scripted
) -> None:
    scripted(rule)
    marked = [
        {
            "messages": [
                {"role": "user", "content": f"first {at}"},
                {"role": "assistant", "content": "b", "train": True},
                {"role": "user", "content": "and then?"},
            ]
        }
        for at in range(12)
    ]
    sft(recipe="respond", seeds=marked, format=shape, out=shape, splits=HALVES)
    for name, [file] in data_files(Path(shape)).items():
        frame = pl.read_parquet(file)
        first = [(row.get("messages") or row.get("prompt"))[0]["content"] for row in frame.iter_rows(named=True)]
        assert set(first) == {f"first {at}" for at in range(12) if splits_of(talks(f"first {at}"), HALVES) == [name]}


@pytest.mark.parametrize("shape", FORMATS)
def test_pairs_are_split_in_each_format(shape: str, scripted: Scripted, tmp_path: Path) -> None:
    scripted(judged)
    summary = dpo(recipe="basic", instructions=seeds(0, 24), format=shape, out=shape, splits=HALVES)
    rows = loaded(shape, tmp_path)
    assert set(rows) == {"train", "test"}
    assert sum(len(rows[name]) for name in rows) == summary["rows"]


def test_a_split_without_a_row_is_no_split(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=seeds(0, 3), out="out", splits={"train": 0.9999, "test": 0.0001})
    assert set(loaded("out", tmp_path)) == {"train"}
    sft(recipe="respond", seeds=seeds(0, 3), out="other", splits={"train": 0.0001, "test": 0.9999})
    assert set(loaded("other", tmp_path)) == {"test"}
    sft(recipe="respond", seeds=seeds(0, 6), out="other", splits={"train": 0.0001, "test": 0.9999}, incremental=True)
    assert {name: len(part) for name, part in loaded("other", tmp_path).items()} == {"test": 6}


def test_the_same_rows_in_other_splits_are_a_revision_too(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    for splits in ({"train": 1.0}, HALVES, HALVES):
        sft(recipe="respond", seeds=seeds(0, 12), out="out", splits=splits)
    changes = [(line.revision, line.changes.added, line.changes.gone) for line in history(Path("out"))]
    assert changes == [(1, 12, 0), (2, 0, 0), (2, 0, 0)]
    assert set(loaded("out", tmp_path, "r1")) == {"train"}
    assert set(loaded("out", tmp_path, "r2")) == {"train", "test"}
