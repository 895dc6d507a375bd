"""Conversations of one to three turns that a model writes by itself, by task category, tagged, guarded, scored and chosen from.

stillroom sft --recipe magpie_ultra --rows 1000 --model MODEL --judge JUDGE
stillroom sft --recipe magpie_ultra --rows 1000 --config ultra.yaml      # with roles.responder, roles.reward, roles.guard
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.diversify import Diversify
from tasks.generate.magpie import Magpie, magpie
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.judge.guard import Guard
from tasks.judge.magpie_tags import MagpieTags
from tasks.judge.reward_model import RewardModel
from tasks.models.base import Sampling

AS_PUBLISHED = Sampling(temperature=0.8, top_p=1.0, max_new_tokens=1024)
BY_CATEGORY = Magpie(
    categories="all",
    turns=3,
    min_turns=1,
    stop_at_newline=False,
    sampling=AS_PUBLISHED,
    response_sampling=AS_PUBLISHED,
)
AS_FILTERED = {
    "tags": MagpieTags(keep_quality=("good", "excellent")),
    "guard": Guard(),
    "reward_model": RewardModel(),
}


@recipe("sft", blank=True, diversify=Diversify(by="longest"), curate=AS_FILTERED)
def magpie_ultra(run: Steps, blanks: Tables) -> Tables:
    """Conversations that a model writes itself by category, with tags, guard, reward and neighbours (SmolTalk, arXiv:2502.02737)."""
    return run.through(text_generation, run.through(magpie, blanks, BY_CATEGORY), TextGeneration(sampling=AS_PUBLISHED))
