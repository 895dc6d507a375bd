"""Texts that are given, or written for it, rewritten: concise, friendly, professional, simple, as bullets.

stillroom sft --recipe rewrite --seeds mails.jsonl --model MODEL
stillroom sft --recipe rewrite --rows 100 --model MODEL
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.texts.rewriting import rewriting
from tasks.generate.texts.written_texts import written_texts


@recipe("sft", columns=("variant", "text_kind", "document"), seeds_optional=True)
def rewrite(run: Steps, texts: Tables) -> Tables:
    """Texts that are given, or e-mails, posts and reports written for it, rewritten in one respect with all their facts."""
    texts = run.through(written_texts, texts) if run.options.get("blank") else texts
    return run.through(rewriting, texts)
