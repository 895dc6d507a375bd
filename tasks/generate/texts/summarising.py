"""A text in, a request to sum it up and the summary out: no longer than it may be, and with no number, date or name of its own.

stillroom sft --recipe summarise --seeds articles/
"""

from __future__ import annotations

from functools import partial

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.generate.texts.given_texts import answered_text, long_text_of
from tasks.models.base import Sampling
from tasks.text.documents.chunks import Chunking
from tasks.text.facts.kept import sentence_count
from tasks.text.facts.stated import unstated
from tasks.text.reading.wrapping import bare_response
from tasks.text.templates import requests_in
from tasks.text.words import word_count

FOLDER = "summarise"


class Summarising(Params):
    """How texts are summed up, and what is asked of a summary."""

    chunks: Chunking = Chunking(words=600, characters=1200, overlap=0)
    sentences: tuple[int, ...] = Field(
        (1, 2, 3), min_length=1, description="sentences that a summary may have, drawn for each text"
    )
    min_words: int = Field(40, ge=1, description="words; shorter texts are not summed up")
    max_share: float = Field(0.6, gt=0, le=1, description="of the words of its text that a summary may have")
    check_facts: bool = Field(
        True, description="a summary with a number, date or name that its text does not have is asked for again"
    )
    sampling: Sampling = Field(Sampling(temperature=0.3, max_new_tokens=512), description="how summaries are sampled")

    @property
    def chunking(self) -> Chunking:
        """How a folder of documents is cut into texts."""
        return self.chunks


@technique(reads="Rows", writes="TextResponses", prompts=FOLDER)
async def summarising(row: Row, models: Models, params: Summarising) -> list[Row]:
    """Sum up the row's `context`, or its `instruction` (SmolTalk's Smol-summarize, Ben Allal et al. 2025, arXiv:2502.02737).

    Writes `instruction` (a request drawn from the prompts' own, and the text), `response`, `response_model`, `system`,
    `text_kind` and `document`. Raises Filtered (no_text, too_short), Unusable (too_long, number_not_stated,
    date_not_stated, name_not_stated).
    """
    text = long_text_of(row, params.min_words)
    sentences = row.choose(params.sentences, "sentences")
    requests = requests_in(models.lists(FOLDER), "one_sentence" if sentences == 1 else "sentences", FOLDER)
    said = await models.ask(
        f"{FOLDER}/summary",
        by="responder",
        text=text,
        sentences=sentences,
        sampling=params.sampling,
        quoting=True,
        parse=models.in_language(
            partial(summary_of, text=text, sentences=sentences, language=models.language, params=params)
        ),
    )
    request = row.choose(requests, "request").replace("{sentences}", str(sentences))
    return [answered_text(row, models, request, text, said)]


def summary_of(completion: str, *, text: str, sentences: int, language: str, params: Summarising) -> str:
    """The summary in a completion. Raises Unusable where it is too long, or says what its text does not."""
    said = bare_response(completion)
    if not said:
        raise Unusable("empty")
    if (count := sentence_count(said)) > sentences:
        raise Unusable("too_long", f"{count} sentences, at most {sentences}")
    if (share := word_count(said) / word_count(text)) > params.max_share:
        raise Unusable("too_long", f"{share:.0%} of the words, at most {params.max_share:.0%}")
    if params.check_facts and (facts := unstated(said, text, language)):
        raise Unusable(f"{facts[0].kind}_not_stated", f"the text does not have: {', '.join(one.text for one in facts)}")
    return said
