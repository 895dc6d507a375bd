"""A critique of a response, without a score, and a rewrite that follows it: the third kind of data.

The rewrite is a better response to tune on, or stands as `chosen` against the original (`evolved_vs_original`).
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, NamedTuple

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_all
from tasks.engine.losses import all_lost, lose_all
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, RowLoss, Unusable
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last
from tasks.text.reading.revision import revised_of
from tasks.text.responses import (
    Response,
    by_digest,
    conversation_text,
    given,
    make_response,
    prompt_of,
    response_name,
)
from tasks.text.verdicts import labels
from tasks.text.words import nfc

SCORES = re.compile(
    r"\b\d+(?:[.,]\d+)?\s*(?:/|out of)\s*(?:5|10|100)\b|^\W*(?:rating|score)\W*[:：]", re.IGNORECASE | re.MULTILINE
)


class Critique(Params):
    """How responses are criticised and rewritten."""

    rewrite: bool = Field(True, description="have each response written anew, following its critique")
    critic: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=512), description="how a critique is sampled")
    reviser: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=2048), description="how a rewrite is sampled"
    )


class Criticised(NamedTuple):
    """A response with its critique, None where that failed; the revised one, None where there is none; and the loss."""

    response: Response
    revised: Response | None = None
    loss: RowLoss | None = None


@technique(reads="Rows", writes="Pools")
async def critique(row: Row, models: Models, params: Critique) -> list[Row]:
    """Have each response criticised, then rewritten (Cui et al. 2023, arXiv:2310.01377).

    Reads `responses`; or one response (`response`, or the end of `messages`), and then writes the revised one to
    `response` and the turns before it to `messages`, where there are any. A revised response (origin `revised`, its
    original as `parent`) stands right after its original, which carries the `critique`. A part that failed is a loss;
    a row where no critique came is rejected (no_critique).
    """
    prompt, responses = prompt_of(row), by_digest(given(row))
    if not responses:
        raise Filtered("no_response", "nothing to criticise")
    outcomes = await gather_all(
        criticise(models, params, conversation_text(prompt), one, i) for i, one in enumerate(responses)
    )
    losses = [outcome.loss for outcome in outcomes if outcome.loss is not None]
    if all(outcome.response["critique"] is None for outcome in outcomes):
        raise all_lost("no_critique", losses)
    lose_all(row, losses)
    pool = [one for outcome in outcomes for one in (outcome.response, outcome.revised) if one is not None]
    columns: dict[str, Any] = {"instruction": asked_last(prompt), "responses": pool}
    if not row.get("responses"):
        columns |= {"response": pool[-1]["text"], "response_model": pool[-1]["model"]}
        columns |= {"messages": prompt} if row.get("messages") else {}
    return [row.child(**columns)]


async def criticise(models: Models, params: Critique, prompt: str, response: Response, sample: int) -> Criticised:
    """A response's critique and rewrite. What fails is told, not raised."""
    try:
        advice = await models.ask(
            "critique/critique",
            by="critic",
            sample=sample,
            sampling=params.critic,
            parse=critique_of,
            instruction=prompt,
            response=response["text"],
        )
        response = make_response(**response | {"critique": advice})
        revised = await revise(models, params, prompt, response, sample) if params.rewrite else None
    except RowLoss as loss:
        return Criticised(response, loss=loss)
    return Criticised(response, revised)


async def revise(models: Models, params: Critique, prompt: str, response: Response, sample: int) -> Response:
    """The rewrite that follows a response's critique. Raises Unusable."""
    text = await models.ask(
        "critique/rewrite",
        by="reviser",
        sample=sample,
        sampling=params.reviser,
        parse=models.in_language(partial(revised_of, response["text"]), prompt),
        instruction=prompt,
        response=response["text"],
        critique=response["critique"],
    )
    reviser = models.of("reviser")[0]
    return make_response(
        text,
        model=reviser.model.name,
        arguments=reviser.config.sampled(params.reviser).key,
        origin="revised",
        principle=response["principle"],
        parent=response_name(response),
    )


def critique_of(completion: str) -> str:
    """The critique in a completion. Raises Unusable (empty, scored: it gives a score, which is for judges to give)."""
    if not completion.strip():
        raise Unusable("empty")
    if score := next((found for form in (SCORES, *labels.RATINGS) if (found := form.search(nfc(completion)))), None):
        raise Unusable("scored", score[0].strip())
    return completion.strip()
