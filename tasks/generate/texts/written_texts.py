"""A topic in, an e-mail, a post or a report about it out: texts to sum up or to rewrite, where the user has none.

    stillroom sft --recipe summarise --rows 100

Kind, writer and length are drawn for each. The writers are the personas of basic prompting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.models.base import Sampling
from tasks.text.composition.weights import Weight, some_weight
from tasks.text.conversation import response_of
from tasks.text.words import word_count

FOLDER = "written_texts"
TextKind = Literal["email", "post", "news"]


class WrittenTexts(Params):
    """What is written, where no texts are given."""

    topics: tuple[str, ...] = Field((), description="what texts are about, in turn; empty: those of the prompts")
    personas: tuple[str, ...] = Field((), description="who writes, drawn for each text; empty: those of the prompts")
    kinds: Annotated[dict[TextKind, Weight], AfterValidator(some_weight)] = Field(
        {"email": 1, "post": 1, "news": 1}, min_length=1, description="kinds of text and how often each is drawn"
    )
    lengths: tuple[int, ...] = Field(
        (100, 180, 300), min_length=1, description="words (characters without spaces between words), drawn for each"
    )
    min_words: int = Field(40, ge=1, description="words; shorter texts are asked for again")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=1536), description="how texts are sampled"
    )

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:
        """The topics, in turn."""
        return [{"topic": topic} for topic in self.topics or lists.get("topics") or ("daily life",)]


@technique(reads="Topics", writes="Texts", prompts=FOLDER)
async def written_texts(row: Row, models: Models, params: WrittenTexts) -> list[Row]:
    """Have a text written about the row's `topic` (SmolTalk's Smol-summarize and Smol-rewrite, arXiv:2502.02737).

    Writes `context`, the text, and `text_kind`. Raises Unusable (empty, too_short).
    """
    kinds, weights = zip(*sorted(params.kinds.items()), strict=True)
    kind = row.choose(kinds, "text_kind", weights=weights)
    personas = params.personas or models.lists("basic_prompting").get("personas", ())
    text = await models.ask(
        f"{FOLDER}/{kind}",
        topic=row["topic"],
        persona=row.choose(personas, "persona") if personas else "",
        length=row.choose(params.lengths, "length"),
        sampling=params.sampling,
        parse=models.in_language(partial(long_enough, least=params.min_words)),
    )
    return [row.child(context=text, text_kind=kind)]


def long_enough(completion: str, *, least: int) -> str:
    """The text in a completion. Raises Unusable where it is too short to be worked on."""
    text = response_of(completion)
    if (count := word_count(text)) < least:
        raise Unusable("too_short", f"{count} words, at least {least}")
    return text
