"""Several responses to one instruction from a pool of models, not too alike: what a preference is chosen among.

stillroom dpo --recipe basic --instructions instructions.jsonl --model MODEL_A --model MODEL_B
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Member, Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.engine.templates import inline, render
from tasks.errors import ConfigError, Filtered, RowLoss, Unusable
from tasks.generate.alike import place
from tasks.models.base import Message, Sampling
from tasks.responses import Response, by_digest, given, prompt_of, response_of
from tasks.schemas import Pools, Rows
from tasks.together import each


class ModelPool(Params):
    """How responses are drawn. UltraFeedback: 4 of 17 models, temperature 1, top_p 1, at most 1024 tokens."""

    responses: int = Field(2, ge=1, le=64, description="responses to each instruction, given ones among them")
    min_responses: int = Field(2, ge=1, description="an instruction with fewer is rejected")
    keep_responses: bool = Field(False, description="the responses that a row came with are members of its pool")
    one_side: str = Field("", description="the name of a model of the pool that answers every instruction")
    principles: dict[str, float] = Field({}, description="system prompts with weights; one is drawn a response")
    templates: dict[str, float] = Field({}, description="jinja over the columns for the user's turn, likewise")
    max_rouge_l: float = Field(0.9, gt=0, le=1, description="responses more alike are drawn again; 1: only equal texts")
    redraws: int = Field(2, ge=0, description="further responses asked for, a row, in place of those too alike")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=1.0, max_new_tokens=1024), description="a model's own settings go before this"
    )

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.min_responses > self.responses:
            raise ValueError("min_responses is above responses: every instruction would be rejected")
        return self


class Draw(NamedTuple):
    """One response to ask for: of which member, and which of its samples. `stays`: a redraw asks the same member."""

    member: int
    sample: int
    stays: bool


@technique(reads=Rows, writes=Pools)
async def model_pool(row: Row, models: Models, params: ModelPool) -> list[Row]:
    """Ask k members of the pool, drawn without replacement per row, for a response each (Cui et al. 2023,
    arXiv:2310.01377).

    With k above the number of members, as many rounds as it takes. Writes `responses` and `instruction` (the user's
    last turn). A member that fails is a loss; so is each response too alike to one kept (`too_alike`), and another
    member is asked in its place. Raises no_response, one_response or few_responses below `min_responses`: Filtered
    where all that is missing was too alike, Unusable otherwise.
    """
    prompt, members = prompt_of(row), models.of("pool")
    kept: list[Response] = []
    offered = by_digest(given(row)) if params.keep_responses else []
    losses = [loss for response in offered if (loss := place(response, kept, params.max_rouge_l))]
    forced = member_named(members, params.one_side)
    if any(response["model"] == params.one_side for response in kept):
        forced = None
    order = draws(row, len(members), forced)
    wave = list(islice(order, max(params.responses - len(kept), forced is not None)))
    spare = params.redraws
    while wave:
        answers = await each(respond(row, models, params, prompt, draw) for draw in wave)
        again = []
        for draw, answer in zip(wave, answers, strict=True):
            loss = place(answer, kept, params.max_rouge_l)
            if loss is None:
                continue
            losses.append(loss)
            if loss.reason == "too_alike" and spare:
                spare -= 1
                again.append(next(d for d in order if (d.member == draw.member) == draw.stays))
        wave = again
    if len(kept) < params.min_responses:
        raise too_few(kept, losses)
    for loss in losses:
        row.lose(loss)
    return [row.child(instruction=prompt[-1]["content"], responses=kept)]


def draws(row: Row, members: int, forced: int | None = None) -> Iterator[Draw]:
    """Members without end, in rounds that hold each of them once; a forced one stands first in the first."""
    for sample in count():
        order = row.rng("pool", sample).sample(range(members), members)
        if forced is not None and sample == 0:
            order = [forced, *(member for member in order if member != forced)]
        yield from (Draw(member, sample, members == 1 or member == forced) for member in order)


def member_named(members: Sequence[Member], name: str) -> int | None:
    """The position of the member with this name, None for no name. Raises ConfigError where there is none such."""
    if not name:
        return None
    for position, member in enumerate(members):
        if name in (member.model.name, member.config.name):
            return position
    raise ConfigError("one_side is no model of the pool", name, f"the pool: {', '.join(m.model.name for m in members)}")


async def respond(row: Row, models: Models, params: ModelPool, prompt: Sequence[Message], draw: Draw) -> Response:
    """One member's response, with what it was asked under."""
    purpose = (draw.member, draw.sample)
    principle, template = (
        row.choose(list(drawn), name, *purpose, weights=list(drawn.values())) if drawn else ""
        for name, drawn in (("principle", params.principles), ("template", params.templates))
    )
    member = models.of("pool")[draw.member]
    text: str = await models.chat(
        conversation(row, prompt, principle, template), name="model_pool", by=f"pool[{draw.member}]",
        sample=draw.sample, sampling=params.sampling, parse=text_of,
    )  # fmt: skip
    return response_of(
        text, model=member.model.name, arguments=member.config.sampled(params.sampling).key, origin="pool",
        principle=principle, template=template,
    )  # fmt: skip


def conversation(row: Row, prompt: Sequence[Message], principle: str, template: str) -> list[Message]:
    """The prompt with its last turn made by a template, if any, and a principle as (the end of) its system message."""
    turns = list(prompt)
    if template:
        turns[-1:] = render(inline(template), {**row, "instruction": prompt[-1]["content"]})
    if not principle:
        return turns
    if turns[0]["role"] == "system":
        principle = f"{turns.pop(0)['content']}\n\n{principle}"
    return [Message(role="system", content=principle), *turns]


def text_of(completion: str) -> str:
    """The response in a completion. Raises Unusable (empty)."""
    if not completion.strip():
        raise Unusable("empty")
    return completion.strip()


def too_few(kept: Sequence[Response], losses: Sequence[RowLoss]) -> RowLoss:
    """The reject of a row with too few responses: to be retried where a member failed, not where all said the same."""
    reason = {0: "no_response", 1: "one_response"}.get(len(kept), "few_responses")
    failed = next((loss for loss in reversed(losses) if loss.kind == "failed"), None)
    told = "; ".join(str(loss) for loss in losses)
    if failed is None:
        return Filtered(reason, told, raw=losses[-1].raw if losses else None)
    return Unusable(reason, told, raw=failed.raw, attempts=failed.attempts)
