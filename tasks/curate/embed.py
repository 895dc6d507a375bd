"""The embedding of what is said in a row, for whatever compares rows by it.

Every command reads the settings: what does the work is imported when it begins.
"""

from __future__ import annotations

from tasks.curate.row_texts import trained_on
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered


class Embed(Params):
    """There is nothing to set: the model is that of the role `embedder`."""


@technique(reads="Rows", writes="Embedded")
async def embed(row: Row, models: Models, params: Embed) -> list[Row]:  # noqa: ARG001 - every technique has parameters
    """Add `embedding`, that of all turns and the answer. The row stays the same row. Raises Filtered (no_text) without any."""
    text = trained_on(row)
    if not text.strip():
        raise Filtered("no_text", "there is nothing to embed")
    return [row.kept(embedding=(await models.embed(text)).tolist())]
