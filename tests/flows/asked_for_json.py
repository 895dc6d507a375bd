"""A technique that holds an answer to a JSON schema, as somebody's own: no recipe of ours does."""

from __future__ import annotations

from pydantic import BaseModel

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.models.base import Sampling
from tasks.schemas import Instructions, Responses


class Said(BaseModel):
    """What the answer has to be."""

    a: int


@technique(reads=Instructions, writes=Responses)
async def asked_for_json(row: Row, models: Models, _params: Params) -> list[Row]:
    """Have an instruction answered with a number in JSON."""
    messages = ({"role": "user", "content": row["instruction"]},)
    said = await models.chat(messages, name="json", sampling=Sampling(), schema=Said)
    return [row.child(response=str(said.a), response_model="m", system="")]
