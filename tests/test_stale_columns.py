"""Law 9: a column never outlives what it was made from, whoever wrote the technique."""

from typing import Any

import numpy as np
import pytest

from tasks.columns import MADE_FROM
from tasks.stale_columns import last_user_turn
from tests.rows import a_row

TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
NEW_TALK = [{"role": "user", "content": "c"}]
ANSWERED = {"instruction": "a", "response": "b", "response_model": "m", "messages": TALK, "system": "s", "topic": "t"}
POOL = [{"text": "b"}]


def dropped(columns: dict[str, Any], **changes: Any) -> set[str]:
    """The columns that a child has lost."""
    child = a_row(**columns).child(**changes)
    assert set(child) == {*columns, *changes}, "a dropped column is null, not gone: its table keeps its columns"
    return {column for column in columns if column not in changes and child[column] is None}


@pytest.mark.parametrize(
    ("columns", "changes", "stale"),
    [
        pytest.param(
            ANSWERED, {"instruction": "c"}, {"response", "response_model", "messages"}, id="another instruction"
        ),
        pytest.param(ANSWERED, {"instruction": "a"}, set(), id="the same instruction"),
        pytest.param(ANSWERED, {"topic": "u"}, set(), id="a column that nothing was made from"),
        pytest.param(ANSWERED, {"system": "be brief"}, {"response", "response_model"}, id="another system prompt"),
        pytest.param(
            {"instruction": "a", "response": "b"},
            {"system": "s"},
            {"response"},
            id="a system prompt where there was none",
        ),
        pytest.param(
            {"instruction": "a", "response": "b", "system": None}, {"system": ""}, set(), id="nothing for nothing"
        ),
        pytest.param(ANSWERED, {"response": "c"}, {"response_model"}, id="another response"),
        pytest.param(ANSWERED, {"response": "c", "response_model": "m"}, set(), id="all given anew"),
        pytest.param(
            ANSWERED,
            {"instruction": "c", "messages": NEW_TALK, "response": "d"},
            {"response_model"},
            id="some given anew",
        ),
        pytest.param(
            ANSWERED, {"messages": NEW_TALK}, {"instruction", "response", "response_model"}, id="another conversation"
        ),
        pytest.param(
            ANSWERED, {"messages": TALK[:1]}, {"response", "response_model"}, id="a conversation with the same question"
        ),
        pytest.param(
            {"messages": TALK, "response": "b"},
            {"instruction": "a"},
            set(),
            id="the instruction that its messages held",
        ),
        pytest.param(
            {"messages": TALK, "response": "b"},
            {"instruction": "c"},
            {"messages", "response"},
            id="not what its messages held",
        ),
        pytest.param(
            {"instruction": "x", "messages": TALK}, {"instruction": "a"}, set(), id="the instruction made to agree"
        ),
        pytest.param(
            {"instruction": "a", "operations": ["deepen"]}, {"instruction": "c"}, {"operations"}, id="operations"
        ),
        pytest.param(
            {"instruction": "a", "responses": POOL, "order_agreement": 0.5},
            {"responses": [*POOL, {"text": "c"}]},
            {"order_agreement"},
            id="another pool",
        ),
        pytest.param(
            {"instruction": "a", "input": "i", "output": "o", "response": "b", "messages": TALK},
            {"input": "j"},
            {"output", "response", "messages"},
            id="another input",
        ),
        pytest.param(
            {"prompt": NEW_TALK, "chosen": TALK, "rejected": TALK, "score_chosen": 5.0, "instruction": "c"},
            {"instruction": "d"},
            {"prompt", "chosen", "rejected", "score_chosen"},
            id="a pair, however far down",
        ),
        pytest.param({"instruction": "a", "response": None}, {"instruction": "c"}, {"response"}, id="null before"),
    ],
)
def test_a_column_goes_when_what_it_was_made_from_changes(
    columns: dict[str, Any], changes: dict[str, Any], stale: set[str]
) -> None:
    assert dropped(columns, **changes) == stale


def test_what_a_child_lost_counts_as_changed() -> None:
    """The table is made of the parents' columns and the changes: what is in neither would come back."""
    assert a_row(**ANSWERED).child(instruction="c").changes == {
        "instruction": "c",
        "response": None,
        "response_model": None,
        "messages": None,
    }


def test_a_child_with_nothing_stale_keeps_its_id_and_columns() -> None:
    row, twin = a_row(**ANSWERED), a_row(**ANSWERED)
    assert row.child(topic="u").row_id == twin.child(instruction="c").row_id


def test_a_vector_may_be_a_column() -> None:
    assert dropped(ANSWERED, embedding=np.zeros(3)) == set()


def test_the_schemas_know_no_column_that_is_made_from_itself_alone() -> None:
    for column, sources in MADE_FROM.items():
        assert column not in sources


def test_the_last_question_of_a_conversation() -> None:
    assert last_user_turn(TALK) == "a" and last_user_turn(None) is None and last_user_turn(TALK[1:]) is None
