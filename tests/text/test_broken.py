"""What a critic says of a principle, in the forms that models write it in."""

import pytest

from tasks.errors import Unusable
from tasks.text.verdicts.broken import broken_of


@pytest.mark.parametrize(
    ("text", "is_broken", "critique"),
    [
        pytest.param("Critique: It insults.\nBroken: yes", True, "It insults.", id="as asked"),
        pytest.param("Critique: It is kind.\nBroken: no", False, "It is kind.", id="kept"),
        pytest.param("**Critique:** It insults.\n\n**Broken:** Yes.", True, "It insults.", id="bold"),
        pytest.param("Broken: yes\nCritique: It insults.", True, "It insults.", id="the verdict first"),
        pytest.param("It insults. And more.\n- Broken: yes", True, "It insults. And more.", id="no label"),
        pytest.param("Critique: 它骂人。\nBroken：是", True, "它骂人。", id="Chinese, full width"),
        pytest.param("Critique: 没有骂人。\nBroken: 否", False, "没有骂人。", id="Chinese no"),
        pytest.param("Critique: Câu này xúc phạm.\nBroken: có", True, "Câu này xúc phạm.", id="Vietnamese"),
        pytest.param("Critique: Không xúc phạm.\nBroken: không", False, "Không xúc phạm.", id="Vietnamese no"),
        pytest.param("Critique: 侮辱している。\nBroken: はい", True, "侮辱している。", id="Japanese"),
        pytest.param("Critique: 守っている。\nBroken: いいえ", False, "守っている。", id="Japanese no"),
        pytest.param("Critique: no.\nBroken: no", False, "no.", id="a critique that begins with no"),
        pytest.param("Broken: no", False, "", id="kept, and nothing said"),
        pytest.param(
            "Critique: Broken: a word of the response. It insults.\nBroken: yes",
            True,
            "Broken: a word of the response. It insults.",
            id="the word in the critique",
        ),
    ],
)
def test_a_verdict_is_read_with_its_critique(text: str, is_broken: bool, critique: str) -> None:
    assert broken_of(text) == (is_broken, critique)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_verdict"),
        ("It insults the reader.", "no_verdict"),
        ("Critique: It insults.\nBroken: perhaps", "no_verdict"),
        ("Critique: x\nBroken: yes\nBroken: no", "two_verdicts"),
        ("Broken: yes", "no_critique"),
        ("Critique:\nBroken: yes", "no_critique"),
        ("Critique: x\nBroken: nobody", "no_verdict"),
    ],
)
def test_what_is_no_verdict_is_asked_for_again(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as loss:
        broken_of(text)
    assert loss.value.reason == reason
