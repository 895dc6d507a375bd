"""Duplicates that are told among all rows of a run: whether they can be, checked before anything is paid for, and how they were."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from flows.curation import Curate
from flows.recipes.composition import Outlined, quotas
from tasks.curate.diversify import WHAT
from tasks.engine.validate import schema_dtypes
from tasks.errors import ConfigError, did_you_mean


def check_among_all(curate: Curate, steps: Outlined, rows: int | None, numbers: Set[str], *, mixed: bool) -> None:
    """Raise ConfigError where the rows would be chosen twice, or have no column with a number to choose the best by.

    `numbers`: the columns of the records that are curated which hold numbers; `mixed`: they are of several datasets.
    """
    duplicates = curate.among_all(steps)
    if duplicates is None:
        return
    told = "best_by" if duplicates.best_by is not None else "similarity"
    if curate.diversify is not None:
        fix = "leave one out: by deita and longest it takes out what is alike itself, and leaves the best"
        raise ConfigError(f"curate.deduplicate.{told} and curate.diversify are not for one run", None, fix)
    if mixed or quotas(steps, rows):
        fix = "leave it out, or curate what comes of the run by `stillroom curate`"
        raise ConfigError(f"curate.deduplicate.{told} would leave other shares than those asked for", None, fix)
    if duplicates.best_by is not None:
        _check_column(duplicates.best_by, steps, numbers)


def _check_column(column: str, steps: Outlined, numbers: Set[str]) -> None:
    for step, _ in steps:
        numbers = numbers | {name for name, kind in schema_dtypes(step.writes).items() if kind.is_numeric()}
    if column not in numbers:
        there = ", ".join(sorted(numbers)) or "none"
        fix = did_you_mean(column, numbers, f"give one of those that the rows have: {there}")
        raise ConfigError("curate.deduplicate.best_by names no column with a number", column, fix)


def similar_told(about: Mapping[str, Any] | None) -> str:
    """How prompts were compared by their embeddings, in one line for the card; "" where they were not.

    `about`: what the manifest says of it.
    """
    if about is None:
        return ""
    name = about["embedder"]
    return (
        f"Prompts were compared by the embeddings of `{name}`{WHAT.get(name, '')}; above a similarity of "
        f"{about['threshold']:g} to a row that stays a row went: {about['candidates'] - about['rows']:,} of {about['candidates']:,}."
    )
