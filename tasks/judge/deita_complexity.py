"""How complex each instruction of a row is, from 1 to 6: half of the score that Deita selects by.

    stillroom sft --recipe deita --seeds seeds.jsonl --rows 1000

Liu et al. 2023 (arXiv:2312.15685), section 3.2: variants of an instruction are ranked and scored side by side where a row has
them (`variants`), which is how the paper's scorer was taught; else each turn has a score of its own, which is how it is used.
"""

from __future__ import annotations

from statistics import fmean

from tasks.engine.ask import Models
from tasks.engine.gather import gather_all, gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import technique
from tasks.judge.deita_scores import DeitaScores, mean_ranks, rank_form
from tasks.judge.panel import answers_of_panel
from tasks.text.conversation import with_last_turn
from tasks.text.exchanges import exchanges_of
from tasks.text.verdicts.expectation import Expectation


class DeitaComplexity(DeitaScores):
    """How a judge is asked for a score."""


@technique(reads="Rows", writes="ComplexityScored")
async def deita_complexity(row: Row, models: Models, params: DeitaComplexity) -> list[Row]:
    """Add `complexity`, a score of 1 to 6 for each user's turn; of several judges the mean of those that answer.

    A row with `variants` of its instruction becomes a row for each of them, the first of which is the row as it came: they
    are ranked together, in an order drawn from the row, and the score of an earlier turn is that of the whole row.
    """
    exchanges = exchanges_of(row)
    variants: list[str] = row.get("variants") or []
    single = exchanges if len(variants) < 2 else exchanges[:-1]
    scores = await gather_all(_single(row, models, params, one.instruction, at) for at, one in enumerate(single))
    if len(variants) < 2:
        return [row.child(complexity=scores)]
    if params.method == "rank":
        ranks = await _ranked(row, models, params, variants)
    else:
        ranks = await gather_all(
            _single(row, models, params, text, len(single) + at) for at, text in enumerate(variants)
        )
    return [_variant(row, text, [*scores, rank]) for text, rank in zip(variants, ranks, strict=True)]


def _variant(row: Row, text: str, scores: list[float]) -> Row:
    """The row with this variant of its instruction; what answered another one is gone."""
    if text == row["variants"][0]:
        return row.child(complexity=scores, variants=None)
    changes = {"messages": with_last_turn(row["messages"], text)} if row.get("messages") else {}
    return row.child(instruction=text, complexity=scores, variants=None, **changes)


async def _single(row: Row, models: Models, params: DeitaComplexity, instruction: str, turn: int) -> float:
    """The score of one instruction by itself."""
    said = await gather_with_losses(
        models.ask(
            "deita_complexity/score",
            by=f"judge[{judge}]",
            sample=turn,
            sampling=params.sampling,
            truncated="keep",
            quoting=True,
            parse=Expectation(),
            instruction=instruction,
        )
        for judge in range(len(models.of("judge")))
    )
    return fmean(answers_of_panel(row, said))


async def _ranked(row: Row, models: Models, params: DeitaComplexity, variants: list[str]) -> list[float]:
    """The scores of all variants, side by side."""
    order = row.rng("variants").sample(range(len(variants)), len(variants))
    said = await gather_with_losses(
        models.ask(
            "deita_complexity/rank",
            by=f"judge[{judge}]",
            sampling=params.rank_sampling,
            quoting=True,
            parse=rank_form("Instruction", len(order)),
            instructions=[variants[at] for at in order],
        )
        for judge in range(len(models.of("judge")))
    )
    return mean_ranks(answers_of_panel(row, said), order)
