"""The seven laws of DESIGN.md, as properties of the engine: scripted models, no Prefect."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.engine.admission import WINDOWS_BEGUN, Admission
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.engine.validate import TableError
from tasks.errors import Filtered, PermanentError, RequestRefused, Unusable
from tasks.generate.text_generation import TextGeneration
from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.schemas import Instructions, Rows
from tasks.storage.digest import uniform
from tasks.storage.tables import encoded
from tests.engine.world import Run, seeds, world

laws = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
instruction_lists = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip), max_size=40, unique=True
)


def asked(request: Request) -> str:
    assert request.messages is not None
    return request.messages[-1]["content"]


def echo(request: Request) -> str:
    return f"answer to {asked(request)}"


def unreliable(seed: int) -> Any:
    """A rule that fails in every way, by a draw on what is asked: the same request always meets the same fate."""

    def answer(request: Request) -> Completion:
        point = uniform(seed, asked(request), request.seed)
        if point < 0.1:
            raise RequestRefused("context_too_long", "9000 tokens")
        if point < 0.3:
            return Completion("", "stop")
        if point < 0.4:
            return Completion("cut sho", "length")
        if point < 0.45:
            return Completion("", "content_filter")
        return Completion(f"answer {point}", "stop", 3, 2)

    return answer


class Split(Params):
    """No parameters."""


@technique(reads=Instructions, writes=Instructions)
async def split(row: Row, models: Models, params: Split) -> list[Row]:
    """Zero to three children; some rows are dropped by decision, some lose a part, some children are not valid."""
    count = int(row.draw("children") * 4)
    if count == 3 and row.draw("drop") < 0.5:
        raise Filtered("unwanted")
    if row.draw("loss") < 0.3:
        row.lose(Unusable("half_lost", raw="?"))
    texts = ["" if row.draw("invalid", i) < 0.2 else f"{row['instruction']}/{i}" for i in range(count)]
    for i, text in enumerate(texts):
        await models.chat(
            [{"role": "user", "content": row["instruction"]}], name="split", sample=i, sampling=Sampling()
        )
        texts[i] = text
    return [row.child(instruction=text) for text in texts]


# 1. Nothing is lost.


@laws
@given(instructions=instruction_lists, seed=st.integers(0, 10**6), shard_rows=st.integers(1, 50))
def test_every_row_is_a_parent_or_exactly_one_reject(instructions: list[str], seed: int, shard_rows: int) -> None:
    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        for run in (
            w.run(instructions, unreliable(seed), shard_rows=shard_rows, max_attempts=2),
            w.run(
                instructions, unreliable(seed), shard_rows=shard_rows, technique=split, params=Split(), max_attempts=2
            ),
        ):
            parents = {p for ps in run.frame("provenance")["parents"] for p in ps}
            rejected = run.frame("rejects")["row_id"].to_list()
            assert sorted([*parents, *rejected]) == sorted(seeds(instructions)["row_id"])
            assert run.frame()["row_id"].is_unique().all()


def test_a_repeated_row_is_a_reject_and_the_first_one_stays(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        run = w.run(["a", "b", "a", "a"], echo)
    assert run.frame()["instruction"].to_list() == ["a", "b"]
    assert run.reasons() == {"invalid_input": 2}


@laws
@given(instructions=instruction_lists.filter(bool), after=st.integers(1, 40), in_flight=st.integers(1, 8))
def test_a_stopped_run_counts_what_is_pending_and_resumes_without_paying_again(
    instructions: list[str], after: int, in_flight: int
) -> None:
    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        first = w.run(instructions, echo, in_flight=in_flight, stop_after=after, shard_rows=7)
        assert first.frame().height + first.pending == len(instructions)
        second = w.run(instructions, echo, in_flight=in_flight, shard_rows=7)
        assert second.pending == 0
        assert first.requests + second.requests == len(instructions)


# 2. Nothing is paid for twice.


@laws
@given(
    instructions=instruction_lists, seed=st.integers(0, 10**6), shards=st.tuples(st.integers(1, 50), st.integers(1, 50))
)
def test_the_same_run_again_makes_only_the_requests_that_were_refused(
    instructions: list[str], seed: int, shards: tuple[int, int]
) -> None:
    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        first = w.run(instructions, unreliable(seed), shard_rows=shards[0])
        shuffled = random.Random(seed).sample(instructions, len(instructions))
        again = w.run(shuffled, unreliable(seed), shard_rows=shards[1])
        assert again.requests == first.reasons().get("context_too_long", 0)
        assert again.frame().sort("row_id").equals(first.frame().sort("row_id"))


def test_an_appended_row_costs_one_request(tmp_path: Path) -> None:
    instructions = [f"question {i}" for i in range(100)]
    with world(tmp_path) as w:
        assert w.run(instructions, echo).requests == 100
        assert w.run(["new", *instructions], echo).requests == 1


def test_the_same_request_at_the_same_moment_is_made_once(tmp_path: Path) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0.05)
        return "done"

    with world(tmp_path) as w:
        runs: list[Run] = []
        threads = [threading.Thread(target=lambda: runs.append(w.run(["a", "b"], slow))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(run.requests for run in runs) == 2
    assert all(run.frame().height == 2 for run in runs)


def test_an_answer_reaches_its_row_only_once_committed(tmp_path: Path) -> None:
    seen: list[int] = []

    @technique(reads=Instructions, writes=Rows)
    async def counting(row: Row, models: Models, params: Split) -> list[Row]:
        await models.chat([{"role": "user", "content": row["instruction"]}], name="c", sampling=Sampling())
        seen.append(w.ledger.count())
        return [row.child()]

    with world(tmp_path) as w:
        w.run(["a", "b", "c"], echo, technique=counting, params=Split(), in_flight=1)
    assert all(count >= position + 1 for position, count in enumerate(seen))


# 3. Nothing stale.


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"params": TextGeneration(system="Be brief.")}, id="system prompt"),
        pytest.param({"params": TextGeneration(sampling=Sampling(temperature=0.1))}, id="temperature"),
        pytest.param({"run_seed": 1}, id="run seed"),
    ],
)
def test_what_shapes_the_answer_makes_every_request_again(tmp_path: Path, change: dict[str, Any]) -> None:
    instructions = [f"question {i}" for i in range(20)]
    with world(tmp_path) as w:
        w.run(instructions, echo)
        assert w.run(instructions, echo, **change).requests == 20


def test_what_does_not_shape_the_answer_makes_no_request(tmp_path: Path) -> None:
    instructions = [f"question {i}" for i in range(20)]
    with world(tmp_path) as w:
        w.run(instructions, echo)
        assert w.run(instructions, echo, in_flight=3, shard_rows=4, max_attempts=9).requests == 0
        patient = ModelConfig(name="scripted", timeout_s=7, patience_s=8, max_tries=9, max_in_flight=2, price_prompt=1)
        assert w.run(instructions, echo, config=patient).requests == 0


# 4. A failure is never stored as a success.


@laws
@given(instructions=instruction_lists, seed=st.integers(0, 10**6), attempts=st.integers(1, 4))
def test_unusable_answers_are_asked_for_again_and_truncated_ones_are_not(
    instructions: list[str], seed: int, attempts: int
) -> None:
    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        run = w.run(instructions, unreliable(seed), max_attempts=attempts)
    assert all(response.startswith("answer ") for response in run.frame()["response"])
    for reject in run.frame("rejects").iter_rows(named=True):
        assert reject["reason"] in {"empty", "truncated", "content_filter", "context_too_long"}
        assert reject["attempts"] <= attempts
        if reject["reason"] == "empty":
            assert reject["attempts"] == attempts
    asks = Counter(asked(request) for request in run.model.requests)
    assert all(count <= attempts for count in asks.values())


def test_a_greedy_answer_that_was_unusable_is_sampled_the_next_time(tmp_path: Path) -> None:
    params = TextGeneration(sampling=Sampling(temperature=0))
    with world(tmp_path) as w:
        run = w.run(["a"], lambda r: "yes" if r.sampling.temperature else "", params=params)
    assert [request.sampling.temperature for request in run.model.requests] == [0, 0.3]
    assert run.frame()["response"].to_list() == ["yes"]


def test_another_epoch_asks_only_for_the_rows_that_failed(tmp_path: Path) -> None:
    instructions = [f"question {i}" for i in range(50)]
    broken = set(instructions[::10])

    def breaks(request: Request) -> str:
        return "" if asked(request) in broken else echo(request)

    with world(tmp_path) as w:
        first = w.run(instructions, breaks, max_attempts=2)
        assert first.requests == 45 + 2 * 5
        assert first.reasons() == {"empty": 5}
        epochs = dict.fromkeys(first.frame("rejects")["row_id"], 1)
        healed = w.run(instructions, echo, max_attempts=2, epochs=epochs)
    assert healed.requests == 5
    assert healed.frame()["instruction"].to_list() == instructions


@pytest.mark.parametrize(
    "error", [PermanentError("the key is not accepted (401)"), ZeroDivisionError("a bug")], ids=["permanent", "bug"]
)
def test_an_error_that_is_no_rows_own_stops_the_shard_at_once(error: Exception, tmp_path: Path) -> None:
    begun: list[str] = []
    requests: list[Request] = []

    @technique(reads=Instructions, writes=Rows)
    async def begins(row: Row, models: Models, params: Split) -> list[Row]:
        begun.append(row.row_id)
        await models.chat([{"role": "user", "content": row["instruction"]}], name="b", sampling=Sampling())
        return [row.child()]

    async def refuses(request: Request) -> str:
        requests.append(request)
        await asyncio.sleep(0.01)
        raise error

    with world(tmp_path) as w, pytest.raises(type(error), match=str(error)[-4:-1]):
        w.run([f"question {i}" for i in range(1000)], refuses, technique=begins, params=Split(), in_flight=4)
    assert len(begun) <= 4 * WINDOWS_BEGUN, "rows were admitted after the error"
    if isinstance(error, PermanentError):
        assert len(requests) <= 4, "requests were made after the server had refused all"


# 5. Same inputs, same ledger, same bytes out.


@laws
@given(instructions=instruction_lists, seed=st.integers(0, 10**6), in_flight=st.integers(1, 20))
def test_bytes_do_not_depend_on_timing_or_folder(instructions: list[str], seed: int, in_flight: int) -> None:
    async def dawdling(request: Request) -> Completion:
        await asyncio.sleep(random.random() / 500)
        completion: Completion = unreliable(seed)(request)
        return completion

    tables = []
    for rule, width in ((unreliable(seed), 64), (dawdling, in_flight)):
        with TemporaryDirectory() as folder, world(Path(folder)) as w:
            run = w.run(instructions, rule, in_flight=width, shard_rows=13)
            tables.append([encoded(run.frame(name)) for name in ("rows", "rejects", "losses", "provenance")])
    assert tables[0] == tables[1]


# 6. Every table is validated on the way in and out.


def test_a_bad_row_goes_to_the_rejects_and_a_bad_table_stops_the_task(tmp_path: Path) -> None:
    @technique(reads=Instructions, writes=Instructions)
    async def blank(row: Row, models: Models, params: Split) -> list[Row]:
        return [row.child(instruction="" if row["instruction"] == "b" else row["instruction"])]

    with world(tmp_path) as w:
        run = w.run(["a", "", "b", "c"], echo, technique=blank, params=Split())
        assert run.frame()["instruction"].to_list() == ["a", "c"]
        assert run.reasons() == {"invalid_input": 1, "invalid_output": 1}

        @technique(reads=Instructions.__class__("Other", (Rows,), {"__annotations__": {"other": int}}), writes=Rows)
        async def other(row: Row, models: Models, params: Split) -> list[Row]:
            return [row.child()]

        with pytest.raises(TableError, match="other"):
            w.run(["a"], echo, technique=other, params=Split())


# 7. One slow row holds up nobody.


def test_one_slow_row_holds_up_nobody(tmp_path: Path) -> None:
    answered: list[str] = []
    release = asyncio.Event()

    async def one_slow(request: Request) -> str:
        if asked(request) == "question 0":
            await release.wait()
        answered.append(asked(request))
        if len(answered) == 99:
            release.set()
        return echo(request)

    with world(tmp_path) as w:
        run = w.run([f"question {i}" for i in range(100)], one_slow, in_flight=2, shard_rows=20)
    assert run.frame().height == 100
    assert answered[-1] == "question 0"


def test_no_more_requests_are_under_way_than_the_window_and_the_oldest_shard_goes_first(tmp_path: Path) -> None:
    under_way, most, order = 0, 0, []

    async def count(request: Request) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        order.append(request.order)
        await asyncio.sleep(0.001)
        under_way -= 1
        return echo(request)

    with world(tmp_path) as w:
        w.run([f"question {i}" for i in range(300)], count, in_flight=5, shard_rows=50)
    assert most == 5
    late = [position for position, shard in enumerate(order) if shard == 0]
    assert len(late) == 50
    assert max(late) < 50 + 6 * 20  # nobody of the oldest waits behind more than what had begun: four windows a shard


def test_of_the_rows_that_wait_to_begin_those_of_the_oldest_shard_are_admitted_first() -> None:
    async def admitted() -> list[int]:
        admission, order = Admission(1), list[int]()

        async def row(shard: int) -> None:
            await admission.enter(shard)
            order.append(shard)
            admission.leave()

        await admission.enter(0)
        rows = [asyncio.create_task(row(shard)) for shard in (5, 1, 3, 1)]
        await asyncio.sleep(0)
        admission.leave()
        await asyncio.gather(*rows)
        return order

    assert asyncio.run(admitted()) == [1, 1, 3, 5]


def test_a_place_that_is_given_to_a_row_which_is_cancelled_goes_to_the_next() -> None:
    async def entered() -> None:
        admission = Admission(1)
        await admission.enter(0)
        cancelled, waits = (asyncio.create_task(admission.enter(shard)) for shard in (0, 1))
        await asyncio.sleep(0)
        admission.leave()  # to the first of them, which has not heard of it
        cancelled.cancel()
        await asyncio.wait_for(waits, 10)
        assert admission.begun == 1

    asyncio.run(entered())
