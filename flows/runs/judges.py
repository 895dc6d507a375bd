"""The judges of a run: what its manifest says of them, and how they are measured against pairs that people have told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from flows.recipes.judges import judging, pairs_of_people
from flows.recipes.recipe import Step
from tasks.column_types import RESPONSE
from tasks.engine.context import Context
from tasks.engine.process import process
from tasks.engine.shard import run_shard
from tasks.engine.technique import Params, Technique
from tasks.judge.calibration import OF_POOLS, SCORED_IN, Calibrate, JudgedPair, figures_of, is_below, keeping_all
from tasks.judge.rubric import RUBRIC_ASPECT
from tasks.judge.trust import JudgeStatistics
from tasks.models.config import ModelConfig, Roles
from tasks.notices import tell
from tasks.seeds.known_formats import PAIR
from tasks.storage.digest import digest
from tasks.storage.tables import Table
from tasks.text.responses import make_response

JUDGED_REASONS = frozenset({"low_rating", "low_rubric_score", "essential_missing", "not_rated"})
"""Why a row goes whose ratings are its reject's raw text."""
AT_ONCE = 1000
JudgeScores = Mapping[tuple[str, str], float | None]
"""By the id of a pair and the text of an answer."""


def judges_told(steps: Mapping[str, Sequence[Table]], run_seed: int) -> dict[str, Any] | None:
    """What the judges of a run said, in figures, from its tables one by one; None where it had none."""
    statistics = JudgeStatistics()
    for step, tables in steps.items():
        for table in tables if step in OF_POOLS else ():
            for (responses,) in table.read(["responses"]).iter_rows() if table.rows else ():
                statistics.add_pool(responses, run_seed)
        for table in tables if step in ("rate", "rubrics") else ():
            for ratings in _ratings_of_rows(table):
                statistics.add_ratings(
                    one for one in ratings if (one["aspect"] == RUBRIC_ASPECT) is (step == "rubrics")
                )
    return statistics.told()


def _ratings_of_rows(table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Of the rows that stayed, and of those that went."""
    if table.rows:
        yield from (ratings for (ratings,) in table.read(["ratings"]).iter_rows())
    rejects = table.read_beside("rejects") if table.rejects else None
    if rejects is not None:
        told = rejects.filter(pl.col("reason").is_in(list(JUDGED_REASONS)))["raw"]
        yield from (json.loads(raw) for raw in told if raw)


def human_pairs(told: Calibrate) -> pl.DataFrame:
    """The first pairs of a file: `row_id`, what was asked, and `responses`, the chosen one first. Raises ConfigError."""
    source = pairs_of_people(told)
    frames = [batch.frame for batch in source.read(AT_ONCE, limit=told.rows)]
    return pl.concat(frames, how="diagonal_relaxed").unique("row_id", keep="first", maintain_order=True)


def calibrated_judges(
    step: Technique[Any], params: Params, judge: tuple[str, ModelConfig], pairs: pl.DataFrame, context: Context
) -> dict[str, Any]:
    """One judge (its role and model), asked alone, against pairs: the figures of `figures_of`."""
    role, config = judge
    models = process.models({"generator": (config,), role: (config,)}, context)
    frame = _as_pools(pairs) if step.name in OF_POOLS else _one_by_one(pairs)
    made = run_shard(step, frame, models, keeping_all(params), context, admission=process.admission)
    figures = figures_of(list(_judged(pairs, _scores(step.name, made.rows, pairs))))
    return {"judge": process.model(config).name, "by": step.name} | figures


def calibrate(
    told: Calibrate, steps: Sequence[tuple[Step, Params]], models: Roles, context: Context
) -> list[dict[str, Any]]:
    """Every judge of a run, each by every step that it judges in. Tells of one that agrees less than it has to."""
    pairs, found = human_pairs(told), list[dict[str, Any]]()
    for step, params in judging(steps):
        role = params.needs_role or "judge"
        for config in models.get(role) or models["generator"]:
            figures = calibrated_judges(step, params, (role, config), pairs, context)
            found.append(figures | {"least_agreement": told.least_agreement})
            if is_below(figures, told.least_agreement):
                tell(warning(figures, told))
    return found


def warning(figures: Mapping[str, Any], told: Calibrate) -> str:
    """What is told of a judge that people would not agree with."""
    said = "judged no pair" if figures["agreement"] is None else f"agrees with people in {figures['agreement']:.0%}"
    between = f" (95 %: {figures['low']:.0%} to {figures['high']:.0%})" if figures["pairs"] else ""
    return (
        f"{figures['judge']} as a judge ({figures['by']}) {said} of {figures['pairs']} pairs of {told.pairs}{between}, "
        f"at least {told.least_agreement:.0%} are wanted: look at its reasons, or name another judge"
    )


def _sides(pairs: pl.DataFrame) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each pair, with its chosen and its rejected answer."""
    for row in pairs.iter_rows(named=True):
        chosen, rejected = (response["text"] for response in row["responses"])
        yield row, chosen, rejected


def _judged(pairs: pl.DataFrame, scores: JudgeScores) -> Iterator[JudgedPair]:
    for row, chosen, rejected in _sides(pairs):
        found = [scores.get((row["row_id"], text)) for text in (chosen, rejected)]
        yield JudgedPair(found[0], found[1], len(chosen), len(rejected))


def _as_pools(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs as pools of two responses."""
    pools = [[make_response(**one) for one in responses] for (responses,) in pairs.select("responses").iter_rows()]
    return pairs.with_columns(pl.Series("responses", pools, dtype=pl.List(RESPONSE)))


def _one_by_one(pairs: pl.DataFrame) -> pl.DataFrame:
    """The answers of pairs as rows of their own."""
    records = [
        {name: value for name, value in row.items() if name != "responses"}
        | {"row_id": digest(row["row_id"], side), "response": text}
        for row, *texts in _sides(pairs)
        for side, text in zip(PAIR, texts, strict=True)
    ]
    schema = {name: kind for name, kind in pairs.schema.items() if name != "responses"} | {"response": pl.String()}
    return pl.DataFrame(records, schema=schema)


def _scores(step: str, made: pl.DataFrame, pairs: pl.DataFrame) -> JudgeScores:
    """The scores of the answers, by the id of the pair and the text."""
    if step in OF_POOLS:
        ids = {digest(row_id, step, 0): row_id for row_id in pairs["row_id"]}
        pools = made.select("row_id", "responses").iter_rows()
        return {(ids[row_id], one["text"]): one["score"] for row_id, responses in pools for one in responses}
    each = (
        (row["row_id"], side, text) for row, *texts in _sides(pairs) for side, text in zip(PAIR, texts, strict=True)
    )
    asked = {digest(row_id, side): (row_id, text) for row_id, side, text in each}
    return {asked[row_id]: score for row_id, score in made.select("row_id", SCORED_IN[step]).iter_rows()}
