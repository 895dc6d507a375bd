"""A topic in, an instruction about it out: the simplest way to instructions, and the one with the least variety.

    stillroom sft --recipe basic --config prompting.yaml --rows 100     # with `start_from: prompting`

Topics come from the config, or are those below, in turn. Who asks, and in what manner, is drawn for each instruction, so
that a topic that comes again does not bring the same words; the set `demo` has no such lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.losses import OneByOne
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.models.base import Sampling
from tasks.text.instructions import cleaned, is_chatter
from tasks.text.words import words

TOPICS = (
    "cooking at home",
    "household repairs",
    "growing vegetables",
    "personal finance",
    "job applications",
    "small business",
    "everyday mathematics",
    "statistics",
    "physics in daily life",
    "chemistry",
    "human biology",
    "astronomy",
    "geography",
    "world history",
    "languages and translation",
    "grammar and style",
    "writing letters",
    "poetry",
    "short stories",
    "films and theatre",
    "music theory",
    "painting and drawing",
    "architecture",
    "philosophy",
    "psychology",
    "raising children",
    "school and study",
    "teaching",
    "exercise and sport",
    "sleep and health",
    "first aid",
    "travel planning",
    "public transport",
    "cars and bicycles",
    "weather and climate",
    "animals",
    "programming in Python",
    "databases",
    "computer security",
    "spreadsheets",
    "law in daily life",
    "politics and voting",
    "games and puzzles",
    "holidays and customs",
    "clothes and fashion",
    "time management",
    "negotiation",
    "giving a speech",
)


class BasicPrompting(Params):
    """How a model is prompted for instructions about a topic."""

    topics: tuple[str, ...] = Field((), description="what to ask about, in turn; empty: topics of daily life and work")
    personas: tuple[str, ...] = Field((), description="who asks, drawn for each row; empty: those of the prompts")
    styles: tuple[str, ...] = Field((), description="how it is asked, likewise")
    instructions: int = Field(1, ge=1, le=1000, description="instructions for each topic, a row each")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=256), description="how they are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """Rows that come of one topic, where nothing is refused."""
        return self.instructions

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:
        """The topics, in turn: the user's, else those of the prompts' language, else English ones."""
        return [{"topic": topic} for topic in self.topics or lists.get("topics") or TOPICS]


@technique(reads="Topics", writes="Instructions")
async def basic_prompting(row: Row, models: Models, params: BasicPrompting) -> list[Row]:
    """Ask for an instruction about the row's `topic`; one row for each of `params.instructions` asks.

    An ask that comes to nothing is a loss; the row is rejected where all do.
    """
    children: list[Row] = []
    asks = OneByOne(row, Unusable)
    for sample in range(params.instructions):
        with asks:
            instruction = await models.ask(
                "basic_prompting/instruction",
                topic=row["topic"],
                persona=_drawn(row, "personas", params.personas, models, sample),
                style=_drawn(row, "styles", params.styles, models, sample),
                sample=sample,
                sampling=params.sampling,
                parse=models.in_language(instruction_of),
            )
            children.append(row.child(instruction=instruction))
    return asks.some(children)


def _drawn(row: Row, what: str, own: Sequence[str], models: Models, sample: int) -> str:
    """One of the user's words, or of the prompts'; "" where there are none."""
    words_there = own or models.lists("basic_prompting").get(what, ())
    return row.choose(words_there, what, sample) if words_there else ""


def instruction_of(text: str) -> str:
    """The instruction in a completion: its first paragraph that is no chatter. Raises Unusable where there is none."""
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    while paragraphs and (is_chatter(paragraphs[0]) or (paragraphs[0].endswith(":") and len(paragraphs) > 1)):
        paragraphs.pop(0)
    lines = [line for line in (paragraphs[0].splitlines() if paragraphs else []) if not is_chatter(line)]
    instruction = cleaned(lines[0]) if len(lines) == 1 else "\n".join(lines).strip()
    if not words(instruction):
        raise Unusable("empty" if not text.strip() else "no_instruction")
    return instruction
