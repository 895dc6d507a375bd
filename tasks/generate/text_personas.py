"""A text in, people who have to do with it out, each as a description; and others who have to do with these.

    stillroom sft --recipe personas --seeds articles/
    stillroom sft --recipe personas --seeds personas.jsonl        # with a column `persona`

Text-to-persona and persona-to-persona, Ge et al. 2024 (Persona Hub, arXiv:2406.20094), section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.losses import OneByOne
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.documents.chunks import Chunking
from tasks.text.reading.messages import written_message
from tasks.text.words import word_count

FOLDER = "text_personas"


class TextPersonas(Params):
    """How people are made of texts, and of other people."""

    chunks: Chunking = Chunking()
    personas: int = Field(1, ge=1, le=20, description="people made of each text; a given one is itself")
    related: int = Field(0, ge=0, le=20, description="people more who have to do with each of these, one with the next")
    max_words: int = Field(80, ge=1, description="words; a longer description is asked for again")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=256), description="how descriptions are sampled"
    )

    @property
    def chunking(self) -> Chunking:
        """How a folder of documents is cut."""
        return self.chunks

    @property
    def seed_columns(self) -> Mapping[str, Sequence[str]]:
        """Given people, as Persona Hub names them too."""
        return {"persona": ("persona", "input persona", "input_persona")}

    @property
    def rows_of_each(self) -> int:
        """People of one text."""
        return self.personas * (1 + self.related)


@technique(reads="Rows", writes="Personas", prompts=FOLDER)
async def text_personas(row: Row, models: Models, params: TextPersonas) -> list[Row]:
    """The people of a row: its `persona`, else those made of its `context` or `instruction`, and those related to them.

    Writes `persona`. One that could not be had is a loss; the row is rejected where all are. Raises Filtered (no_text)
    where the row has none of the three.
    """
    text = row.get("context") or row.get("instruction")
    given = (row.get("persona") or "").strip()
    if not (given or text):
        raise Filtered("no_text", "the row has neither a persona nor a text")
    found: list[str] = []
    asks = OneByOne(row)
    for number in range(1 if given else params.personas):
        with asks:
            found.append(given or await _from_text(row, models, params, text, number))
            for step in range(params.related):
                found.append(await _related(models, params, found[-1], number * params.related + step))
    return [row.child(persona=persona) for persona in dict.fromkeys(asks.some(found))]


async def _from_text(row: Row, models: Models, params: TextPersonas, text: str, number: int) -> str:
    relations = models.lists(FOLDER).get("relations") or ("read",)
    return await models.ask(
        f"{FOLDER}/from_text",
        text=text,
        relation=row.choose(relations, "relation", number),
        sample=number,
        sampling=params.sampling,
        parse=models.in_language(partial(persona_of, most=params.max_words)),
    )


async def _related(models: Models, params: TextPersonas, persona: str, number: int) -> str:
    return await models.ask(
        f"{FOLDER}/related",
        persona=persona,
        sample=number,
        sampling=params.sampling,
        parse=models.in_language(partial(persona_of, most=params.max_words)),
    )


def persona_of(completion: str, *, most: int) -> str:
    """The description in a completion, on one line. Raises Unusable (empty, no_message, too_long)."""
    persona = " ".join(written_message(completion).split())
    if (count := word_count(persona)) > most:
        raise Unusable("too_long", f"{count} words, at most {most}")
    return persona
