"""Which set of prompts a run asks with, where the user names none: that of its dataset, else that of its models.

What a dataset was begun with it goes on with, so that no run pays again for what another set of ours would ask.
"""

from __future__ import annotations

from pathlib import Path

from flows.runs.manifests import manifest, manifests, was_published
from tasks.engine.process import process
from tasks.models.config import EMBEDDER, Roles
from tasks.notices import tell
from tasks.publish.revisions import history
from tasks.text.catalogue.own_folder import misspelt
from tasks.text.prompts import DEMO, FULL, Prompts

NOT_PROMPTED = frozenset({"reward", EMBEDDER})
"""Roles whose models are asked without a prompt."""


def set_for(models: Roles) -> str:
    """The set for these models: `demo` where every one of them is the built-in model or a scripted one, else `full`.

    Models that are asked without a prompt do not count.
    """
    configs = [config for role, members in models.items() if role not in NOT_PROMPTED for config in members]
    return DEMO if all(config.name == "demo" or process.is_scripted(config) for config in configs) else FULL


def set_of(named: str | None, folder: Path, retried: str | None, models: Roles) -> str:
    """The set that a run asks with: the one that the user names, else that of its dataset, else that of its models.

    Raises ConfigError where it heals a run that there is not.
    """
    return named or set_begun_with(folder, retried) or set_for(models)


def set_begun_with(folder: Path, retried: str | None) -> str | None:
    """The set of the run to heal, else of the dataset's newest publication, else of a run that left it without a row.

    Runs that do not say had the only one of their time. None where there was none.
    """
    if retried is not None:
        return _set_in(manifest(retried))
    lines = history(folder)
    if lines:
        return lines[-1].prompt_set
    of_folder = (past for past in reversed(list(manifests())) if _is_of(past, folder))
    known = (_set_in(past) for past in of_folder if not was_published(past, lines))
    return next(known, None)


def tell_of_prompts(prompts: Prompts, models: Roles, folder: Path, named: str | None) -> None:
    """Tell the user where a dataset goes on with another set than its models would begin it with, and of files of the
    user's own that nothing asks with."""
    for file, meant in misspelt(prompts):
        tell(f"{file} is none of our prompts, and a technique of ours does not ask with it: did you mean {meant}?")
    usual = set_for(models)
    if not named and prompts.set != usual:
        tell(
            f"{folder} was begun with the prompts of the set `{prompts.set}` and goes on with them; "
            f"--set prompt_set={usual} takes those of today, and asks anew"
        )


def _set_in(past: dict[str, object]) -> str:
    settings = past["settings"]
    prompts = settings.get("prompts") if isinstance(settings, dict) else None
    return str(prompts["set"]) if isinstance(prompts, dict) else DEMO


def _is_of(past: dict[str, object], folder: Path) -> bool:
    summary = past["summary"]
    return isinstance(summary, dict) and Path(summary["dataset"]).absolute() == folder.absolute()
