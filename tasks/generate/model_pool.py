"""Several responses to one instruction from a pool of models, not too alike: what a preference is chosen among.

stillroom dpo --recipe basic --instructions instructions.jsonl --model MODEL_A --model MODEL_B
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.losses import lose_all
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError
from tasks.generate.pool_responses import too_few, written_by
from tasks.models.base import Message, Sampling
from tasks.text.alike import place
from tasks.text.conversation import asked_last, response_of
from tasks.text.responses import Response, by_digest, called_tools, given, make_response, prompt_of
from tasks.text.templates import inline, render


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

    @property
    def keeps_given_responses(self) -> bool:
        """Whether responses that a seed brings along are members of its pool."""
        return self.keep_responses

    @property
    def makes_turn_of_columns(self) -> bool:
        """Whether templates make the question."""
        return bool(self.templates)


class PoolDraw(NamedTuple):
    """One response to ask for: of which member, and which of its samples. `stays`: a redraw asks the same member."""

    member: int
    sample: int
    stays: bool


@technique(reads="Rows", writes="Pools")
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
        answers = await gather_with_losses(response_from(row, models, params, prompt, draw) for draw in wave)
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
    lose_all(row, losses)
    return [row.child(instruction=asked_last(prompt), responses=kept)]


def draws(row: Row, members: int, forced: int | None = None) -> Iterator[PoolDraw]:
    """Members without end, in rounds that hold each of them once; a forced one stands first in the first."""
    for sample in count():
        order = row.rng("pool", sample).sample(range(members), members)
        if forced is not None and sample == 0:
            order = [forced, *(member for member in order if member != forced)]
        yield from (PoolDraw(member, sample, members == 1 or member == forced) for member in order)


def member_named(members: Sequence[Member], name: str) -> int | None:
    """The position of the member with this name, None for no name. Raises ConfigError where there is none such."""
    if not name:
        return None
    for position, member in enumerate(members):
        if name in (member.model.name, member.config.name):
            return position
    raise ConfigError("one_side is no model of the pool", name, f"the pool: {', '.join(m.model.name for m in members)}")


async def response_from(
    row: Row, models: Models, params: ModelPool, prompt: Sequence[Message], draw: PoolDraw
) -> Response:
    """One member's response, with what it was asked under."""
    purpose = (draw.member, draw.sample)
    principle, template = (
        row.choose(list(drawn), name, *purpose, weights=list(drawn.values())) if drawn else ""
        for name, drawn in (("principle", params.principles), ("template", params.templates))
    )
    turns = conversation(row, prompt, principle, template)
    text: str = await models.chat(
        turns,
        name="model_pool",
        by=f"pool[{draw.member}]",
        sample=draw.sample,
        sampling=params.sampling,
        parse=models.in_language(response_of, asked_last(prompt)),
        tools=called_tools(row, turns),
    )
    response = written_by(models.of("pool")[draw.member], text, params.sampling, "pool")
    return make_response(**response | {"principle": principle, "template": template})


def conversation(row: Row, prompt: Sequence[Message], principle: str, template: str) -> list[Message]:
    """The prompt with the user's last turn made by a template, if any, and a principle as (the end of) its system message."""
    turns = list(prompt)
    if template:
        at = max(at for at, turn in enumerate(turns) if turn["role"] == "user")
        turns[at : at + 1] = render(inline(template), {**row, "instruction": turns[at]["content"]})
    if not principle:
        return turns
    if turns[0]["role"] == "system":
        principle = f"{turns.pop(0)['content']}\n\n{principle}"
    return [Message(role="system", content=principle), *turns]
