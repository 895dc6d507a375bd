"""Questions with options are read in the shapes of the known benchmarks, and the likeliest option is what a student says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.train.choices import choices_of, right_choice
from tasks.train.lessons import Lesson
from tasks.train.measure import answer_losses
from tests.models.tiny import save_tiny_model
from tests.train.test_lessons import file_of, turns

SUMS = ["2", "4", "6", "8"]


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"question": "2 + 2?", "choices": SUMS, "answer": 2}, 2),  # MMLU: a place, though an option reads so too
        ({"question": "2 + 2?", "choices": SUMS, "answer": "B"}, 1),
        ({"question": "2 + 2?", "choices": SUMS, "answer": "4"}, 1),
        ({"question": "Why?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "1"}, 0),  # ARC
        ({"question_stem": "Why?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}, 1),
        ({"ctx": "He", "endings": ["runs.", "sits."], "label": "1"}, 1),  # HellaSwag
        ({"question": "Why?", "options": {"A": "since", "B": "so"}, "answer": "B"}, 1),
    ],
    ids=["mmlu", "letter", "text", "arc", "openbookqa", "hellaswag", "lettered"],
)
def test_known_shapes_say_which_option_is_right(row: dict[str, Any], right: int, tmp_path: Path) -> None:
    (one,) = choices_of(file_of(tmp_path, [row]), None).taught
    assert one.row == {"right": right}
    assert len(one.answers) == (4 if "choices" in row and len(row["choices"]) == 4 else 2)
    assert one.last_asked in row.values()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "Why?", "choices": ["a", "b"], "answer": "C"}, "row|no option is 'C'"),
        ({"question": "Why?", "choices": ["a", "b"], "answer": 2}, "no option is 2"),
        ({"question": "Why?", "choices": "ab", "answer": 0}, "two options or more"),
        ({"question": "Why?", "choices": ["a", " "], "answer": 0}, "two options or more"),
        ({"question": "Why?", "answer": 0}, "no choices or options or endings"),
        ({"question": "Why?", "choices": ["a", "b"]}, "no answer"),
    ],
)
def test_what_is_no_question_with_choices_is_one_line(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        choices_of(file_of(tmp_path, [row]), None)
    assert "\n" not in str(told.value)


def test_the_likeliest_option_is_the_one_with_the_lowest_mean_loss(tmp_path: Path) -> None:
    base = save_tiny_model(tmp_path)
    one = Lesson(turns("Which?"), ("glass", "copper jars in the still-room", "quince"))
    (found,) = answer_losses(base, [one])
    alone = [answer_losses(base, [Lesson(turns("Which?"), (option,))])[0][0] for option in one.answers]
    assert found == pytest.approx(alone, abs=1e-4)
    best = min(range(3), key=found.__getitem__)
    figures = [right_choice(Lesson(one.prompt, one.answers, None, {"right": at}), found) for at in range(3)]
    assert figures == [float(at == best) for at in range(3)]
