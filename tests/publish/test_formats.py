from typing import Any

import polars as pl
import pytest

from tasks.engine.validate import schema_dtypes
from tasks.publish.formats.preference import FORMATS, binarized, kto, preference_pairs, reward
from tasks.schemas import Pairs


def said(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]


TURNS = said(("system", "Cook."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Soup?"))
RATING = {"judge": "j", "aspect": "overall", "rating": 4.0, "rationale": "clear", "order": 0}


def a_pair(
    number: int, prompt: list[dict[str, str]], high: float | None = 4.0, low: float | None = 2.5
) -> dict[str, Any]:
    return {
        "row_id": f"{number:032x}",
        "prompt": prompt,
        "chosen": said(("assistant", f"good {number}")),
        "rejected": said(("assistant", f"bad {number}")),
        "score_chosen": high,
        "score_rejected": low,
        "chosen_model": "a",
        "rejected_model": "b",
        "chosen_origin": "pool",
        "rejected_origin": "pool",
        "judges": ["j"],
        "ratings_chosen": [RATING],
        "ratings_rejected": [],
        "instruction": "a column of before",
    }


def pairs(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema_overrides=schema_dtypes(Pairs))


FRAME = pairs(a_pair(0, TURNS), a_pair(1, said(("user", "Tea?")), None, None))


def test_dpo_is_explicit_and_conversational_with_nothing_of_before() -> None:
    made = preference_pairs(FRAME)
    assert made.columns == list(Pairs.to_schema().columns)
    for row in made.iter_rows(named=True):
        assert row["prompt"][-1]["role"] == "user"
        assert [message["role"] for message in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    Pairs.validate(made)


def test_reward_has_whole_conversations_and_a_margin_of_0_for_none() -> None:
    first, second = reward(FRAME).to_dicts()
    assert first == {
        "chosen": [*TURNS, *said(("assistant", "good 0"))],
        "rejected": [*TURNS, *said(("assistant", "bad 0"))],
        "margin": 1.5,
    }
    assert second["margin"] == 0.0


def test_kto_is_two_rows_a_pair_in_order() -> None:
    rows = kto(FRAME).to_dicts()
    assert [(row["completion"][0]["content"], row["label"]) for row in rows] == [
        ("good 0", True),
        ("bad 0", False),
        ("good 1", True),
        ("bad 1", False),
    ]
    assert [row["prompt"] for row in rows] == [TURNS, TURNS, said(("user", "Tea?")), said(("user", "Tea?"))]
    assert kto(FRAME).schema["label"] == pl.Boolean
    assert kto(FRAME).columns == ["prompt", "completion", "label"]


def test_binarized_has_the_columns_of_ultrafeedback_binarized() -> None:
    first = binarized(FRAME).to_dicts()[0]
    assert list(first) == ["prompt", "prompt_id", "chosen", "rejected", "messages", "score_chosen", "score_rejected"]
    assert first["prompt"] == "Soup?"
    assert first["messages"] == first["chosen"] == [*TURNS, *said(("assistant", "good 0"))]


@pytest.mark.parametrize("name", FORMATS)
def test_a_lazy_frame_stays_lazy_and_gives_the_same(name: str) -> None:
    lazy = FORMATS[name](FRAME.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(FORMATS[name](FRAME))


@pytest.mark.parametrize("name", FORMATS)
def test_no_pairs_give_a_table_of_the_same_columns(name: str) -> None:
    assert FORMATS[name](FRAME.clear()).schema == FORMATS[name](FRAME).schema
