"""The embedding of what a row asks, by which duplicates are told.

Every command reads the settings: what does the work is imported when it begins.
"""

from __future__ import annotations

from tasks.curate.row_texts import asked_by
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered


class EmbedPrompt(Params):
    """There is nothing to set: the model is that of the role `embedder`."""


@technique(reads="Rows", writes="Embedded")
async def embed_prompt(row: Row, models: Models, params: EmbedPrompt) -> list[Row]:  # noqa: ARG001 - every technique has parameters
    """Add `embedding`, that of all turns before the answer. The row stays the same row. Raises Filtered (no_text) without any."""
    text = asked_by(row)
    if not text.strip():
        raise Filtered("no_text", "there is nothing to embed")
    return [row.kept(embedding=(await models.embed(text)).tolist())]
