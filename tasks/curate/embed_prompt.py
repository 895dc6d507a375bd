"""The embedding of what a row asks, by which duplicates are told.

Every command reads the settings: what does the work is imported when it begins.
"""

from __future__ import annotations

from tasks.curate.embed import with_embedding
from tasks.curate.row_texts import asked_by
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique


class EmbedPrompt(Params):
    """There is nothing to set: the model is that of the role `embedder`."""


@technique(reads="Rows", writes="Embedded")
async def embed_prompt(row: Row, models: Models, params: EmbedPrompt) -> list[Row]:  # noqa: ARG001 - every technique has parameters
    """Add `embedding`, that of all turns before the answer. The row stays the same row. Raises Filtered (no_text) without any."""
    return [await with_embedding(row, asked_by(row), models)]
