"""Tasks for a Python function with tests by one model, solutions by another: kept if the tests pass and fail on a fault.

stillroom sft --recipe code --seeds snippets.jsonl --model MODEL --set roles.tester='[OTHER]'
stillroom sft --recipe code --seeds mbpp.jsonl --model MODEL --set code_tasks.tasks=given

Xu et al. 2025 (arXiv:2503.02951); Ahmad et al. 2025 (arXiv:2504.04030); Zeng et al. 2025 (arXiv:2502.01718).
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.columns import CODE_COLUMNS
from tasks.generate.programs.code_solutions import code_solutions
from tasks.generate.programs.code_tasks import code_tasks


@recipe("sft", columns=CODE_COLUMNS)
def code(run: Steps, seeds: Tables) -> Tables:
    """Tasks for a function with tests, and solutions that pass them, where the tests fail solutions with a fault."""
    return run.through(code_solutions, run.through(code_tasks, seeds))
