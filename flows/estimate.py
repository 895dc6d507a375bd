"""Before a run: twenty of its rows, and what the whole of it would take.

    stillroom sft --recipe evolved --seeds seeds.jsonl --model M --estimate

The rows go through the recipe as they would in the run, so that their answers are in the ledger and the run does not
pay for them again. Nothing is published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prefect import flow

from flows.config import InstructionSFT, PreferenceDPO
from flows.runs.candidates import Candidates, candidates_of
from flows.runs.forecast import COVERED, Range, Stage, forecast, spanned
from flows.runs.plan import RunPlan, plan_of
from flows.runs.runners.shard_runner import ShardRunner
from flows.runs.sampling import SAMPLE, Latencies, SampledRun, Unit, rounds_of, windows_of
from tasks.engine.table_step import TableStep
from tasks.errors import ConfigError
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.storage.shard_sizes import shard_count
from tasks.storage.tables import Table

PER = 1000
"""Where nobody knows how many rows there are, figures are of so many."""
HOUSE_ROWS_PER_S = 5000
"""What the house does by itself (`make bench`, `overhead`). What Prefect takes for a shard is measured on the sample."""
TOLD = ("rows_in", "rows", "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost", "seconds")

NOT_KNOWN = (
    "later rounds of the bootstrap accept less than the first, and how much less is not known before: expected is what it "
    "takes if they go on like the first, the range reaches to all of `max_rounds`"
)

Count = Callable[[float, float], float]
Sampled = tuple[list[Unit], Count]


@flow(name="estimate-sft", flow_run_name="estimate of {config.title}", task_runner=ShardRunner())
def estimate_sft(config: InstructionSFT) -> dict[str, Any]:
    """What `instruction_sft` would take with this config. Raises ConfigError as that does, for a stream too short."""
    return estimate(plan_of(config))


@flow(name="estimate-dpo", flow_run_name="estimate of {config.title}", task_runner=ShardRunner())
def estimate_dpo(config: PreferenceDPO) -> dict[str, Any]:
    """What `preference_dpo` would take with this config. Raises ConfigError as that does."""
    return estimate(plan_of(config))


def estimate(plan: RunPlan) -> dict[str, Any]:
    """What a run would take."""
    plan.check()
    with SampledRun.of(plan) as sampling:
        candidates = candidates_of(plan, sampling.run.settings, sampling.run.lineage)
        try:
            if plan.takes_all_at_once:
                first, *others = _bootstrapped(plan, sampling, candidates)
                return told(plan, sampling, first, others=others)
            wave = plan.next_wave(0, 0)
            streams = not plan.recipe.blank and plan.source().reader.size is None
            endless = streams and wave is None and plan.max_seeds is None
            tables = candidates.take(SAMPLE if endless else wave)
            units = sampling.through(tables)
            count = _needed(plan, tables, candidates, countable=not plan.recipe.blank and not streams)
            return told(plan, sampling, [(units, _of(PER) if endless else count)], endless=endless)
        finally:
            candidates.close()


def _of(rows: float) -> Count:
    return lambda _yield, _before: rows


def _bootstrapped(plan: RunPlan, sampling: SampledRun, candidates: Candidates) -> list[list[Sampled]]:
    """The first prompts of the first round, which draw from the seeds alone; then a sample of what came of them.

    Later rounds accept less, since what is like the pool is refused, and no sample of a few prompts shows how much less.
    So there are three courses: all rounds are like the first; all rounds are needed, for as many instructions as wanted; and
    for none beyond those that the sample has made.
    """
    params = plan.params_of(bootstrap)
    assert isinstance(params, Bootstrap)
    if [step.name for step, _ in plan.outline() if isinstance(step, TableStep)] != [bootstrap.name]:
        raise ConfigError("what this recipe takes cannot be estimated", plan.recipe.name, "try it with --max-seeds 20")
    a_few = {"prompts_per_round": min(SAMPLE, params.prompts_per_round), "max_rounds": 1}
    seeds = candidates.take(plan.next_wave(0, 0))
    one_round = params.model_copy(update=a_few)
    asked, made = sampling.prompts(bootstrap.name, lambda: sampling.run.whole_with(bootstrap, seeds, one_round))
    units = sampling.through_the_rest(made, bootstrap.name)

    def prompts(accepted: float, _before: float) -> float:
        rounds = math.ceil(params.target / max(accepted * params.prompts_per_round, 1e-9))
        return params.prompts_per_round * min(params.max_rounds, rounds)

    def wanted(_yield: float, before: float) -> float:
        return min(params.target, before)

    accepted = sum(unit.rows for unit in asked)
    most = _of(params.prompts_per_round * (1 if accepted >= params.target else params.max_rounds))
    courses = ((prompts, wanted), (most, _of(params.target)), (most, _of(min(params.target, accepted))))
    return [[(asked, rounds), (units, made_of)] if units else [(asked, rounds)] for rounds, made_of in courses]


def _needed(plan: RunPlan, first: Sequence[Table], rest: Candidates, countable: bool) -> Count:
    """How many rows the run begins with, by how many come of one: all, or wave after wave until there are enough.

    `countable`: where the first wave may not do, those that are left can be counted.
    """
    taken, rows = (sum(getattr(table, name) for table in first) for name in ("rows_in", "rows"))
    wave = plan.next_wave(0, 0)
    if plan.pool is None or wave is None:
        return _of(rows)
    wanted, there = plan.pool, taken if taken < wave else math.inf
    if countable and there > taken:
        there = taken + sum(table.rows_in for table in rest.take(None))

    def needed(of_one: float, _before: float) -> float:
        of_one = max(of_one, 0.5 / SAMPLE) * rows / taken  # none of twenty is not none at all
        begun = float(taken)
        while begun * of_one < wanted and begun < there and (wave := plan.next_wave(begun, begun * of_one)):
            begun = min(there, begun + wave)
        return float(begun * rows / taken)

    return needed


def told(
    plan: RunPlan,
    sampling: SampledRun,
    sampled: Sequence[Sampled],
    *,
    endless: bool = False,
    others: Sequence[Sequence[Sampled]] = (),
) -> dict[str, Any]:
    """The estimate as plain JSON. `endless`: figures are of PER rows.

    `others`: courses that the run may take instead of the expected one; the ranges hold them too.
    """
    latencies, windows = Latencies(sampling.records), windows_of(plan)

    def stages_of(course: Sequence[Sampled]) -> list[Stage]:
        return [Stage([latencies.usage(unit) for unit in units], count) for units, count in course if units]

    stages = stages_of(sampled)
    shards = [len(tables) for tables in sampling.run.steps.values()]
    shard_s = max(0.0, sampling.seconds - latencies.span_s) / max(1, sum(shards))

    def own_s(rows: float) -> float:
        return len(shards) * (shard_s * shard_count(math.ceil(rows), plan.shard_rows) + rows / HOUSE_ROWS_PER_S)

    ranges = forecast(stages, windows, own_s) if stages else {}
    for course in others if stages else ():
        ranges = spanned(ranges, forecast(stages_of(course), windows, own_s))
    rounds = rounds_of(sampling.units)
    # of a batch nobody knows how long it takes, but that it is a day at most
    ranges = _known(plan, ranges, has_seconds=not rounds and latencies.are_known)
    busy_s = latencies.busy_s / max(1, latencies.paid) * ranges["requests"].expected if latencies.paid else None
    return {
        "estimate": {name: _rounded(name, ranges[name]) for name in TOLD if name in ranges},
        "per_rows": PER if endless else None,
        "covered": COVERED,
        "note": NOT_KNOWN if others else None,
        "rounds": rounds,
        "sample": _sample(sampling, latencies),
        "mean_request_s": round(latencies.busy_s / latencies.paid, 3) if latencies.paid else None,
        "in_flight": {name: window.in_flight for name, window in windows.items()},
        "seconds_at_sample_pace": round(busy_s / latencies.in_flight, 1) if busy_s is not None else None,
    }


def _known(plan: RunPlan, ranges: Mapping[str, Range], *, has_seconds: bool) -> dict[str, Range]:
    """Those that can be told: no cost without prices, no tokens of a cache that has none, no more rows than are asked for."""
    cached = ranges.get("cached_tokens")
    can_tell = {"cost": plan.is_priced, "seconds": has_seconds, "cached_tokens": cached and cached.expected > 0}
    known = {name: found for name, found in ranges.items() if can_tell.get(name, True)}
    if plan.rows is not None and (rows := known.get("rows")):
        known["rows"] = Range(*(min(plan.rows, value) for value in (rows.expected, rows.low, rows.high)))
    return known


def _sample(sampling: SampledRun, latencies: Latencies) -> dict[str, Any]:
    return {
        "rows_in": len(sampling.units),
        "rows": sum(unit.rows for unit in sampling.units),
        **sampling.run.context.accounting.tally.figures(is_priced=sampling.run.plan.is_priced),
        "seconds": round(sampling.seconds, 2),
        "in_flight": round(latencies.in_flight, 1),
    }


def _rounded(name: str, values: Range) -> dict[str, float]:
    digits = {"cost": 6, "seconds": 1}.get(name)
    return {
        "expected": round(values.expected, digits),
        "low": round(values.low, digits),
        "high": round(values.high, digits),
    }
