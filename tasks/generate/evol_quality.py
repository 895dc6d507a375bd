"""Responses rewritten into better ones, the originals beside them: what EvolInstruct is for instructions.

stillroom dpo --recipe evolved --instructions instructions.jsonl --model MODEL
"""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import RowLoss, Unusable
from tasks.models.base import Sampling
from tasks.responses import Response, by_digest, drawn_from, name_of, normalised, prompt_of, response_of, shown
from tasks.schemas import Pools
from tasks.together import together

Operation = Literal["helpfulness", "relevance", "depth", "creativity", "details"]
LEAKS = re.compile(
    r"\b(?:the|a|is) (?:better|rewritten|improved|revised|original) response\b(?! (?:time|rate))"
    r"|\bresponse anew\b|\breply with the\b|^\W*(?:instruction|response)\W*:",
    re.IGNORECASE | re.MULTILINE,
)
APOLOGIES = re.compile(r"^\W*(?:i['’]?m sorry|sorry|i apologi[sz]e|i can(?:not|['’]t))\b|\bas an ai\b", re.IGNORECASE)


class EvolQuality(Params):
    """How responses evolve. Deita and its followers: five operations at random, several generations."""

    operations: tuple[Operation, ...] = Field(
        ("helpfulness", "relevance", "depth", "creativity", "details"), min_length=1, description="drawn from"
    )
    generations: int = Field(1, ge=1, le=8, description="rewrites of a response, each of the one before")
    evolved: int = Field(0, ge=0, description="responses of a row that evolve, drawn from them; 0: all")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=2048), description="how rewrites are sampled"
    )


@technique(reads=Pools, writes=Pools)
async def evol_quality(row: Row, models: Models, params: EvolQuality) -> list[Row]:
    """Rewrite responses into better ones, several generations in a row (Liu et al. 2023, arXiv:2312.15685).

    Each evolved response (origin `evolved`, with its `operations`, and its original as `parent`) stands right after its
    original. A generation that fails is a loss and the text before it goes on; a response that never changed has no
    evolved one. Responses that are evolved or revised already do not evolve.
    """
    prompt = shown(prompt_of(row))
    responses = by_digest(response_of(**response) for response in row["responses"])
    originals = [(position, one) for position, one in enumerate(responses) if not one["parent"]]
    if params.evolved:
        drawn = drawn_from(responses, row.run_seed, "evolved")
        originals = sorted(drawn.sample(originals, min(params.evolved, len(originals))), key=lambda pair: pair[0])
    outcomes = await together(evolve(row, models, params, prompt, one, position) for position, one in originals)
    for loss in (loss for _, losses in outcomes for loss in losses):
        row.lose(loss)
    beside = {position: evolved for (position, _), (evolved, _) in zip(originals, outcomes, strict=True)}
    pool = [one for position, response in enumerate(responses) for one in (response, beside.get(position)) if one]
    return [row.child(instruction=prompt_of(row)[-1]["content"], responses=pool)]


async def evolve(row: Row, models: Models, params: EvolQuality, prompt: str, original: Response,
                 position: int) -> tuple[Response | None, list[RowLoss]]:  # fmt: skip
    """What a response becomes after all generations, None where none changed it; and what was lost on the way."""
    text, operations, losses = original["text"], list[str](), list[RowLoss]()
    for generation in range(params.generations):
        operation = row.choose(params.operations, "operation", name_of(original), generation)
        try:
            text = await models.ask(
                f"evol_quality/{operation}", by="evolver", sample=position * params.generations + generation,
                sampling=params.sampling, parse=partial(better_of, prompt, text), instruction=prompt, response=text,
            )  # fmt: skip
            operations.append(operation)
        except RowLoss as loss:
            losses.append(loss)  # the text before it goes on to the next generation
    if not operations or normalised(text) == normalised(original["text"]):
        return None, losses
    evolver = models.of("evolver")[0]
    return response_of(
        text, model=evolver.model.name, arguments=evolver.config.sampled(params.sampling).key, origin="evolved",
        principle=original["principle"], parent=name_of(original), operations=operations,
    ), losses  # fmt: skip


def better_of(prompt: str, before: str, completion: str) -> str:
    """The rewritten response in a completion. Raises Unusable (empty, unchanged, apology, prompt_leak).

    The prompt leaks where its own words for a response stand in the rewrite and in neither the instruction nor the
    response before. The words are those of `prompts/en`.
    """
    text = completion.strip()
    if not text:
        raise Unusable("empty")
    if normalised(text) == normalised(before):
        raise Unusable("unchanged")
    if APOLOGIES.search(text) and not APOLOGIES.search(before):
        raise Unusable("apology", text[:60])
    known = f"{prompt}\n{before}".lower()
    if leak := next((found[0] for found in LEAKS.finditer(text) if found[0].lower() not in known), None):
        raise Unusable("prompt_leak", leak.strip())
    return text
