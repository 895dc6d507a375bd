"""A question about a chunk in, its answer out, with the words of the chunk that it rests on: they are checked to stand there.

    stillroom sft --recipe documents --seeds DIR --set document_answers.show=chunk_and_question

Answers with verified quotes: Menick et al. 2022 (arXiv:2203.11147). Questions that the chunk leaves open are kept with an answer
that says so (SQuAD 2.0, arXiv:1806.03822).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.facts.grounded import Grounded, grounded_of, says_not_stated
from tasks.text.facts.quotes import missing_part
from tasks.text.words import words

FOLDER = "document_answers"


class DocumentAnswers(Params):
    """How questions about chunks are answered, and what a row shows."""

    show: Literal["question", "chunk_and_question"] = Field(
        "question", description="what the user's turn holds: the question alone, or the chunk before it"
    )
    min_evidence_words: int = Field(
        3, ge=1, description="words of a quotation, at least (characters where there are no spaces between words)"
    )
    sampling: Sampling = Field(Sampling(temperature=0.3, max_new_tokens=1024), description="how answers are sampled")

    @property
    def shares_texts(self) -> bool:
        """The rows of one chunk, where they show it."""
        return self.show == "chunk_and_question"


@technique(reads="DocumentInstructions", writes="GroundedResponses", prompts=FOLDER)
async def document_answers(row: Row, models: Models, params: DocumentAnswers) -> list[Row]:
    """Answer a row's `instruction` from its `context`, with evidence that stands there.

    Writes `response`, `response_model`, `system`, `evidence` (the quotations), `question`, `document`, `headings` and
    `chunk_id`. Raises Unusable (no_evidence, evidence_not_found with how much of it there is, evidence_too_short,
    not_said_to_be_open), Filtered (not_answered: the answer says that the chunk does not tell; answered_after_all:
    of a question that was to be left open).
    """
    question, is_open = row["instruction"], row["question_kind"] == "unanswerable"
    said: Grounded = await models.ask(
        f"{FOLDER}/answer",
        by="responder",
        document=row.get("document") or "",
        headings=" > ".join(row.get("headings") or ()),
        passage=row["context"],
        question=question,
        sampling=params.sampling,
        quoting=True,
        parse=partial(checked_answer, passage=row["context"], is_open=is_open, least=params.min_evidence_words),
    )
    if is_open and said.quotes:
        raise Filtered("answered_after_all", f"it rests on: {said.quotes[0]}", raw=said.answer)
    if not is_open and not said.quotes:
        raise Filtered("not_answered", "it says that the chunk does not tell", raw=said.answer)
    shown = f"{row['context']}\n\n{question}" if params.show == "chunk_and_question" else question
    return [
        row.child(
            instruction=shown,
            question=question,
            question_kind=row["question_kind"],
            response=said.answer,
            response_model=models.of("responder")[0].model.name,
            system="",
            evidence=list(said.quotes),
            context=row["context"],
            document=row.get("document") or "",
            headings=list(row.get("headings") or ()),
            chunk_id=row.get("chunk_id") or "",
        )
    ]


def checked_answer(completion: str, *, passage: str, is_open: bool, least: int) -> Grounded:
    """The answer in a completion, whose quotations stand in the passage. Raises Unusable."""
    said = grounded_of(completion)
    for quote in said.quotes:
        if (missing := missing_part(quote, passage)) is not None:
            raise Unusable("evidence_not_found", f"{missing.likeness:.0%} of it is there: {missing.text}")
        if (count := len(words(quote))) < least:
            raise Unusable("evidence_too_short", f"{count} words, at least {least}: {quote}")
    if is_open and not said.quotes and not says_not_stated(said.answer):
        raise Unusable("not_said_to_be_open", "an answer without evidence that does not say so")
    return said
