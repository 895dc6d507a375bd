"""Deita's loop: rows with answers (or without) in, evolved, scored, and the best and most varied of them out.

stillroom sft --recipe deita --seeds seeds.jsonl --rows 1000 --model MODEL --set roles.judge='[JUDGE]'
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.diversify import Diversify
from tasks.generate.evol_instruct import EvolInstruct, evol_instruct
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.generate.text_generation import text_generation
from tasks.judge.deita_complexity import deita_complexity
from tasks.judge.deita_quality import DeitaQuality, deita_quality

IN_DEPTH = EvolInstruct(
    generations=3,
    operations=("constraints", "deepen", "concretise", "reasoning", "complicate"),
    keep="together",
    judge_gain=False,
    respond=False,
)
AS_IT_IS = ModelPool(responses=1, min_responses=1, keep_responses=True)


class OfTwo(DeitaQuality):
    """The scores of an answer and of what it has evolved into: each becomes a row."""

    @property
    def rows_of_each(self) -> int:
        """An answer and its evolved variant each become a row: two."""
        return 2


@recipe("sft", diversify=Diversify(by="deita"))
def deita(run: Steps, rows: Tables) -> Tables:
    """Rows whose instructions and answers are evolved, scored beside their variants, and selected (Deita, arXiv:2312.15685)."""
    evolved = run.through(evol_instruct, run.through(text_generation, rows), IN_DEPTH)
    variants = run.through(deita_complexity, evolved)
    answered = run.through(model_pool, run.through(text_generation, variants), AS_IT_IS)
    return run.through(deita_quality, run.through(evol_quality, answered), OfTwo())
