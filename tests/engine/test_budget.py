"""Budgets on the engine: never a request too many, nothing lost, and two runs pay what one would have paid."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.engine.accounting import Accounting, Budget, BudgetCount, Reserved, cost_of
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop, the_loop
from tasks.engine.requests.asking import Member
from tasks.engine.requests.pending import PendingRequest
from tasks.engine.shard import Outcome, run_shard, run_table_step
from tasks.errors import Interrupted, RequestRefused
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.base import Completion, Request
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint
from tasks.models.scripted import ScriptedModel
from tests.engine.world import World, seeds, world
from tests.models.server import Server, chat, serving
from tests.models.server import status as http
from tests.rows import a_row

QUESTIONS = [f"question {i}" for i in range(30)]
VERBS = ("Describe", "Name", "List", "Explain", "Count")


async def slowly(request: Request) -> str:
    """Answer out of order; one question in five needs a second attempt."""
    await asyncio.sleep(0.001 * (request.seed % 5))
    return "" if request.seed % 5 == 0 else "an answer of five words"


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Requests of the whole run."""
    with world(tmp_path_factory.mktemp("unlimited")) as w:
        return w.run(QUESTIONS, slowly).requests


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), in_flight=st.integers(1, 40), shard_rows=st.sampled_from([1, 7, 1000]))
def test_never_a_request_too_many_and_two_runs_pay_what_one_would(
    share: float, in_flight: int, shard_rows: int, unlimited: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    most = round(share * unlimited)
    with world(tmp_path_factory.mktemp("budget")) as w:
        first = w.run(QUESTIONS, slowly, in_flight=in_flight, shard_rows=shard_rows, budget=Budget(max_requests=most))
        assert first.requests == most
        assert first.context.accounting.is_spent == (most < unlimited)
        assert (first.pending == 0) == (most == unlimited)
        assert first.frame().height + first.frame("rejects").height + first.pending == len(QUESTIONS)
        again = w.run(QUESTIONS, slowly)
        assert first.requests + again.requests == unlimited
        assert not again.context.accounting.is_spent


@pytest.mark.parametrize(("limit", "reached"), [(0, True), (1, True), (70, True), (7 * 30 - 1, False), (7 * 30, False)])
@pytest.mark.parametrize("kind", ["max_total_tokens", "max_cost_usd"])
def test_tokens_and_cost_stop_what_is_new_and_keep_what_is_in_flight(
    kind: str, limit: int, reached: bool, tmp_path: Path
) -> None:
    config, in_flight = ModelConfig(name="scripted", price_prompt=1e6, price_completion=1e6), 4  # a token costs 1
    with world(tmp_path) as w:
        run = w.run(
            QUESTIONS,
            lambda _: Completion("yes", "stop", 5, 2),
            in_flight=in_flight,
            config=config,
            budget=Budget(**{kind: limit}),
        )
        assert run.context.accounting.is_spent == reached
        assert (run.context.accounting.tally.cost, run.context.accounting.tally.prompt_tokens) == (
            7 * run.requests,
            5 * run.requests,
        )
        assert run.requests == 30 if not reached else -(-limit // 7) <= run.requests <= -(-limit // 7) + in_flight
        assert run.frame().height == run.requests


@pytest.mark.parametrize("kind", ["max_requests", "max_total_tokens"])
def test_a_budget_that_two_share_is_spent_by_both_together(kind: str) -> None:
    """As processes of one run do, whose counts one of them keeps."""
    budget = Budget(**{kind: 7 if kind == "max_requests" else 70})
    shared, stop = BudgetCount(budget), threading.Event()
    two = [Accounting(budget, shared) for _ in range(2)]
    for _ in range(7):
        one = two[shared.begun % 2]
        one.begin(stop)
        one.paid("step", ModelConfig(), Completion("yes", "stop", 8, 2))
    assert [one.tally.requests for one in two] == [4, 3]
    for one in two:
        with pytest.raises(Interrupted):
            one.begin(stop)
        assert one.is_spent


def test_what_is_reserved_and_not_used_is_room_for_another() -> None:
    counts = BudgetCount(Budget(max_total_tokens=100))
    assert counts.begin(Reserved(tokens=80))
    counts.settle(Reserved(tokens=80))
    counts.paid(15, 0.0)
    assert counts.begin(Reserved(tokens=80))
    assert not counts.begin(Reserved(tokens=80))
    assert counts.begun == 2


def test_what_the_ledger_has_costs_nothing(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        w.run(QUESTIONS, lambda _: "yes")
        free = w.run(QUESTIONS, lambda _: "yes", budget=Budget(max_requests=0, max_total_tokens=0, max_cost_usd=0))
        assert (free.requests, free.pending, free.context.accounting.is_spent) == (0, 0, False)


def test_a_row_of_which_one_ask_is_too_many_keeps_the_others(tmp_path: Path) -> None:
    asks = TextGeneration(generations=4)
    with world(tmp_path) as w:
        cut = w.run(["one row"], slowly, params=asks, budget=Budget(max_requests=3))
        assert (cut.requests, cut.pending) == (3, 1)
        whole = w.run(["one row"], slowly, params=asks)
        assert whole.pending == 0
        alone = whole.context.accounting.tally.requests + whole.context.accounting.tally.ledger_hits
        assert whole.requests == alone - 3


def continued(request: Request) -> str:
    """New tasks for a bootstrap; what they are depends on the request alone."""
    return "\n".join(
        f"{9 + i}. {VERBS[(request.seed + i) % 5]} {request.seed % 100_003} {topic} for {topic} lovers {request.seed}"
        for i, topic in enumerate(("rivers", "bread", "stars"))
    )


@pytest.mark.parametrize("most", [0, 1, 5, 8, 11])
def test_a_table_step_that_is_cut_is_pending_as_a_whole_and_goes_on(most: int, tmp_path: Path) -> None:
    frame = seeds([f"Write a {word} about cats and dogs and birds" for word in ("poem", "plan", "play", "song")])
    params = Bootstrap(target=10_000, max_rounds=3, prompts_per_round=4, max_similarity=1)

    def grown(w: World, budget: Budget) -> tuple[Outcome, int, bool]:
        model, context = ScriptedModel(continued, max_in_flight=2), Context(w.ledger, accounting=Accounting(budget))
        models = Models({"generator": [Member(model, ModelConfig(name="scripted"))]}, context)
        return (
            run_table_step(bootstrap, frame, models, params, context),
            len(model.requests),
            context.accounting.is_spent,
        )

    with world(tmp_path) as w:
        outcome, requests, reached = grown(w, Budget(max_requests=most))
        assert (outcome.pending, outcome.rows.height, requests, reached) == (4, 0, most, True)
        outcome, requests, reached = grown(w, Budget(max_requests=12 - most))
        assert (outcome.pending, requests, reached) == (0, 12 - most, False)
        assert outcome.rows.height > 0


def through_an_endpoint(w: World, name: str, context: Context, in_flight: int) -> Outcome:
    config = ModelConfig(name=name, max_in_flight=in_flight)
    model, admission = open_endpoint(config), Admission()
    admission.widen(in_flight)
    context.ledger = w.ledger
    try:
        models = Models({"generator": [Member(model, config)]}, context)
        return run_shard(text_generation, seeds(QUESTIONS), models, TextGeneration(), context, admission=admission)
    finally:
        run_in_loop(model.close())


@pytest.mark.parametrize("budget", [Budget(max_requests=6), Budget(max_total_tokens=30)])
def test_what_waits_for_a_slot_of_an_endpoint_has_not_been_admitted(budget: Budget, tmp_path: Path) -> None:
    with world(tmp_path) as w, serving(chat(delay_s=0.05)) as server:
        context = Context(accounting=Accounting(budget))
        outcome = through_an_endpoint(w, server.name, context, in_flight=3)
        sent = len(server.bodies)
        assert sent == 6 if budget.max_requests else 3 <= sent <= 6  # 10 tokens each, three at a time
        assert outcome.rows.height == sent == context.accounting.tally.requests
        assert outcome.pending == 30 - sent
        through_an_endpoint(w, server.name, Context(), in_flight=3)
        assert len(server.bodies) == 30


def test_a_request_that_has_to_be_tried_again_is_one_request(tmp_path: Path) -> None:
    with world(tmp_path) as w, serving(http(429), http(503), chat()) as server:
        context = Context(accounting=Accounting(Budget(max_requests=2)))
        outcome = through_an_endpoint(w, server.name, context, in_flight=1)
        assert (outcome.rows.height, outcome.pending, len(server.bodies)) == (2, 28, 4)


@pytest.mark.parametrize(("end", "rows"), [(Context.halt, 2), (Context.cut, 0)], ids=["halt", "cut"])
def test_a_halted_run_waits_for_what_is_in_flight_and_a_cut_one_for_nothing(
    end: Callable[[Context], None], rows: int, tmp_path: Path
) -> None:
    async def end_when_two_are_in_flight(context: Context, server: Server) -> None:
        while len(server.bodies) < 2:
            await asyncio.sleep(0.01)
        end(context)

    with world(tmp_path) as w, serving(chat(delay_s=1)) as server:
        context = Context()
        asyncio.run_coroutine_threadsafe(end_when_two_are_in_flight(context, server), the_loop())
        outcome = through_an_endpoint(w, server.name, context, in_flight=2)
        assert (outcome.rows.height, outcome.pending) == (rows, 30 - rows)
        assert len(server.bodies) == 2


def test_a_refused_request_was_a_request() -> None:
    context = Context(accounting=Accounting(Budget(max_requests=1)))

    def refuses(_: Request) -> str:
        raise RequestRefused("bad_request")

    model = ScriptedModel(refuses)
    models = Models({"generator": [Member(model, ModelConfig(name="scripted"))]}, context)
    for expected in (RequestRefused, Interrupted):
        with pytest.raises(expected):
            asyncio.run(text_generation(a_row(instruction="why?"), models, TextGeneration()))
    assert len(model.requests) == 1


def test_a_request_is_admitted_once_however_often_it_is_tried() -> None:
    context = Context(accounting=Accounting(Budget(max_requests=1)))
    bill = PendingRequest(context, a_row(), ModelConfig())
    bill.admit()
    bill.admit()
    assert not context.may_pay()
    with pytest.raises(Interrupted):
        PendingRequest(context, a_row(), ModelConfig()).admit()


def test_prices_are_of_a_million_tokens() -> None:
    config = ModelConfig(price_prompt=0.5, price_completion=2)
    assert cost_of(config, 1_000_000, 500_000) == pytest.approx(1.5)
    assert cost_of(ModelConfig(), 10, 10) == 0
