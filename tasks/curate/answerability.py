"""A judge says whether a passage holds the answer to a question: questions that are what they are to be stay.

stillroom sft --recipe documents --seeds DIR --judge J
"""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import Filtered
from tasks.models.base import Sampling
from tasks.text.facts.grounded import answerable_of

FOLDER = "answerability"


class Answerability(Params):
    """How a judge is asked whether a question can be answered from its passage."""

    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=512), description="how the judge is sampled")


@row_filter(reads="DocumentInstructions", prompts=FOLDER)
async def answerability(row: Row, models: Models, params: Answerability) -> None:
    """Keep a question that the passage answers, and of kind `unanswerable` one that it does not (the split of SQuAD 2.0, arXiv:1806.03822).

    Raises Filtered (not_answerable, answerable) for a row that goes, Unusable where the judge gives no verdict.
    """
    answerable = await models.ask(
        f"{FOLDER}/judge",
        by="judge",
        sampling=params.sampling,
        parse=answerable_of,
        quoting=True,
        passage=row["context"],
        question=row["instruction"],
    )
    if answerable and row["question_kind"] == "unanswerable":
        raise Filtered("answerable", "the judge finds that the passage answers a question which it was not to answer")
    if not answerable and row["question_kind"] != "unanswerable":
        raise Filtered("not_answerable", "the judge finds that the passage does not answer it")
