"""Final answers cut out of real ugly solutions, in four languages."""

from __future__ import annotations

import pytest

from tasks.text.final_answers.agreed import agreed_answer
from tasks.text.final_answers.cut import final_answer, reference_answer

SOLUTIONS: list[tuple[str, str | None]] = [
    (r"So we get \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
    (r"First \boxed{3}, no, \boxed{\text{B}}", r"\text{B}"),
    (r"a set \boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"cut off \boxed{12", None),
    ("16 - 3 - 4 = <<16-3-4=9>>9 eggs.\n#### 18", "18"),
    ("#### Step 1\nAdd them.\n#### 18", "18"),
    ("**Answer:** 42", "42"),
    ("The final answer is: Janet makes $18 per day.", "$18 per day"),
    ("The answer is 12 because 3 times 4 is 12.", "12"),
    ("The correct option is (B) 12 km.", "(B) 12 km"),
    ("The answer is 3.5 km. That is far.", "3.5 km"),
    ("Answer: x = 3", "x = 3"),
    ("The answer is 5. Wait, no. The answer is 6.", "6"),
    ("<think>The answer is 5.</think>\nThe answer is 6.", "6"),
    ("There are 12 of them.", None),
    ("", None),
    ("Vậy đáp số: 12.000 đồng.", "12.000 đồng"),
    ("Kết quả cuối cùng là 3,5 m", "3,5 m"),
    ("Đáp án đúng là B.", "B"),
    ("Câu trả lời là 7 quả táo vì 3 + 4 = 7.", "7 quả táo"),
    ("计算可得，答案是12元。", "12元"),
    ("因此，正确答案是：C", "C"),
    ("故选（B）。", "（B）"),
    ("答：小明有5个苹果。", "5个苹果"),
    ("答案为１２。", "１２"),
    ("答えは12個です。", "12個です"),
    ("正解は（B）です。", "（B）です"),
    ("したがって、最終的な答え：3時間20分", "3時間20分"),
]


@pytest.mark.parametrize(("solution", "answer"), SOLUTIONS, ids=range(len(SOLUTIONS)))
def test_the_final_answer_is_found_where_it_is_marked(solution: str, answer: str | None) -> None:
    assert final_answer(solution) == answer


@pytest.mark.parametrize(
    ("given", "answer"),
    [("Work.\n#### 1,234", "1,234"), ("1/2", "1/2"), (r"Hence $\boxed{7}$.", "7"), ("B", "B"), (" 42\n", "42")],
)
def test_what_a_question_came_with_is_its_answer(given: str, answer: str) -> None:
    assert reference_answer(given) == answer


def test_most_solutions_say_what_is_agreed_however_they_write_it() -> None:
    votes = agreed_answer([r"\boxed{1/2}", r"\boxed{0.50}", r"\boxed{2}", "no idea"])
    assert votes == ("1/2", 2, "2 say 1/2, 1 say 2, 1 mark none")
    assert agreed_answer([r"\boxed{1}", r"\boxed{2}"]).answer is None
    assert agreed_answer(["no idea"]) == (None, 0, "1 mark none")
