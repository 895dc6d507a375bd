"""Verifiable constraints, drawn for an instruction and joined with it: what IFEval asks of models, as training data.

    stillroom sft --recipe constrained --seeds instructions.jsonl

Zhou et al. 2023 (arXiv:2311.07911): the kinds. Lambert et al. 2024 (arXiv:2411.15124): Tulu 3's instructions with one to
three of them. Ben Allal et al. 2025 (arXiv:2502.02737): SmolTalk's Smol-constraints, kept only if lm-eval's checkers find that the answer
keeps to them. The kinds are in `tasks/verify/constraints`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.conversation import with_last_turn
from tasks.text.reading.surrounding import bare_evolution
from tasks.text.words import nfc
from tasks.verify.constraints.constraint import Constraint, draw_constraints
from tasks.verify.constraints.kind import ALL_LANGUAGES, ConstraintKind, Drawing
from tasks.verify.constraints.table import check_kinds, kinds_for

FOLDER = "constrained"
NOT_REWRITTEN = "repeat_prompt"
"""A kind that speaks of the request as it stands, so that no model may say it in other words."""


class Constraints(Params):
    """Which constraints are drawn, and how they are joined with the instruction."""

    least: int = Field(1, ge=1, le=3, description="fewest constraints of an instruction")
    most: int = Field(3, ge=1, le=3, description="most constraints of an instruction")
    kinds: tuple[str, ...] = Field(
        (), description="kinds to draw from; empty: all that suit every instruction and need nothing installed"
    )
    leave_out: tuple[str, ...] = Field((), description="kinds that are not drawn")
    join: Literal["template", "model"] = Field(
        "template", description="by words of the prompts, or worked in by the generator"
    )
    keep_constraints: bool = Field(True, description="a row that has constraints keeps them as they are")
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how the model's joining is sampled"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError("least is above most")
        return self

    @property
    def reads_constraints(self) -> bool:
        """Whether the constraints that a seed brings along are read."""
        return self.keep_constraints

    def check_in(self, languages: Sequence[str]) -> None:
        """Raise ConfigError for a kind that there is not or that cannot be checked, and for a language with too few kinds."""
        check_kinds((*self.kinds, *self.leave_out), languages)
        for language in languages:
            if not self.kinds_in(language):
                fix = f"constraints can be checked in {', '.join(sorted(ALL_LANGUAGES))}; name other kinds, or leave out fewer"
                raise ConfigError("no constraint can be drawn in the language", language, fix)

    def kinds_in(self, language: str) -> list[ConstraintKind]:
        """The kinds that are drawn from in a language."""
        left_out = {*self.leave_out, *([NOT_REWRITTEN] if self.join == "model" else [])}
        return [kind for kind in kinds_for(language, self.kinds) if kind.name not in left_out]


@technique(reads="Instructions", writes="ConstrainedInstructions", prompts=FOLDER)
async def constraints(row: Row, models: Models, params: Constraints) -> list[Row]:
    """Draw 1 to 3 constraints that a program can check, and join them with the instruction.

    Writes `constraints`, `plain_instruction` (what it was without them) and `instruction`. Constraints that contradict each
    other are never drawn together. Raises Filtered (no_constraint_fits) where none can be drawn.
    """
    if params.keep_constraints and row.get("constraints"):
        return [row.child(plain_instruction=row.get("plain_instruction") or row["instruction"])]
    plain, lists = row["instruction"], models.lists(FOLDER)
    drawing = Drawing(row.rng("constraints"), lists, models.language, plain)
    drawn = draw_constraints(drawing, params.kinds_in(models.language), drawing.number(params.least, params.most))
    if len(drawn) < params.least:
        raise Filtered("no_constraint_fits", f"{len(drawn)} of {params.least} constraints can be drawn", raw=plain)
    joined = await _worked_in(models, params, plain, drawn) if params.join == "model" else _joined(drawing, drawn)
    messages = with_last_turn(row["messages"], joined) if row.get("messages") else None
    changes = {"messages": messages} if messages else {}
    return [row.child(**changes, instruction=joined, plain_instruction=plain, constraints=drawn)]


def _joined(drawing: Drawing, drawn: Sequence[Constraint]) -> str:
    conditions = drawing.one("gap").join(one["text"] for one in drawn)
    return drawing.one("join").format(instruction=drawing.instruction, conditions=conditions)


async def _worked_in(models: Models, params: Constraints, plain: str, drawn: Sequence[Constraint]) -> str:
    """The instruction as a model says it together with its constraints."""
    return await models.ask(
        f"{FOLDER}/write",
        instruction=plain,
        conditions=[one["text"] for one in drawn],
        sampling=params.sampling,
        parse=models.in_language(partial(whole_instruction, drawn)),
        quoting=True,
    )


def whole_instruction(drawn: Sequence[Mapping[str, Any]], completion: str) -> str:
    """The instruction in a completion. Raises Unusable (empty, constraint_lost) where a figure or a word of a constraint is
    not in it."""
    text = bare_evolution(completion)
    if not text.strip():
        raise Unusable("empty")
    said = nfc(text).casefold()
    for one in drawn:
        for value in _texts(json.loads(one["parameters"])):
            if nfc(value).casefold() not in said:
                raise Unusable("constraint_lost", f"{one['kind']}: {value}")
    return text


def _texts(parameters: Mapping[str, Any]) -> list[str]:
    """What of the parameters a user has to read: the code of a language is said by its name."""
    told = [value for name, value in parameters.items() if name not in ("code", "left", "right")]
    return [str(one) for value in told for one in (value if isinstance(value, list) else [value])]
