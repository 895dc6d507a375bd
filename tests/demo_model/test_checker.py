"""The checker against questions written by hand, and against everything that the corpus can ask."""

import random

import pytest

from tests.demo_model.answers import STYLES, answered
from tests.demo_model.checker import difficulty, question_of, verdict
from tests.demo_model.domain import CONSTRAINTS, KINDS, a_question, evolved
from tests.demo_model.roles import OPERATIONS

STORY = "Maria has 12 apples. Maria buys 5 more. Maria gives 3 away. How many apples does Maria have now?"
CASES = [
    ("What is 7 + 5?", "7 + 5 = 12. The answer is 12.", "right"),
    ("What is 7 + 5?", "The answer is 13.", "wrong"),
    ("what is seven plus five?", "Twelve.", "right"),
    ("Work out 3 times 4 minus 2. Show each step.", "First, 3 x 4 = 12. Then, 12 - 2 = 10. The answer is 10.", "right"),
    ("Work out 2 + 3 x 4.", "14.", "not checkable"),  # the domain has a product at the start only
    ("What is 3 - 5?", "-2", "not checkable"),  # and nothing below zero
    (STORY, "12 + 5 = 17. 17 - 3 = 14. Maria has 14 apples. Check: going back over it gives the same.", "right"),
    (STORY, "12 + 5 = 17. 17 - 3 = 15. Maria has 15 apples.", "wrong"),
    (STORY, "I like apples.", "wrong"),
    ("How many minutes are in 2 hours and 5 minutes?", "That is 125 minutes.", "right"),
    ("How many minutes are in 2 weeks?", "20160", "not checkable"),
    ("Which day is 3 days after Friday?", "Friday, Saturday, Sunday, Monday. It is Monday.", "right"),
    ("Which day is 3 days after Friday?", "Friday, Saturday, Sunday, Monday. It is Sunday.", "wrong"),
    ("What month comes 2 months before what is 1 month after January?", "It is December.", "right"),
    ("Sort from large to small: 7, 21, 9.", "The order is 21, 9, 7.", "right"),
    ("Sort from large to small: 7, 21, 9.", "7, 9, 21.", "wrong"),
    ("Put these in alphabetical order: tea, bread, milk.", "bread, milk, tea", "right"),
    ("Which of 12, 15 and 9 is the largest?", "15.", "right"),
    ("Ana is 12, Tom is 15 and Eva is 9. Who is the youngest?", "The youngest is Eva.", "right"),
    ("What comes next: 2, 4, 6, 8? Give two numbers.", "8 + 2 = 10. 10 + 2 = 12. Next: 10, 12.", "right"),
    ("What comes next: 2, 4, 6, 8? Give two numbers.", "Next: 10, 14.", "wrong"),
    ("Prices in euros: pears 2, cups 5. What do 3 pears and 2 cups cost?", "The price is 16 euros.", "right"),
    ("Share 12 nuts among 3 guests. But first 3 more are added. How many does each get?", "Each gets 5 nuts.", "right"),
    ("How many letters are in the words tea and milk?", "In all 7 letters.", "right"),
    ('How many words are in "the cat sleeps"?', "the 1, cat 2, sleeps 3. There are 3 words.", "right"),
    ("What is the opposite of hot and early?", "The opposite is cold, late.", "right"),
    ("What is the opposite of hot?", "hot and cold. The opposite is cold.", "right"),
    ("Who painted this?", "Nobody.", "not checkable"),
    ("", "", "not checkable"),
]


@pytest.mark.parametrize(("question", "answer", "expected"), CASES, ids=range(len(CASES)))
def test_a_hand_written_case_gets_its_verdict(question: str, answer: str, expected: str) -> None:
    assert verdict(question, answer) == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_question_of_the_corpus_is_checkable_and_its_answer_right(kind: type) -> None:
    rng = random.Random(kind.__name__)
    for i in range(150):
        question = a_question(rng, kind, 2 + i % 4)
        read = question_of(question.text)
        assert read is not None, question.text
        assert (read.problem.value(), read.difficulty) == (question.problem.value(), question.difficulty), question.text
        for style in STYLES:
            right, wrong = answered(question, style, rng), answered(question, style, rng, right=False)
            assert verdict(question.text, right.text) == "right", (question.text, right.text)
            assert verdict(question.text, wrong.text) == "wrong", (question.text, wrong.text)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one != "breadth"])
def test_an_evolved_question_is_harder_and_checkable(operation: str) -> None:
    rng = random.Random(operation)
    for _ in range(150):
        question = a_question(rng, size=rng.choice((2, 3)))
        after = difficulty(evolved(question, operation, rng).text)
        assert after is not None and after > question.difficulty, question.text


def test_a_constraint_counts_as_one_more() -> None:
    assert difficulty("What is 7 + 5?") == 2
    assert difficulty(f"What is 7 + 5? {CONSTRAINTS[0]} {CONSTRAINTS[1]}") == 4
    assert difficulty("What is love?") is None
