"""One row through one technique, with a scripted model: how a technique is tested.

tried = try_out(shorten, {"instruction": "Please tell me the time."}, lambda request: "What time is it?", prompts="my_prompts")
assert [row["instruction"] for row in tried.rows] == ["What time is it?"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Loss, Row, seed_row_id
from tasks.engine.technique import Params, Technique
from tasks.models.base import Request
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.prompts import Prompts


@dataclass(frozen=True)
class Trial:
    """What became of the row, what was lost in it, and what the model was asked."""

    rows: list[Row]
    losses: list[Loss]
    requests: list[Request]


def try_out(
    technique: Technique[Any],
    columns: Mapping[str, Any],
    answers: Rule | Sequence[Any],
    *,
    params: Params | None = None,
    prompts: str | None = None,
) -> Trial:
    """Send a row with these columns through a technique. One model plays every role.

    `answers`: a function of the request, or a list in the order of asking. `prompts`: a folder of the user's own, laid
    over ours. Raises the row's reject (RowLoss) where it becomes nothing.
    """
    model, row = ScriptedModel(answers), Row(seed_row_id(columns), dict(columns))
    members = {"generator": [Member(model, ModelConfig(name=model.name))]}
    models = Models(members, Context(prompts=Prompts(own=prompts).resolved()))
    rows = asyncio.run(technique(row, models, params or technique.params()))
    return Trial(rows, row.losses, model.requests)
