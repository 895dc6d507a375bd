"""Requests in batches: the same rows from the same ledger as one by one, whatever becomes of the batches; none paid twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.accounting import Accounting, Budget, cost_of
from tasks.ledger.batches import following
from tasks.models.config import ModelConfig
from tests.engine.served import Served, run_served
from tests.models.batch_server import BatchProvider, echo, serving_batches

QUESTIONS = [f"question {number}" for number in range(6)]
ONCE = dict.fromkeys(QUESTIONS, 1)
QUICK: dict[str, Any] = {"gather_s": 0.05, "poll_s": 0.05, "settle_s": 0.05}
BOTH = pytest.mark.parametrize("speaks", ["openai", "anthropic"])


def run(provider: BatchProvider, folder: Path, speaks: str = "openai", **config: Any) -> Served:
    batch = config.pop("batch", QUICK)
    return run_served(getattr(provider, speaks), folder, QUESTIONS, provider=speaks, batch=batch, **config)


def pending(served: Served) -> int:
    assert served.outcome is not None, served.error
    return served.outcome.pending


@BOTH
def test_one_batch_answers_all_rows_at_the_price_of_a_batch(speaks: str, tmp_path: Path) -> None:
    with serving_batches() as provider:
        served = run(provider, tmp_path, speaks, price_prompt=100, price_completion=100)
        assert (len(served.responses), provider.single, len(provider.jobs)) == (6, 0, 1)
        tally = served.context.accounting.tally
        assert (tally.requests, tally.prompt_tokens) == (6, 42)
        assert tally.cost == pytest.approx(6 * 10 * 100 / 1e6 / 2)
        assert dict(provider.paid) == ONCE


@pytest.mark.parametrize("first", [QUICK, None], ids=["batch first", "one by one first"])
def test_answers_of_the_one_mode_are_those_of_the_other(first: Any, tmp_path: Path) -> None:
    with serving_batches() as provider:
        once = run(provider, tmp_path, batch=first)
        again = run(provider, tmp_path, batch=None if first else QUICK)
        assert again.responses == once.responses
        assert again.context.accounting.tally.requests == 0
        assert dict(provider.paid) == ONCE


@BOTH
def test_a_run_that_does_not_wait_leaves_its_rows_pending_and_a_later_one_fetches_them(
    speaks: str, tmp_path: Path
) -> None:
    with serving_batches(looks=2) as provider:
        nights = [run(provider, tmp_path, speaks, batch=QUICK | {"wait": False}) for _ in range(4)]
        assert [pending(night) for night in nights] == [6, 6, 0, 0]
        assert nights[0].context.accounting.tally.in_batches.total() == 6
        assert [night.context.accounting.tally.requests for night in nights] == [0, 0, 6, 0]
        assert (dict(provider.paid), len(provider.jobs)) == (ONCE, 1)


@BOTH
def test_what_an_expired_batch_has_answered_is_kept_and_the_rest_goes_in_another(speaks: str, tmp_path: Path) -> None:
    with serving_batches(looks=0, ends=[("expired", 2), ("expired", 1), ("completed", None)]) as provider:
        assert len(run(provider, tmp_path, speaks).responses) == 6
        assert [len(job.lines) for job in provider.jobs.values()] == [6, 4, 3]
        assert dict(provider.paid) == ONCE


def test_a_line_that_never_comes_to_its_turn_is_rejected_at_last(tmp_path: Path) -> None:
    with serving_batches(looks=0, ends=[("expired", 5)] * 3) as provider:
        provider.ends = [("expired", 5), ("expired", 0), ("expired", 0)]
        served = run(provider, tmp_path)
        assert (len(served.responses), served.reasons) == (5, ["transport"])


@BOTH
def test_a_cancelled_batch_leaves_its_rows_pending(speaks: str, tmp_path: Path) -> None:
    with serving_batches(looks=0, ends=[("cancelled", 2)]) as provider:
        assert pending(run(provider, tmp_path, speaks)) == 4
        assert len(run(provider, tmp_path, speaks).responses) == 6
        assert dict(provider.paid) == ONCE


@BOTH
def test_a_line_that_the_server_refuses_is_the_reject_of_its_row_alone(speaks: str, tmp_path: Path) -> None:
    def refusing(asked: str) -> tuple[int, str]:
        return (400, "this one is too much") if asked == "question 3" else echo(asked)

    with serving_batches(answer=refusing) as provider:
        served = run(provider, tmp_path, speaks)
        assert (len(served.responses), served.reasons) == (5, ["bad_request"])


@BOTH
def test_a_line_that_fails_in_passing_goes_in_the_next_batch(speaks: str, tmp_path: Path) -> None:
    asked_for: Counter[str] = Counter()

    def failing(asked: str) -> tuple[int, str]:
        asked_for[asked] += 1
        return (500, "oh") if asked == "question 3" and asked_for[asked] == 1 else echo(asked)

    with serving_batches(answer=failing, looks=0) as provider:
        assert len(run(provider, tmp_path, speaks).responses) == 6
        assert [len(job.lines) for job in provider.jobs.values()] == [6, 1]
        assert dict(provider.paid) == ONCE


def test_a_parameter_that_lines_are_refused_for_is_left_out_of_the_next_batch(tmp_path: Path) -> None:
    def picky(asked: str) -> tuple[int, str]:
        newest = list(provider.jobs.values())[-1]
        if any("temperature" in line["body"] for line in newest.lines):
            return 400, "Unsupported parameter: 'temperature' is not supported with this model."
        return echo(asked)

    with serving_batches(answer=picky, looks=0) as provider:
        served = run(provider, tmp_path, temperature=0.5)
        assert len(served.responses) == 6
        assert [len(job.lines) for job in provider.jobs.values()] == [6, 6]
        assert len(run(provider, tmp_path, temperature=0.5).responses) == 6
        assert dict(provider.paid) == ONCE


def test_batches_hold_no_more_lines_than_they_may(tmp_path: Path) -> None:
    with serving_batches(looks=0) as provider:
        assert len(run(provider, tmp_path, batch=QUICK | {"max_lines": 4}).responses) == 6
        assert sorted(len(job.lines) for job in provider.jobs.values()) == [2, 4]


def test_an_account_that_takes_less_at_once_is_given_smaller_batches(tmp_path: Path) -> None:
    with serving_batches(looks=0, most_lines=2) as provider:
        assert len(run(provider, tmp_path).responses) == 6
        assert dict(provider.paid) == ONCE


def test_a_budget_of_requests_holds_over_batches(tmp_path: Path) -> None:
    with serving_batches(looks=0) as provider:
        first = run_served(
            provider.openai,
            tmp_path,
            QUESTIONS,
            batch=QUICK,
            context={"accounting": Accounting(Budget(max_requests=4))},
        )
        assert (pending(first), provider.paid.total()) == (2, 4)
        assert pending(run(provider, tmp_path)) == 0
        assert dict(provider.paid) == ONCE


def test_no_batch_is_submitted_that_could_cost_more_than_the_budget(tmp_path: Path) -> None:
    prices = {"price_prompt": 100.0, "price_completion": 100.0, "max_new_tokens": 100}
    of_one = 0.5 * 100 * 100 / 1e6  # half the price of the longest answer
    with serving_batches(looks=0) as provider:
        budget = Accounting(Budget(max_cost_usd=3.5 * of_one))
        first = run_served(provider.openai, tmp_path, QUESTIONS, batch=QUICK, context={"accounting": budget}, **prices)
        assert provider.paid.total() == 3
        assert pending(first) == 3
        assert budget.tally.cost <= 3.5 * of_one


@BOTH
def test_a_file_that_breaks_off_is_fetched_again_and_adds_nothing_twice(
    speaks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LINES_AT_ONCE", 1)
    left = [1]

    def breaking(call: str) -> None:
        if call == "half a file" and left.pop():
            left.append(0)
            raise ConnectionResetError

    with serving_batches(at=breaking) as provider:
        served = run(provider, tmp_path, speaks)
        assert (len(served.responses), served.context.accounting.tally.requests) == (6, 6)
        assert dict(provider.paid) == ONCE


def test_tokens_of_the_cache_have_their_own_price(tmp_path: Path) -> None:
    config = ModelConfig(name="m@http://127.0.0.1:1/v1", price_prompt=10, price_completion=20, price_cached=1)
    assert cost_of(config, 1_000_000, 0, 400_000) == pytest.approx(6 + 0.4)
    assert cost_of(config.model_copy(update={"price_cached": None}), 1_000_000, 0, 400_000) == pytest.approx(10)


def test_requests_one_by_one_wait_for_a_batch_that_has_them(tmp_path: Path) -> None:
    with serving_batches(looks=1) as provider:
        assert pending(run(provider, tmp_path, batch=QUICK | {"wait": False})) == 6
        alone = run(provider, tmp_path, batch=None)
        assert (len(alone.responses), provider.single) == (6, 0)
        assert dict(provider.paid) == ONCE


@pytest.mark.parametrize("seed", range(4))
def test_whatever_becomes_of_the_batches_no_line_is_paid_for_twice(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    ends = [(rng.choice(["expired", "cancelled", "completed"]), rng.choice([0, 1, 3, None])) for _ in range(6)]
    flaky = {question: rng.choice([0, 0, 1]) for question in QUESTIONS}

    def answers(asked: str) -> tuple[int, str]:
        flaky[asked] -= 1
        return (500, "oh") if flaky[asked] == 0 else echo(asked)

    with serving_batches(answer=answers, ends=ends, looks=rng.choice([0, 1])) as provider:
        for _ in range(12):
            mode = rng.choice([QUICK, QUICK | {"wait": False}, QUICK | {"max_lines": 2}, None])
            served = run(provider, tmp_path, batch=mode)
            assert served.outcome is not None, served.error
            assert served.outcome.rows.height + served.outcome.pending + len(served.reasons) == 6
        assert max(provider.paid.values()) == 1


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"name": "demo", "batch": True}, "behind a URL"),
        ({"name": "m@http://127.0.0.1:1/v1", "provider": "mine.py:Mine", "batch": True}, "openai or anthropic"),
        ({"name": "m@http://127.0.0.1:1/v1", "batch": {"price": 2}}, "less than or equal to 1"),
        ({"name": "m@http://127.0.0.1:1/v1", "batch": {"waits": True}}, "not permitted"),
    ],
    ids=["local", "own provider", "dearer", "unknown word"],
)
def test_settings_that_make_no_sense_are_told(config: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ModelConfig(**config)
