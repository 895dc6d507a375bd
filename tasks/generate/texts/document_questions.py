"""A chunk of a document in, questions about it out, each of a kind that is drawn for it.

    stillroom sft --recipe documents --seeds DIR

Kinds are drawn by row, with weights. What a question does not say is not in it: it is published alone, so it has to make sense
to somebody who has not seen the chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tasks.engine.ask import Models
from tasks.engine.losses import OneByOne
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.composition.weights import Weight, some_weight
from tasks.text.documents.chunks import Chunking
from tasks.text.instructions import cleaned, first_refusal, length_refusal, similarity_refusal, unseen_text_refusal
from tasks.text.reading.wrapping import bare_instruction
from tasks.text.rouge import Pool

FOLDER = "document_questions"
QuestionKind = Literal["fact", "why", "compare", "multi_part", "unanswerable"]
UNANSWERABLE: QuestionKind = "unanswerable"
WEIGHTS: dict[QuestionKind, float] = {"fact": 3, "why": 2, "compare": 1, "multi_part": 2, UNANSWERABLE: 1}
BETWEEN_HEADINGS = " > "


class DocumentQuestions(Params):
    """How documents are cut, and what is asked about each chunk."""

    chunks: Chunking = Chunking()
    questions: int = Field(2, ge=1, le=50, description="questions about each chunk, a row each")
    kinds: Annotated[dict[QuestionKind, Weight], AfterValidator(some_weight)] = Field(
        WEIGHTS, min_length=1, description="kinds of question and how often each is drawn; a kind left out is not"
    )
    min_words: int = Field(3, ge=1, description="words; shorter questions are refused")
    max_words: int = Field(80, ge=1, description="words; longer questions are refused")
    max_similarity: float = Field(
        0.7, ge=0, le=1, description="ROUGE-L F to an earlier question about the chunk above which one is refused"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.8, top_p=0.95, max_new_tokens=512), description="how questions are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """Questions about one chunk."""
        return self.questions

    @property
    def chunking(self) -> Chunking:
        """How a folder of documents is cut."""
        return self.chunks


@technique(reads="Rows", writes="DocumentInstructions", prompts=FOLDER)
async def document_questions(row: Row, models: Models, params: DocumentQuestions) -> list[Row]:
    """Ask for questions about the row's `context` (or its `instruction`), one after the other; one row each.

    Writes `instruction`, `question_kind` and `context`, which is what it is about. A question that could not be had, or is
    like an earlier one, is a loss; the row is rejected where all are. Raises Filtered where there is nothing to ask about.
    """
    passage = row.get("context") or row.get("instruction")
    if not passage:
        raise Filtered("no_context", "the row has neither a context nor an instruction")
    kinds, weights = zip(*sorted(params.kinds.items()), strict=True)
    children: list[Row] = []
    pool = Pool()
    asks = OneByOne(row)
    for sample in range(params.questions):
        kind = row.choose(kinds, "question_kind", sample, weights=weights)
        with asks:
            question = await models.ask(
                f"{FOLDER}/{kind}",
                document=row.get("document") or "",
                headings=BETWEEN_HEADINGS.join(row.get("headings") or ()),
                passage=passage,
                earlier=list(pool.texts),
                sample=sample,
                sampling=params.sampling,
                quoting=True,
                parse=models.in_language(question_parser(params, pool)),
            )
            pool.add(question)
            children.append(row.child(instruction=question, question_kind=kind, context=passage))
    return asks.some(children)


def question_parser(params: DocumentQuestions, pool: Pool) -> Callable[[str], str]:
    """The parser of a question, which is unusable where it is too short, too long, speaks of the text, or is like an earlier one."""

    def parse(completion: str) -> str:
        question = question_of(completion)
        if (refusal := first_refusal(_refusals(question, params, pool))) is not None:
            raise Unusable(refusal.reason, refusal.detail, raw=completion)
        return question

    return parse


def question_of(completion: str) -> str:
    """The question in a completion, without what stands around it. Raises Unusable (empty)."""
    text = bare_instruction(completion)
    text = cleaned(text) if "\n" not in text else text
    if not text:
        raise Unusable("empty")
    return text


def _refusals(question: str, params: DocumentQuestions, pool: Pool) -> Iterator[Filtered | None]:
    yield length_refusal(question, params.min_words, params.max_words)
    yield unseen_text_refusal(question)
    yield similarity_refusal(question, pool.most_similar(question), pool, params.max_similarity)
