"""Rows and models for tests of plain techniques."""

from __future__ import annotations

from typing import Any

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row, seed_row_id
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.prompts import Prompts


def a_row(run_seed: int = 0, **columns: Any) -> Row:
    """A seed row with these columns."""
    return Row(seed_row_id(columns), columns, run_seed=run_seed)


def models_of(
    answers: Rule | list[Any] | ScriptedModel,
    *,
    max_attempts: int = 3,
    prompts: Prompts | None = None,
    check_language: bool = False,
    **roles: Any,
) -> Models:
    """Models whose generator (and any further role given by name) is scripted: a rule, a list, a model, or a list of models."""

    def members(value: Any) -> list[Member]:
        if isinstance(value, list) and value and isinstance(value[0], ScriptedModel):
            return [Member(m, ModelConfig(name=m.name)) for m in value]
        model = value if isinstance(value, ScriptedModel) else ScriptedModel(value)
        return [Member(model, ModelConfig(name=model.name))]

    named = {"generator": members(answers)} | {role: members(value) for role, value in roles.items()}
    context = Context(max_attempts=max_attempts, prompts=prompts or Prompts(), check_language=check_language)
    return Models(named, context)
