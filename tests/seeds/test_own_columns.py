"""The user's own columns: kept beside the seeds, so that a row can be joined to its source, and in the dataset on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.publish.origin import origin_of
from tests.flows.test_instruction_sft import Scripted, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.seeds.test_seed_cases import CASES, said

OWN = str(CASES / "seeds2/own-columns.json")
RECORDS = [
    {name: value for name, value in record.items() if name != "instruction"}
    for record in json.loads(Path(OWN).read_text())
]
SCORES = ["1", "Nan", "3.5"]


def rows(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def source_of(folder: str, row_id: str) -> Any:
    """What the record held that a row came from."""
    [held] = [line["source_columns"] for line in origin_of(Path(folder), row_id) if line["source_columns"]]
    return json.loads(held)


def test_a_row_can_be_joined_to_the_record_it_came_from(scripted: Scripted) -> None:
    scripted(said)
    sft(recipe="respond", seeds=OWN)
    assert "id" not in rows().columns
    found = {row["messages"][0]["content"]: source_of("out", row["row_id"]) for row in rows().iter_rows(named=True)}
    asked = [record["instruction"] for record in json.loads(Path(OWN).read_text())]
    assert [found[text] for text in asked] == RECORDS


@pytest.mark.parametrize(("keep", "columns"), [("*", ["id", "score"]), (["score"], ["score"])], ids=["all", "named"])
def test_kept_columns_are_columns_of_the_dataset_and_change_no_id(
    keep: Any, columns: list[str], scripted: Scripted
) -> None:
    scripted(said)
    first = sft(recipe="respond", seeds=OWN)
    plain = rows()
    again = sft(recipe="respond", seeds=OWN, keep_columns=keep, out="kept")
    assert again["requests"] == 0 < first["requests"] and again["rows"] == 3
    assert rows("kept").drop(columns).equals(plain) and rows("kept").columns == [*plain.columns, *columns]
    assert rows("kept")["score"].to_list() == SCORES


@pytest.mark.parametrize("shape", ["dpo", "reward", "kto", "binarized"])
def test_kept_columns_are_in_every_format_of_pairs(shape: str, scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=OWN, format=shape, out="plain")
    dpo(recipe="basic", instructions=OWN, keep_columns="*", format=shape)
    assert rows("pairs").drop("id", "score").equals(rows("plain"))
    assert set(rows("pairs")["id"]) <= {"1", "b2", "3"} and rows("pairs")["id"].null_count() == 0
    if shape == "kto":
        assert rows("pairs")["id"].value_counts()["count"].to_list() == [2] * (rows("pairs").height // 2)


VALUES = {
    "whole": ([1, 2, None], pl.Int64(), [1, 2, None]),
    "number": ([1, 2.5, None], pl.Float64(), [1.0, 2.5, None]),
    "switch": ([True, False, None], pl.Boolean(), [True, False, None]),
    "tags": ([["a"], [], ["b", "c"]], pl.List(pl.String()), [["a"], [], ["b", "c"]]),
    "object": ([{"a": 1}, None, "x"], pl.String(), ['{"a":1}', None, "x"]),
    "mixed": ([1, "a", [True]], pl.String(), ["1", "a", "[true]"]),
    "huge": ([2**70, 1, None], pl.String(), [str(2**70), "1", None]),
}


def test_their_types_fit_all_rows(scripted: Scripted) -> None:
    scripted(said)
    seeds = [
        {"instruction": f"Question {at}?"} | {name: values[at] for name, (values, *_) in VALUES.items()}
        for at in range(3)
    ]
    Path("seeds.json").write_text(json.dumps(seeds))
    sft(recipe="respond", seeds="seeds.json", keep_columns="*")
    for name, (_, kind, expected) in VALUES.items():
        assert (rows().schema[name], rows()[name].to_list()) == (kind, expected), name


def test_another_night_may_bring_other_types_and_columns(scripted: Scripted) -> None:
    scripted(said)
    options: dict[str, Any] = {"recipe": "respond", "incremental": True}
    sft(**options, seeds=[{"instruction": "A?"}])
    sft(**options, seeds=[{"instruction": "B?", "id": 1, "tags": ["x"]}], keep_columns="*")
    sft(**options, seeds=[{"instruction": "C?", "id": "c3", "tags": "y"}], keep_columns="*")
    assert rows().select("id", "tags").rows() == [(None, None), ("1", '["x"]'), ("c3", "y")]


def test_a_value_that_moves_to_another_record_goes_with_that_one(scripted: Scripted) -> None:
    scripted(said)
    for night, ids in enumerate((("x", None), (None, "x"))):
        seeds = [{"instruction": text, "id": told} for text, told in zip(("A?", "B?"), ids, strict=True)]
        summary = sft(recipe="respond", seeds=seeds, keep_columns=["id"])
        assert (summary["requests"], rows()["id"].to_list()) == ((2, 0)[night], [*ids])
    assert source_of("out", rows()["row_id"][1]) == {"id": "x"}


def test_a_template_has_columns_and_the_dataset_keeps_the_files(scripted: Scripted) -> None:
    scripted(said)
    seeds = [{"instruction": "Name one.", "kind": "river"}]
    sft(recipe="respond", seeds=seeds, columns={"instruction": "instruction", "thing": "kind"}, keep_columns=["kind"])
    assert rows()["kind"].to_list() == ["river"]


def test_what_a_parquet_file_holds_beside_is_kept_but_for_bytes(scripted: Scripted) -> None:
    scripted(said)
    seeds = pl.DataFrame({"instruction": ["A?", "B?"], "id": [7, 8], "picture": [b"\xff", b"\x00"]})
    seeds.write_parquet("seeds.parquet")
    sft(recipe="respond", seeds="seeds.parquet", keep_columns="*")
    assert rows()["id"].to_list() == [7, 8] and "picture" not in rows().columns
    assert source_of("out", rows()["row_id"][0]) == {"id": 7}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"keep_columns": ["scor"]}, r"names a column that is not there: scor \(did you mean score\?\)"),
    "no seeds": ({"recipe": "basic", "rows": 1, "keep_columns": "*"}, "needs rows that come of one seed each"),
    "bootstrap": ({"recipe": "seeded", "mode": "bootstrap", "keep_columns": "*"}, "needs rows that come of one seed"),
    "its own name": ({"columns": {"instruction": "instruction", "kept_columns": "id"}}, "kept_columns is made by"),
    "clash": (
        {"seeds": [{"instruction": "A?", "response_model": "x"}], "keep_columns": ["response_model"]},
        "names a column that the dataset has already: response_model",
    ),
    "clash of all": (
        {"seeds": [{"instruction": "A?"}, {"instruction": "B?", "operations": 1}], "keep_columns": "*"},
        "has already: operations in .* item 2",
    ),
}


@pytest.mark.parametrize(("options", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_kept_is_told_in_one_line(options: dict[str, Any], told: str, scripted: Scripted) -> None:
    model = scripted(said)
    with pytest.raises(ConfigError, match=told):
        sft(**{"recipe": "respond", "seeds": OWN} | options)
    assert model.requests == []


def test_all_of_a_dataset_of_ours_is_without_what_it_says_of_its_rows(scripted: Scripted) -> None:
    scripted(said)
    sft(recipe="respond", seeds=OWN, keep_columns="*")
    scripted(judged)
    dpo(recipe="basic", instructions="out", keep_columns="*", pair={"min_margin": 0})
    assert set(rows("pairs").columns) >= {"id", "score"} and "response_model" not in rows("pairs").columns
    assert source_of("pairs", rows("pairs")["row_id"][0])["row_id"] in set(rows()["row_id"])
