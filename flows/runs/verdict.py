"""What stands against a run at its end: too many rows of a step failed, or no row is left (exit 3), or it was not pushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from tasks.storage.tables import Table

TablesByStep = Mapping[str, Sequence["Table"]]


class EndedBadly(RuntimeError):
    """A run that has ended, and not well. `summary`: what it came to, as a run that ended well gives it."""

    summary: Mapping[str, Any] | None = None


class TooManyRejects(EndedBadly):
    """A step failed more rows than `max_reject_fraction` allows. What is good is published."""


class NoRows(EndedBadly):
    """No row is left, so nothing is published, and a dataset that was there stays as it was. Says why, line by line."""


class NotPushed(EndedBadly):
    """The dataset is published here, and its URL or the Hub has not taken it."""


class UnfitRows(EndedBadly):
    """More rows of a dataset than `max_unfit_fraction` allows do not fit the model that is to be trained."""

    def __init__(self, found: Mapping[str, Any], most: float) -> None:
        super().__init__(f"{found['unfit']:,} of {found['rows']:,} rows are unfit: more than {most:.0%}")
        self.summary = found


def too_many_rejects(steps: TablesByStep, most: float) -> TooManyRejects | None:
    """The first step that failed a larger share of its rows than `most`, None where there is none."""
    for step, tables in steps.items():
        rows, failed = sum(table.rows_in for table in tables), sum(table.failed for table in tables)
        if rows and failed / rows > most:
            return TooManyRejects(f"{step}: {failed} of {rows} rows failed: {dict(_reasons(tables))}")
    return None


def no_rows(steps: TablesByStep, summary: Mapping[str, Any]) -> NoRows:
    """Why no row is left: each step that refused some, how to see them, and what to do."""
    dataset, run = summary["dataset"], summary["run"]
    stays = f"{dataset} stays as it is, at r{summary['revision']}" if summary["revision"] else f"{dataset} is not made"
    lines = [f"no row is left, so nothing is published: {stays}"]
    lines += [f"  {line}" for step, tables in steps.items() if (line := _refused(step, tables))]
    if summary["pending"]:
        lines.append(f"  {summary['ended']}: {summary['pending']} rows are pending")
    if any(table.failed for tables in steps.values() for table in tables):
        lines.append(f"  `stillroom retry {run}` asks again for the rows that failed")
    lines.append(f"  `stillroom rejects {run}` shows them; --allow-empty publishes a dataset of 0 rows")
    verdict = NoRows("\n".join(lines))
    verdict.summary = summary
    return verdict


def _refused(step: str, tables: Sequence[Table]) -> str:
    """What a step refused, in one line; nothing where it refused none."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(_reasons(tables).items()))
    rows_in, rows = (sum(getattr(table, count) for table in tables) for count in ("rows_in", "rows"))
    return f"{step}: {rows_in} rows in, {rows} out; rejected: {reasons}" if reasons else ""


def _reasons(tables: Sequence[Table]) -> Counter[str]:
    return sum((Counter(table.rejects) for table in tables), Counter())


def raise_first(errors: Sequence[BaseException]) -> None:
    """Raise one of the errors that parts of a run ended with, if any: a permanent one first, which brought about the others."""
    for kind in (ConfigError, Interrupted, BaseException):
        for error in errors:
            if isinstance(error, kind):
                raise error
