"""An answer that is too short or too long: in words (a Han character counts as one), characters, or a model's tokens."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tasks.models.token_count import token_count
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.words import word_count


class Length(CheckSettings):
    """The shortest and the longest text to keep; empty: no bound."""

    min_words: int | None = Field(None, ge=0, description="fewest words; a character of Chinese or Japanese is one")
    max_words: int | None = Field(None, ge=1, description="most words")
    min_characters: int | None = Field(None, ge=0, description="fewest characters")
    max_characters: int | None = Field(None, ge=1, description="most characters")
    min_tokens: int | None = Field(None, ge=0, description="fewest tokens")
    max_tokens: int | None = Field(None, ge=1, description="most tokens")
    tokenizer: str = Field("", description="the model, a name or a folder, whose tokens are counted")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for unit, (low, high) in self.bounds().items():
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{unit} {low} is above max_{unit} {high}")
        if not self.tokenizer and self.bounds()["tokens"] != (None, None):
            raise ValueError("tokens of which model? name it as `tokenizer`")
        return self

    def bounds(self) -> dict[str, tuple[int | None, int | None]]:
        """The lowest and the highest figure by unit."""
        return {
            "characters": (self.min_characters, self.max_characters),
            "words": (self.min_words, self.max_words),
            "tokens": (self.min_tokens, self.max_tokens),
        }


def wrong_length(answer: CheckedAnswer, settings: Length) -> Refusal | None:
    """Refuse what is outside of the bounds (too_short, too_long)."""
    return out_of_bounds(answer.text, settings)


def wrong_question_length(answer: CheckedAnswer, settings: Length) -> Refusal | None:
    """The same of the user's turn before the answer (instruction_too_short, instruction_too_long)."""
    refusal = out_of_bounds(answer.asked, settings)
    return refusal and (f"instruction_{refusal[0]}", refusal[1])


def out_of_bounds(text: str, settings: Length) -> Refusal | None:
    """Why a text is too short or too long, the cheapest unit first."""
    for unit, (low, high) in settings.bounds().items():
        if low is None and high is None:
            continue
        count = _count(text, unit, settings.tokenizer)
        if low is not None and count < low:
            return "too_short", f"{count} {unit}, at least {low}"
        if high is not None and count > high:
            return "too_long", f"{count} {unit}, at most {high}"
    return None


def _count(text: str, unit: str, tokenizer: str) -> int:
    if unit == "tokens":
        return token_count(text, tokenizer)
    return word_count(text) if unit == "words" else len(text)
