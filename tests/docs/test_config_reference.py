"""docs/config.md says what the models say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.config_reference import PAGE, page

ROOT = Path(__file__).parents[2]


def test_the_reference_of_the_options_is_what_the_models_say() -> None:
    assert page() == PAGE.read_text(), "make docs"


def test_every_model_that_the_reference_names_has_a_section() -> None:
    text = PAGE.read_text()
    sections = {title.lower() for title in re.findall(r"^### `(\w+)`$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= sections


def test_every_variable_that_the_code_reads_is_named() -> None:
    code = "".join(path.read_text() for room in ("flows", "tasks") for path in (ROOT / room).rglob("*.py"))
    read = set(re.findall(r"STILLROOM_[A-Z_]+[A-Z]", code)) - {"STILLROOM_DB_PASSWORD"}  # compose's own
    assert read == set(re.findall(r"STILLROOM_[A-Z_]+[A-Z]", PAGE.read_text()))
