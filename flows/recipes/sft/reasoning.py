"""Problems with known or agreed answers, solved: solutions whose final answer is right.

stillroom sft --recipe reasoning --seeds gsm8k.jsonl --model MODEL
stillroom sft --recipe reasoning --seeds problems.jsonl --model MODEL --set rejection_sampling.answers=majority --set reasoning=think
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.rejection_sampling import rejection_sampling


@recipe("sft")
def reasoning(run: Steps, problems: Tables) -> Tables:
    """Problems solved several times over, of which solutions with the right final answer are kept."""
    return run.through(rejection_sampling, problems)
