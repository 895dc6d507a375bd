import asyncio

from tasks.generate.text_generation import TextGeneration, text_generation
from tests.rows import a_row, models_of


def test_an_empty_answer_is_asked_for_again() -> None:
    models = models_of(["", " ", "Four."])
    [row] = asyncio.run(text_generation(a_row(instruction="2+2?"), models, TextGeneration()))
    assert row["response"] == "Four."
