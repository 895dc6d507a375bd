"""Summaries of texts that are given, or written for it.

stillroom sft --recipe summarise --seeds articles/ --model MODEL
stillroom sft --recipe summarise --rows 100 --model MODEL
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.texts.summarising import summarising
from tasks.generate.texts.written_texts import written_texts


@recipe("sft", columns=("text_kind", "document"), seeds_optional=True)
def summarise(run: Steps, texts: Tables) -> Tables:
    """Texts that are given, or e-mails, posts and reports written for it, summed up with their own facts."""
    texts = run.through(written_texts, texts) if run.options.get("blank") else texts
    return run.through(summarising, texts)
