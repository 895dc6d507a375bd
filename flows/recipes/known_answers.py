"""What steps and formats need of answers that are known, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from flows.recipes.recipe import Step
from tasks.columns import FOUND_COLUMNS, GROUND_TRUTH
from tasks.curate.pass_rate import CONSTRAINTS, pass_rate
from tasks.engine.technique import Params
from tasks.engine.validate import schema_columns
from tasks.errors import ConfigError
from tasks.publish.derive import Derived
from tasks.seeds.known_formats import References

StepsTold = Sequence[tuple[Step, Params]]


def references_of(steps: StepsTold) -> References:
    """Which columns of the seeds are what answers are checked by: as in `Reading`."""
    if any(params.reads_tests for _, params in steps):
        return "tests"
    if any(params.reads_references for _, params in steps):
        return "answers"
    return "known" if any(step is pass_rate for step, _ in steps) else ""


def answers_read(steps: StepsTold) -> dict[str, Any]:
    """What of the seeds answers are checked by, as `Reading` and `open_records` are told."""
    return {"references": references_of(steps), "constraints": any(params.reads_constraints for _, params in steps)}


def found_by(steps: StepsTold) -> frozenset[str]:
    """The columns with what is found out about rows that these steps write: names that the user's own columns may not have."""
    written = {name for step, _ in steps for name in schema_columns(step.writes)}
    return frozenset(written & {*FOUND_COLUMNS})


def check_known_answers(steps: StepsTold, derived: Derived, columns: Collection[str]) -> None:
    """Raise ConfigError where rows are wanted with a known answer, and nothing gives them one. `columns`: of the seeds."""
    tries = any(step is pass_rate for step, _ in steps)
    makes = any(GROUND_TRUTH in schema_columns(step.writes) for step, _ in steps if step is not pass_rate)
    written = {name for step, _ in steps for name in schema_columns(step.writes)}
    constrained = CONSTRAINTS in written or CONSTRAINTS in columns
    if tries and not makes and not constrained and "reference" not in columns:
        fix = "use recipe reasoning, or map the column that has it: --column reference=NAME"
        raise ConfigError("curate.pass_rate needs rows with a known answer", None, fix)
    if not makes and not tries and (name := derived.needing(GROUND_TRUTH)):
        raise ConfigError(
            "the format needs rows with a known answer", name, "use recipe reasoning, or curate.pass_rate"
        )


def look_at_seeds(steps: StepsTold) -> Callable[[Mapping[str, Any], str], None] | None:
    """What looks at each seed, and raises ConfigError for one that a step cannot work with; None where no step looks."""
    looks = [params for _, params in steps if params.reads_references]

    def look(seed: Mapping[str, Any], where: str) -> None:
        for params in looks:
            params.check_seed(seed, where)

    return look if looks else None
