"""Instructions with 1 to 3 constraints that a program can check, and answers that keep them.

stillroom sft --recipe constrained --seeds instructions.jsonl
stillroom sft --recipe constrained --seeds seeds.jsonl --set instructions_from=self_instruct

Zhou et al. 2023 (arXiv:2311.07911); Lambert et al. 2024 (arXiv:2411.15124); Ben Allal et al. 2025 (arXiv:2502.02737).
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from flows.recipes.self_instructed import self_instructed
from tasks.generate.constraints import constraints
from tasks.generate.verified_generation import verified_generation


@recipe("sft")
def constrained(run: Steps, seeds: Tables) -> Tables:
    """Instructions with constraints that a program can check, answered; answers that break one are asked for again."""
    given = run.options.get("instructions_from", "given") == "given"
    instructions = seeds if given else self_instructed(run, seeds)
    return run.through(verified_generation, run.through(constraints, instructions))
