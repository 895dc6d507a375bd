"""A response of a strong model and one of a much weaker one to the same instruction: a pair that no judge has to make.

    stillroom dpo --recipe delta --instructions datasets/demo-sft --model STRONG --set roles.weak='[WEAK]'

What teaches is the difference: 3B against 1.5B was as good for an 8B model as judged answers of far larger ones (Geng et al.
2025, arXiv:2507.06187). The models are of one family there, the weaker one half the size or less.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError, Filtered, RowLoss
from tasks.generate.pool_responses import answering, too_few, written_by
from tasks.models.base import Sampling
from tasks.own_code import absolute, is_own
from tasks.text.conversation import asked_last
from tasks.text.responses import STRONG, WEAK, Response, given, make_response, prompt_of
from tasks.verify.verifier import Verifier, check_verifier_name, load_verifier


class StrongWeak(Params):
    """How the strong model and the weak one are asked: both alike, so that they differ in nothing else."""

    keep_responses: bool = Field(
        False, description="a response that a row came with is the strong one, and only the weak model is asked"
    )
    verifier: str = Field(
        "",
        description="what says whether an answer is right, by its name or FILE.py:NAME; a pair goes whose weak response passes "
        "where the strong one fails",
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="a model's own settings go before this"
    )

    @property
    def keeps_given_responses(self) -> bool:
        """Whether a response that a seed brings along is used."""
        return self.keep_responses

    @field_validator("verifier")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_verifier_name(absolute(name) if is_own(name) else name) if name else name

    @property
    def needs_role(self) -> str:
        """The weak model's: the one that plays every role cannot be weaker than itself."""
        return "weak"

    def check_models(self, models: Mapping[str, Sequence[Any]]) -> None:
        """Raise ConfigError where the strong model and the weak one are the same."""
        strong, [weak] = (models.get("strong") or models["generator"])[0], models["weak"]
        if strong.name == weak.name:
            raise ConfigError(
                "the strong model and the weak one are the same", weak.name, "give roles.weak a weaker one"
            )


@technique(reads="Rows", writes="Pools")
async def strong_weak(row: Row, models: Models, params: StrongWeak) -> list[Row]:
    """Have an instruction, or a conversation, answered by both models (delta learning, arXiv:2507.06187).

    Writes `responses`, the strong one (origin `strong`) first, and `instruction` (the user's last turn). Raises no_response or
    one_response where one of the two could not be had, Filtered (weak_passes) where a verifier says that the weak one is right
    and the strong one is not. That a row holds nothing to verify by is a loss.
    """
    prompt, there = prompt_of(row), given(row)[:1] if params.keep_responses else []
    asks = [*([] if there else [_strong(row, models, params)]), _weak(row, models, params)]
    answers = await gather_with_losses(asks)
    said = [one for one in answers if not isinstance(one, RowLoss)]
    kept = [make_response(**there[0] | {"origin": STRONG}), *said] if there else said
    if len(kept) < 2:
        raise too_few(kept, [one for one in answers if isinstance(one, RowLoss)])
    if params.verifier:
        await _check(row, load_verifier(params.verifier), *(one["text"] for one in kept))
    return [row.child(instruction=asked_last(prompt), responses=kept)]


async def _strong(row: Row, models: Models, params: StrongWeak) -> Response:
    text: str = await models.chat(by="strong", **answering(row, models, "strong_weak", params.sampling))
    return written_by(models.of("strong")[0], text, params.sampling, STRONG)


async def _weak(row: Row, models: Models, params: StrongWeak) -> Response:
    text: str = await models.chat(by="weak", **answering(row, models, "strong_weak", params.sampling))
    return written_by(models.of("weak")[0], text, params.sampling, WEAK)


async def _check(row: Row, verify: Verifier, strong: str, weak: str) -> None:
    try:
        good, bad = [await to_thread(verify, row, answer) for answer in (strong, weak)]
    except Filtered as refusal:
        row.lose(refusal)
        return
    if bad.passed and not good.passed:
        raise Filtered("weak_passes", f"the strong response: {good.figure}; the weak one: {bad.figure}", raw=strong)
