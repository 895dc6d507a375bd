"""Responses rewritten into better ones, the originals beside them: what EvolInstruct is for instructions.

stillroom dpo --recipe evolved --instructions instructions.jsonl --model MODEL
"""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_all
from tasks.engine.losses import lose_all
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import RowLoss, Unusable
from tasks.generate.pool_responses import rewritten_by
from tasks.models.base import Sampling
from tasks.patterns import pattern
from tasks.text.conversation import asked_last
from tasks.text.languages import either
from tasks.text.reading.wrapping import bare_response
from tasks.text.responses import (
    Response,
    by_digest,
    conversation_text,
    drawn_from,
    make_response,
    normalised,
    prompt_of,
    response_name,
)
from tasks.text.words import nfc

Operation = Literal["helpfulness", "relevance", "depth", "creativity", "details"]
LEAKS = pattern(
    r"\b(?:the|a|is) (?:better|rewritten|improved|revised|original) response\b(?! (?:time|rate))"
    r"|\bresponse anew\b|\breply with the\b|^\W*(?:instruction|response)\W*:|</?(?:instruction|response)>",
    re.IGNORECASE | re.MULTILINE,
)
APOLOGIES = pattern(r"^\W*(?:i['’]?m sorry|sorry|i apologi[sz]e|i can(?:not|['’]t))\b|\bas an ai\b", re.IGNORECASE)

LEAKS_ELSEWHERE = pattern(either("new_response"), re.IGNORECASE)
APOLOGIES_ELSEWHERE = pattern(rf"^\W*(?:{either('apology')})|{either('as_an_ai')}", re.IGNORECASE)


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


@technique(reads="Pools", writes="Pools")
async def evol_quality(row: Row, models: Models, params: EvolQuality) -> list[Row]:
    """Rewrite responses into better ones, several generations in a row (Liu et al. 2023, arXiv:2312.15685).

    Each evolved response (origin `evolved`, with its `operations`, and its original as `parent`) stands right after its
    original. A generation that fails is a loss and the text before it goes on; a response that never changed has no
    evolved one. Responses that are evolved or revised already do not evolve.
    """
    prompt = conversation_text(prompt_of(row))
    responses = by_digest(make_response(**response) for response in row["responses"])
    originals = [(position, one) for position, one in enumerate(responses) if not one["parent"]]
    if params.evolved:
        drawn = drawn_from(responses, row.run_seed, "evolved")
        originals = sorted(drawn.sample(originals, min(params.evolved, len(originals))), key=lambda pair: pair[0])
    outcomes = await gather_all(evolve(row, models, params, prompt, one, position) for position, one in originals)
    lose_all(row, (loss for _, losses in outcomes for loss in losses))
    beside = {position: evolved for (position, _), (evolved, _) in zip(originals, outcomes, strict=True)}
    pool = [one for position, response in enumerate(responses) for one in (response, beside.get(position)) if one]
    return [row.child(instruction=asked_last(prompt_of(row)), responses=pool)]


async def evolve(
    row: Row, models: Models, params: EvolQuality, prompt: str, original: Response, position: int
) -> tuple[Response | None, list[RowLoss]]:
    """What a response becomes after all generations, None where none changed it; and what was lost on the way."""
    text, operations, losses = original["text"], list[str](), list[RowLoss]()
    for generation in range(params.generations):
        operation = row.choose(params.operations, "operation", response_name(original), generation)
        try:
            text = await models.ask(
                f"evol_quality/{operation}",
                by="evolver",
                sample=position * params.generations + generation,
                sampling=params.sampling,
                parse=models.in_language(partial(better_of, prompt, text), prompt),
                instruction=prompt,
                response=text,
            )
            operations.append(operation)
        except RowLoss as loss:
            losses.append(loss)  # the text before it goes on to the next generation
    if not operations or normalised(text) == normalised(original["text"]):
        return None, losses
    evolver = models.of("evolver")[0]
    return rewritten_by(evolver, text, params.sampling, "evolved", original, operations), losses


def better_of(prompt: str, before: str, completion: str) -> str:
    """The rewritten response in a completion. Raises Unusable (empty, unchanged, apology, prompt_leak).

    The prompt leaks where its own words for a response stand in the rewrite and in neither the instruction nor the
    response before. The words are those of the run's prompts.
    """
    text = bare_response(completion, before)
    if not text:
        raise Unusable("empty")
    if normalised(text) == normalised(before):
        raise Unusable("unchanged")
    for apologies in (APOLOGIES, APOLOGIES_ELSEWHERE):
        if apologies.search(nfc(text)) and not apologies.search(nfc(before)):
            raise Unusable("apology", text[:60])
    known = nfc(f"{prompt}\n{before}").lower()
    said = (found[0] for leaks in (LEAKS, LEAKS_ELSEWHERE) for found in leaks.finditer(nfc(text)))
    if leak := next((words for words in said if words.lower() not in known), None):
        raise Unusable("prompt_leak", leak.strip())
    return text
