"""Responses criticised by principles drawn from a constitution, and revised: each with the response that it was made from.

    stillroom dpo --recipe constitution --instructions datasets/demo-sft --model MODEL --config principles.yaml

    constitutional_revision:
      rounds: 2
      principles:
        - The response says what it does not know, and does not guess.
        - The response treats the reader as an adult.

Bai et al. 2022 (arXiv:2212.08073), section 3. Without `principles` they are ours, in the language of the prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import Field, field_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_all
from tasks.engine.losses import all_lost, lose_all
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError, Filtered, RowLoss
from tasks.generate.pool_responses import rewritten_by
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last
from tasks.text.reading.revision import revised_of
from tasks.text.responses import Response, by_digest, conversation_text, make_response, prompt_of
from tasks.text.verdicts.broken import Broken, broken_of

FOLDER = "constitutional_revision"
Revised = tuple[Response | None, list[RowLoss]]


class ConstitutionalRevision(Params):
    """By which principles responses are criticised and revised."""

    principles: tuple[str, ...] = Field(
        (), description="what a response should be like, a sentence or two each; empty: ours, in the prompts' language"
    )
    rounds: int = Field(
        1, ge=1, le=16, description="principles for each row, drawn for it one after the other; none comes twice"
    )
    critic: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=512), description="how a critique is sampled")
    reviser: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=2048), description="how a revision is sampled"
    )

    @field_validator("principles")
    @classmethod
    def _say_something(cls, principles: tuple[str, ...]) -> tuple[str, ...]:
        if any(not one.strip() for one in principles):
            raise ValueError("a principle is empty")
        if len({one.strip() for one in principles}) < len(principles):
            raise ValueError("two principles are the same")
        return principles


@technique(reads="Pools", writes="RevisedPools", prompts=FOLDER)
async def constitutional_revision(row: Row, models: Models, params: ConstitutionalRevision) -> list[Row]:
    """Have each response criticised by principles drawn for the row, and revised where it breaks one (arXiv:2212.08073).

    A revised response (origin `revised`, its original as `parent`, what it was revised by as `operations`) stands right after
    its original. Writes `principles`, those that were drawn for the row, in order. A round that fails is a loss, and the text
    before it goes on to the next. Raises Filtered (keeps_principles) where no response breaks any, Unusable (not_revised)
    where what came of all of them is unusable.
    """
    prompt = prompt_of(row)
    principles = params.principles or models.lists(FOLDER).get("principles")
    if not principles:
        raise ConfigError("the prompts have no principles", models.language, "give constitutional_revision.principles")
    drawn = principles_for(row, principles, params.rounds)
    responses = by_digest(make_response(**response) for response in row["responses"])
    outcomes = await gather_all(
        _revised(
            models, params, conversation_text(prompt), drawn, one, [at + len(responses) * n for n in range(len(drawn))]
        )
        for at, one in enumerate(responses)
    )
    losses = [loss for _, some in outcomes for loss in some]
    if not any(revised for revised, _ in outcomes):
        if losses:
            raise all_lost("not_revised", losses)
        raise Filtered("keeps_principles", " | ".join(drawn))
    lose_all(row, losses)
    pool = [
        one for original, (revised, _) in zip(responses, outcomes, strict=True) for one in (original, revised) if one
    ]
    return [row.child(instruction=asked_last(prompt), responses=pool, principles=drawn)]


def principles_for(row: Row, principles: Sequence[str], rounds: int) -> list[str]:
    """The principles of a row's rounds. One principle more in the list takes rows from the others, and leaves the rest."""
    return sorted(principles, key=lambda one: row.draw("principle", one))[:rounds]


async def _revised(
    models: Models,
    params: ConstitutionalRevision,
    prompt: str,
    principles: Sequence[str],
    original: Response,
    samples: Sequence[int],
) -> Revised:
    """What a response becomes after all rounds, None where none changed it; and what was lost on the way."""
    text, by, losses = original["text"], list[str](), list[RowLoss]()
    for sample, principle in zip(samples, principles, strict=True):
        try:
            revised = await _round(models, params, prompt, text, principle, sample)
        except RowLoss as loss:
            losses.append(loss)
            continue
        if revised is not None:
            text = revised
            by.append(principle)
    if not by or text == original["text"]:
        return None, losses
    reviser = models.of("reviser")[0]
    return rewritten_by(reviser, text, params.reviser, "revised", original, by), losses


async def _round(
    models: Models, params: ConstitutionalRevision, prompt: str, text: str, principle: str, sample: int
) -> str | None:
    """What a response becomes by one principle, None where it does not break it. Raises Unusable, RequestRefused."""
    asked: dict[str, Any] = {"sample": sample, "instruction": prompt, "response": text, "principle": principle}
    found: Broken = await models.ask(
        f"{FOLDER}/critique", by="critic", sampling=params.critic, parse=broken_of, quoting=True, **asked
    )
    if not found.is_broken:
        return None
    parse = models.in_language(partial(revised_of, text), prompt)
    revised: str = await models.ask(
        f"{FOLDER}/revise", by="reviser", sampling=params.reviser, parse=parse, critique=found.critique, **asked
    )
    return revised
