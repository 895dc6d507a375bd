"""Validation: the quick look at a whole table never says more than pandera does."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import schemas
from tasks.engine import validate as validation
from tasks.engine.validate import TableError, schema_columns, schema_dtypes, validate
from tasks.schemas import Instances, Pairs, Responses, Rows

IDS = [f"{number:032x}" for number in range(4)]
row_ids = st.sampled_from([*IDS, *IDS, "no id", None])
texts = st.sampled_from(["a", "b", "c", "", None])


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"{role} says"} for role in roles]


answers = st.sampled_from([turns("assistant"), [{"role": "assistant", "content": "other"}], turns("user"), [], None])
scores = st.sampled_from([1.0, 2.0, None])
responses = st.fixed_dictionaries(
    {"row_id": row_ids, "instruction": texts, "response": texts, "response_model": texts, "system": texts}
)
instances = st.fixed_dictionaries(
    {
        "row_id": row_ids,
        "instruction": texts,
        "is_classification": st.sampled_from([True, None]),
        "input": texts,
        "output": texts,
    }
)
pairs = st.fixed_dictionaries(
    {
        "row_id": row_ids,
        "prompt": st.sampled_from([turns("user"), turns("user", "assistant"), [], None]),
        "chosen": answers,
        "rejected": answers,
        "score_chosen": scores,
        "score_rejected": scores,
    }
    | {name: st.just("m") for name in ("chosen_model", "rejected_model", "chosen_origin", "rejected_origin")}
    | {name: st.just([]) for name in ("judges", "ratings_chosen", "ratings_rejected")}
)


def frame_of(rows: list[dict[str, Any]], schema: type[Rows]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema_dtypes(schema))


@pytest.mark.parametrize(("schema", "row"), [(Responses, responses), (Instances, instances), (Pairs, pairs)])
def test_the_quick_look_agrees_with_pandera(schema: type[Rows], row: st.SearchStrategy[dict[str, Any]]) -> None:
    passed = [0, 0]

    @settings(deadline=None)
    @given(st.lists(row, max_size=3))
    def agrees(rows: list[dict[str, Any]]) -> None:
        frame = frame_of(rows, schema)
        good, faults = validate(frame, schema)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(validation, "_is_good", lambda _frame, _schema: False)
            slow, slow_faults = validate(frame, schema)
        assert faults == slow_faults
        assert good.equals(slow)
        passed[bool(faults)] += 1

    agrees()
    assert all(passed), "both tables with faults and tables without were seen"


def test_a_column_that_is_missing_or_of_another_type_is_a_fault_of_the_table() -> None:
    good = frame_of(
        [{"row_id": IDS[0], "instruction": "a", "response": "b", "response_model": "m", "system": ""}], Responses
    )
    assert validate(good, Responses) == (good, {})
    with pytest.raises(TableError, match="system"):
        validate(good.drop("system"), Responses)
    with pytest.raises(TableError, match="response"):
        validate(good.with_columns(response=pl.lit(1)), Responses)
    more = good.with_columns(another=pl.lit(1))
    assert validate(more, Responses) == (more, {})


def test_the_columns_of_a_schema_are_those_that_pandera_sees() -> None:
    ours = {name: one for name, one in vars(schemas).items() if isinstance(one, type) and issubclass(one, Rows)}
    assert len(ours) > 30
    for name, schema in ours.items():
        assert schema_columns(name) == schema_columns(schema) == set(schema_dtypes(schema))
    with pytest.raises(LookupError, match="Respones"):
        schema_columns("Respones")
