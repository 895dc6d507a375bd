"""What a dataset's card says of the run behind it, and the config that makes the dataset again."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from flows.runs.plan import RunPlan
from tasks.publish.card import About
from tasks.publish.dataset import PublishResult

NOT_AGAIN = ("retry", "push_to_hub", "push_public", "push_demo")
"""Of what a run was told, what another one is not to be told: whoever makes the dataset again has a repository of their own."""


def about_run(plan: RunPlan, steps: Iterable[str], written: PublishResult, cost: float | None) -> About:
    """What the card says of a run of this plan."""
    models = [model for models in plan.models.values() for model in models]
    asks = set(plan.prompts.each[0].techniques())
    return About(
        licence=plan.licence,
        languages=plan.prompts.languages or (plan.prompts.language,),
        config=plan.told,
        revisions={model.name: model.revision for model in models},
        prompts={name: plan.prompts.digest_of(name) for name in steps if name in asks},
        curation=_curation(plan),
        cost=cost,
        brought_along=written.brought_along,
        left_out=written.left_out,
    )


def config_text(plan: RunPlan) -> str:
    """All that a run was told, as YAML, so that `stillroom sft|dpo --config FILE` makes the dataset again."""
    told = {name: value for name, value in plan.told.items() if name not in NOT_AGAIN}
    text: str = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    return f"# stillroom {plan.kind} --config dataset.yaml\n{text}"


def _curation(plan: RunPlan) -> list[str]:
    """What was thrown away of the rows: each part that is on, with its settings."""
    told = plan.curate.model_dump(mode="json", exclude_none=True)
    return [f"{part} ({_settings(settings)})" for part, settings in told.items()]


def _settings(settings: dict[str, object]) -> str:
    shown = [f"{name}: {value}" for name, value in settings.items() if value not in ([], {}, "", None)]
    return ", ".join(shown) or "as it is by default"
