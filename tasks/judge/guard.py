"""A guard looks at each conversation, and what is not safe to train on goes.

    stillroom sft --recipe basic --rows 1000 --model M --judge J --set curate.guard='{}'
    stillroom sft --recipe basic --rows 1000 --config guard.yaml

    roles: {guard: [meta-llama/Llama-Guard-3-8B@http://127.0.0.1:8000/v1]}
    curate: {guard: {by: guard}}

A judge is asked with a prompt of ours. A model made for it, such as Llama Guard, is given the conversation as it stands: its chat
template holds what it looks for, and it answers `safe`, or `unsafe` with the codes of its categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered
from tasks.judge.judged_row import judged_row
from tasks.models.base import Message, Sampling
from tasks.text.prompts import Prompts
from tasks.text.verdicts.safety import CATEGORIES_OF_HARM, Safety, guard_of, safety_of

FOLDER = "guard"


class Guard(Params):
    """Who says what is safe, and whether the rest goes."""

    by: Literal["judge", "guard"] = Field(
        "judge",
        description="judge: a model that is asked in our words (roles.judge). guard: one made for it, such as Llama Guard, that is "
        "given the conversation as it stands (roles.guard)",
    )
    keep_unsafe: bool = Field(False, description="rows that are not safe stay, marked in the column `safety`")
    allow: tuple[str, ...] = Field(
        (),
        description=f"categories that are no reason to go: of a judge {', '.join(CATEGORIES_OF_HARM)}; of a guard its codes, such as S6",
    )
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=256), description="how a verdict is sampled")

    @property
    def needs_role(self) -> str:
        """A guard model's, where one is asked: the generator is none."""
        return "guard" if self.by == "guard" else ""


@row_filter(reads="Rows", writes="GuardedRows", prompts=FOLDER)
async def guard(row: Row, models: Models, params: Guard) -> Mapping[str, Any]:
    """Say whether a conversation is safe (Magpie-Ultra's guard: Ben Allal et al. 2025, arXiv:2502.02737).

    Adds `safety` and `unsafe_categories`. Raises Filtered (unsafe) with the categories for a row that goes, no_response for one
    that has no answer, Unusable where no verdict could be had.
    """
    shown = judged_row(row)
    if params.by == "guard":
        turns = [*shown.turns, Message(role="assistant", content=shown.response)]
        said: Safety = await models.chat(
            turns, name="guard/conversation", by="guard", sampling=params.sampling, parse=guard_of
        )
    else:
        said = await models.ask(
            f"{FOLDER}/check",
            by="judge",
            sampling=params.sampling,
            parse=safety_of,
            quoting=True,
            instruction=shown.instruction,
            response=shown.response,
        )
    counted = [one for one in said.categories if one not in params.allow]
    is_safe = said.is_safe or (bool(said.categories) and not counted)
    if not is_safe and not params.keep_unsafe:
        raise Filtered("unsafe", ", ".join(counted) or said.why, raw=said.why)
    return {"safety": "safe" if is_safe else "unsafe", "unsafe_categories": counted}


def check_guard(params: Guard, prompts: Prompts) -> None:
    """Raise ConfigError where the run's prompts have none for the guard, or a category to allow is none of ours."""
    if params.by == "guard":
        return
    if unknown := [one for one in params.allow if one not in CATEGORIES_OF_HARM]:
        fix = f"a judge knows {', '.join(CATEGORIES_OF_HARM)}"
        raise ConfigError("no such category of harm", ", ".join(unknown), fix)
    for one in prompts.each:
        if FOLDER not in one.techniques():
            raise ConfigError(
                "these prompts have none for curate.guard", f"{one.set}/{one.language}", "give --set prompt_set=full"
            )
