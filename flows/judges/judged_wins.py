"""How often a judge prefers a student's answers to the base's: by ratings side by side, in both orders.

The questions of UltraFeedback are asked about each pair of answers twice, with the answers the other way round the second
time. An answer wins where both orders say so; where they say different things, the verdict hangs on the place, and it is a tie.
In this process, without Prefect; what was asked is in the ledger, so that the same pair is paid for once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from flows.runs.prompt_set import set_for
from tasks.column_types import RESPONSE
from tasks.engine.process import Settings, process
from tasks.engine.shard import run_shard
from tasks.errors import Interrupted
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.config import ModelConfig, Roles
from tasks.storage.digest import digest
from tasks.storage.home import home, ledger_url, tables_root
from tasks.text.prompts import Prompts
from tasks.text.responses import make_response
from tasks.train.lessons import Lesson

RUN = "prove"
TIE = 0.5
PARAMS = UltraFeedback(aspects="paper", second_order=True)


def win_figures(
    judge: str, questions: Sequence[Lesson], ours: Sequence[str], theirs: Sequence[str]
) -> list[float | None]:
    """A figure for each question: 1 where our answer wins, 0 where the other one wins, 0.5 for a tie; None where the judge failed.

    Equal answers are a tie that nobody is asked about. Raises ConfigError for a judge that there is not.
    """
    pairs = list(zip(questions, ours, theirs, strict=True))
    ids = [digest(question.key, one, other) for question, one, other in pairs]
    pools = {
        row_id: {"row_id": row_id, "instruction": question.last_asked, "responses": _pool(one, other)}
        for row_id, (question, one, other) in zip(ids, pairs, strict=True)
        if one != other
    }
    said = _asked(judge, list(pools.values())) if pools else {}
    return [
        TIE if one == other else verdict_of(said[row_id], one, other) if row_id in said else None
        for row_id, (_, one, other) in zip(ids, pairs, strict=True)
    ]


def verdict_of(responses: Sequence[Mapping[str, Any]], ours: str, theirs: str) -> float | None:
    """The verdict on two rated answers, over both orders; None where one of them has no rating in an order."""
    ratings = {one["text"]: one["ratings"] for one in responses}
    gaps = []
    for order in (0, 1):
        means = [_mean(ratings[text], order) for text in (ours, theirs)]
        if means[0] is None or means[1] is None:
            return None
        gaps.append(means[0] - means[1])
    if min(gaps) > 0:
        return 1.0
    return 0.0 if max(gaps) < 0 else TIE


def _mean(ratings: Sequence[Mapping[str, Any]], order: int) -> float | None:
    found = [one["rating"] for one in ratings if one["order"] == order and one["rating"] is not None]
    return fmean(found) if found else None


def _pool(*texts: str) -> list[Any]:
    return [make_response(text) for text in texts]


def _asked(judge: str, pools: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rated answers of each pool that the judge has rated."""
    config = ModelConfig(name=judge)
    models: Roles = {"generator": (config,), "judge": (config,)}
    prompts = Prompts.of(set_for(models), "en", None).resolved()
    process.forget(RUN)
    context = process.context(_settings(prompts))
    schema = {"row_id": pl.String(), "instruction": pl.String(), "responses": pl.List(RESPONSE)}
    frame = pl.DataFrame(list(pools), schema=schema)
    made = run_shard(
        ultrafeedback, frame, process.models(models, context), PARAMS, context, admission=process.admission
    )
    if context.stop.is_set():
        raise Interrupted("the command was told to stop")
    ids = {digest(row_id, ultrafeedback.name, 0): row_id for row_id in frame["row_id"]}
    return {ids[row_id]: list(responses) for row_id, responses in made.rows.select("row_id", "responses").iter_rows()}


def _settings(prompts: Prompts) -> Settings:
    return Settings(
        run=RUN,
        home=Path(home()),
        ledger=ledger_url(),
        tables=tables_root(),
        seed=0,
        prompts=prompts,
        check_language=False,
    )
