"""Questions about the user's own documents, answered with evidence that stands in them.

stillroom sft --recipe documents --seeds DIR --model MODEL --judge JUDGE
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.answerability import answerability
from tasks.generate.texts.document_answers import document_answers
from tasks.generate.texts.document_questions import document_questions


@recipe("sft", columns=("question", "question_kind", "evidence", "document", "headings", "chunk_id"))
def documents(run: Steps, chunks: Tables) -> Tables:
    """Questions of several kinds about chunks of documents, answered with evidence that stands in them."""
    questions = run.through(document_questions, chunks)
    return run.through(document_answers, run.through(answerability, questions))
