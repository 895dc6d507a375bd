"""Each technique over a table, through the engine: what it writes passes its schema, and no row goes missing."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from tasks.column_types import MESSAGE
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.row import Row, seed_row_id
from tasks.engine.shard import LostRows, Outcome, run_shard, run_table_step
from tasks.engine.technique import Params
from tasks.engine.technique import technique as a_technique
from tasks.errors import Filtered
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.generate.evol_instruct import EvolInstruct, evol_instruct
from tasks.generate.magpie import Magpie, magpie
from tasks.generate.self_instruct import SelfInstruct, self_instruct
from tasks.generate.self_instruct_instances import SelfInstructInstances, self_instruct_instances
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.base import Completion, Message, Request, Sampling
from tests.rows import models_of

TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Go on."},
]


def world(request: Request) -> str | Completion:
    """A model that can do everything, and every now and then fails."""
    if request.seed % 7 == 0:
        return ""
    if request.seed % 11 == 0:
        return Completion("Cut in the mid", "length", 3, 4)
    number = request.seed % 10_000
    if request.prompt is not None:
        return f"What is the meaning of number {number}?"
    asked = (request.messages or ())[-1]["content"]
    if "equal or different" in asked:
        return "different" if number % 3 else "equal"
    if "Reply yes or no." in asked:
        return "yes" if number % 2 else "no"
    if "for each of its labels" in asked:
        return f"Label: odd\nInput: {number}1\nLabel: even\nInput: {number}2"
    if "put none" in asked:
        return f"Input: {number}\nOutput: {number + 1}"
    if "different requests" in asked or "Continue this list" in asked:
        return f"Count the stars of galaxy {number}.\nWhy do cats sleep {number} hours?\nNo."
    return f"Tell {number} tales about foxes."


def run(technique: Any, params: Any, rows: list[dict[str, Any]], schema: Any = None, answers: Any = world) -> Outcome:
    frame = pl.DataFrame(rows, schema=schema)
    ids = pl.Series("row_id", [seed_row_id(row) for row in rows])
    frame = frame.select(ids, *frame.columns)
    models, context = models_of(answers, max_attempts=1), Context(max_attempts=1)
    if technique is bootstrap:
        return run_table_step(technique, frame, models, params, context)
    return run_shard(technique, frame, models, params, context, admission=Admission(16))


INSTRUCTIONS = [{"instruction": f"Say {number} words about the sea.", "topic": "sea"} for number in range(40)]
STEPS = [
    pytest.param(text_generation, TextGeneration(generations=2), INSTRUCTIONS, id="text_generation"),
    pytest.param(
        text_generation,
        TextGeneration(),
        [{"messages": TALK, "number": n} for n in range(20)],
        id="text_generation of conversations",
    ),
    pytest.param(basic_prompting, BasicPrompting(), [{"topic": f"bread {n}"} for n in range(40)], id="basic_prompting"),
    pytest.param(self_instruct, SelfInstruct(), INSTRUCTIONS, id="self_instruct"),
    pytest.param(bootstrap, Bootstrap(max_rounds=2, prompts_per_round=8), INSTRUCTIONS, id="bootstrap"),
    pytest.param(self_instruct_instances, SelfInstructInstances(), INSTRUCTIONS, id="self_instruct_instances"),
    pytest.param(evol_instruct, EvolInstruct(), INSTRUCTIONS, id="evol_instruct"),
    pytest.param(
        evol_instruct, EvolInstruct(keep="all", generations=4), INSTRUCTIONS, id="evol_instruct, all generations"
    ),
    pytest.param(evol_instruct, EvolInstruct(respond=False), INSTRUCTIONS, id="evol_instruct without responses"),
    pytest.param(magpie, Magpie(turns=2), [{"number": n} for n in range(40)], id="magpie"),
]


@pytest.mark.parametrize(("technique", "params", "rows"), STEPS)
def test_every_row_becomes_valid_rows_or_a_reject(technique: Any, params: Any, rows: list[dict[str, Any]]) -> None:
    outcome = run(technique, params, rows)  # raises LostRows, TableError where a law is broken
    assert outcome.rows.height and outcome.rows["row_id"].is_unique().all()
    assert outcome.rejects.filter(pl.col("reason").is_in(["invalid_output", "invalid_input"])).height == 0
    assert all(
        re.fullmatch("[a-z_]+", reason) for frame in (outcome.rejects, outcome.losses) for reason in frame["reason"]
    )
    assert set(outcome.provenance["row_id"]) == set(outcome.rows["row_id"])


@pytest.mark.parametrize(("technique", "params", "rows"), STEPS)
def test_the_same_rows_come_out_again(technique: Any, params: Any, rows: list[dict[str, Any]]) -> None:
    once, again = run(technique, params, rows), run(technique, params, rows)
    assert (
        once.rows.equals(again.rows) and once.losses.equals(again.losses) and once.provenance.equals(again.provenance)
    )


def test_a_row_that_a_table_step_must_not_be_given_is_its_reject() -> None:
    rows = [*INSTRUCTIONS, {"instruction": "", "topic": "sea"}]
    outcome = run(bootstrap, Bootstrap(max_rounds=2, prompts_per_round=8), rows)
    bad = outcome.rejects.filter(pl.col("reason") == "invalid_input")
    assert bad["row_id"].to_list() == [seed_row_id(rows[-1])]


def _lost(row: Row, _first: Row) -> list[Row]:
    return [replace(row.child(), parents=("0" * 32,))]


def _in_two_fates(row: Row, first: Row) -> list[Row]:
    if row is first:
        raise Filtered("unwanted")
    return [row.child(), replace(row.child(), parents=(first.row_id,))]


@pytest.mark.parametrize("fate", [_lost, _in_two_fates])
def test_a_technique_that_breaks_the_count_of_rows_is_told(fate: Callable[[Row, Row], list[Row]]) -> None:
    seen: list[Row] = []

    @a_technique(reads="Instructions", writes="Instructions")
    async def miscounting(row: Row, _models: Models, _params: Params) -> list[Row]:
        seen.append(row)
        return fate(row, seen[0])

    with pytest.raises(LostRows):
        run(miscounting, Params(), INSTRUCTIONS)


def test_provenance_does_not_tell_in_which_order_answers_came() -> None:
    @a_technique(reads="Instructions", writes="Instructions")
    async def asks_at_once(row: Row, models: Models, _params: Params) -> list[Row]:
        said: list[Message] = [{"role": "user", "content": row["instruction"]}]
        asks = (models.chat(said, name="asks", sample=sample, sampling=Sampling()) for sample in range(4))
        await asyncio.gather(*asks)
        return [row.child()]

    def as_they_come(first: int) -> pl.DataFrame:
        async def answer(request: Request) -> str:
            await asyncio.sleep(0.001 * (first * request.seed % 5))
            return "an answer"

        return run(asks_at_once, Params(), INSTRUCTIONS[:10], answers=answer).provenance

    assert as_they_come(1).equals(as_they_come(-1))


def test_a_shard_whose_evolutions_all_fail_has_the_types_of_one_where_they_succeed() -> None:
    failing = run(evol_instruct, EvolInstruct(), INSTRUCTIONS, answers=lambda _: "")
    assert failing.rows.height == len(INSTRUCTIONS) and failing.rejects.height == 0
    assert failing.rows.schema == run(evol_instruct, EvolInstruct(), INSTRUCTIONS).rows.schema


def test_an_evolution_takes_no_stale_answer_and_conversation_with_it() -> None:
    schema = {"instruction": pl.String, "response": pl.String, "messages": pl.List(MESSAGE)}
    rows = [{"instruction": f"Say {n}.", "response": "Old.", "messages": None} for n in range(20)]
    outcome = run(evol_instruct, EvolInstruct(respond=False), rows, schema)
    evolved = pl.col("instruction").str.starts_with("Tell")
    assert set(outcome.rows.filter(evolved)["response"]) == {None}
    assert set(outcome.rows.filter(~evolved)["response"]) == {"Old."}


def test_a_pipeline_of_all_of_them() -> None:
    queries = run(self_instruct, SelfInstruct(), INSTRUCTIONS).rows
    models, context, admission = models_of(world, max_attempts=1), Context(max_attempts=1), Admission(16)
    evolved = run_shard(evol_instruct, queries, models, EvolInstruct(), context, admission=admission).rows
    outcome = run_shard(text_generation, evolved, models, TextGeneration(), context, admission=admission)
    assert outcome.rows.height + outcome.rejects.height == evolved.height
    paid = evolved.filter(pl.col("response") != "")
    kept = outcome.rows.filter(pl.col("instruction").is_in(paid["instruction"].implode()))
    assert kept["response"].to_list() == paid["response"].to_list(), "what Evol-Instruct paid for is not asked again"
