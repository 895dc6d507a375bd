"""A technique of somebody's own, as it lies in a folder of theirs."""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.models.base import Sampling
from tasks.schemas import Instructions

SHORT = Sampling(max_new_tokens=64)


class Shorten(Params):
    """How an instruction is shortened."""

    words: int = Field(4, ge=1, description="words to keep")


@technique(reads=Instructions, writes=Instructions)
async def shorten(row: Row, models: Models, params: Shorten) -> list[Row]:
    """Have an instruction said shorter."""
    words = row["instruction"].split()
    said = await models.ask("shorten/shorten", sampling=SHORT, instruction=row["instruction"])
    return [row.child(instruction=" ".join([*words[: params.words], said]))]
