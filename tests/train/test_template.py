"""A base whose chat template cannot be trained on is told before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.models.target import open_target
from tasks.train.lessons import Lesson
from tasks.train.measure import check_template
from tests.models.tiny import CHATML, save_tiny_model
from tests.train.test_lessons import turns

LESSON = Lesson(turns("What is in the jars?"), ("Quince.",))
THINKS = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")


def test_a_template_that_writes_the_prompt_as_it_asks_is_fine(tmp_path: Path) -> None:
    check_template(open_target(str(save_tiny_model(tmp_path))), [LESSON])


def test_a_template_that_begins_an_answer_it_does_not_write_is_one_line(tmp_path: Path) -> None:
    assert THINKS != CHATML
    (save_tiny_model(tmp_path) / "chat_template.jinja").write_text(THINKS)
    with pytest.raises(ConfigError, match="cannot be trained on"):
        check_template(open_target(str(tmp_path)), [LESSON])


def test_a_row_that_the_template_refuses_is_one_line(tmp_path: Path) -> None:
    system = Lesson([{"role": "system", "content": "refuse"}, *turns("Why?")], ("So.",))
    with pytest.raises(ConfigError, match="refuses a row: no system role") as told:
        check_template(open_target(str(save_tiny_model(tmp_path))), [LESSON, system])
    assert "\n" not in str(told.value)
