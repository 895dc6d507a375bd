"""Judges against pairs that people have told apart: each judge by each way of judging, in one table.

    stillroom judges pairs.jsonl --judge JUDGE_A --judge JUDGE_B --rows 100

In this process, without Prefect; what was asked is in the ledger, so that the same command pays for nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.config import PreferenceDPO
from flows.recipes.judges import check_judges, pairs_of_people
from flows.runs.prompt_set import set_for
from tasks.engine.process import Settings, process
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError, Interrupted, did_you_mean
from tasks.judge.calibration import Calibrate
from tasks.judge.reward_scores import RewardScores, reward_scores
from tasks.judge.rubric_ratings import rubric_ratings
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.storage.home import check_home, home, ledger_url, tables_root
from tasks.text.prompts import Prompts

RUN = "judges"
WAYS = ("ultrafeedback", "rubrics", "reward")


def compare_judges(config: PreferenceDPO, told: Calibrate, ways: Sequence[str]) -> dict[str, Any]:
    """The figures of each judge of a config by each of `ways`, as plain JSON. No ways: ratings and rubrics, and a reward
    model where one is named. Raises ConfigError before anything is asked."""
    ways = ways or [*WAYS[:2], *(["reward"] if "reward" in config.roles else [])]
    steps = [_step(config, way) for way in ways]
    models = config.models()
    prompts = Prompts.of(config.prompt_set or set_for(models), config.language, config.prompts).resolved()
    check_home()
    pairs_of_people(told)
    check_judges(steps, prompts, models)
    for configs in models.values():
        for one in configs:
            process.model(one)
    process.forget(RUN)
    context = process.context(_settings(config, prompts))

    from flows.runs.judges import calibrate

    figures = calibrate(told, steps, models, context)
    if context.stop.is_set():
        raise Interrupted("the command was told to stop")
    tally = context.accounting.tally
    asked = {"requests": tally.requests, "ledger_hits": tally.ledger_hits}
    tokens = {"prompt_tokens": tally.prompt_tokens, "completion_tokens": tally.completion_tokens}
    ended = "budget reached" if context.accounting.is_spent else "completed"
    return {"pairs": told.pairs, "judges": figures, **asked, **tokens, "ended": ended}


def _step(config: PreferenceDPO, way: str) -> tuple[Technique[Any], Params]:
    """A way of judging, with what the config says of it."""
    if way == "ultrafeedback":
        return ultrafeedback, config.ultrafeedback or UltraFeedback()
    if way == "rubrics":
        return rubric_ratings, config.rubric_ratings
    if way == "reward":
        return reward_scores, RewardScores()
    raise ConfigError("no such way to judge", way, did_you_mean(way, WAYS, f"there are {', '.join(WAYS)}"))


def _settings(config: PreferenceDPO, prompts: Prompts) -> Settings:
    return Settings(
        run=RUN,
        home=Path(home()),
        ledger=ledger_url(),
        tables=tables_root(),
        seed=config.seed,
        prompts=prompts,
        max_attempts=config.max_attempts,
        check_language=False,
        budget=config.budget(),
        epochs={},
    )
