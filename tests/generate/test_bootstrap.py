import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.engine.table_step import Made
from tasks.errors import ConfigError, PermanentError
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import digest
from tasks.text.prompts import FULL, Prompts
from tasks.text.rouge import rouge_l
from tasks.text.task_list import added_tasks
from tests.rows import a_row, models_of

DATA = Path(__file__).parents[1] / "data" / "self_instruct" / "seed_instructions.jsonl"
SEEDS = [
    a_row(instruction=json.loads(line)["instruction"]) for line in DATA.read_text(encoding="utf-8").strip().split("\n")
]
VERBS = ("Describe", "Compare", "Rank", "Defend", "Rewrite", "Invent", "Question", "Date", "Weigh", "Mock")
THINGS = ("glaciers", "tax law", "violins", "bees", "treaties", "rust", "sonnets", "tides", "fonts", "saddles")
PLACES = ("Peru", "Oslo", "Chad", "Fiji", "Rome", "Cuba", "Mali", "Bern", "Nice", "Goa")


def invented(number: int) -> str:
    return f"{VERBS[number % 10]} {THINGS[number // 10 % 10]} {PLACES[number // 100 % 10]} {number} times over."


def inventor(request: Request) -> str:
    """Two new tasks and a repeated one, from the request's seed."""
    number = request.seed % 1000
    return f" {invented(number)}\n10. {invented(number)}\n11. {invented((number + 333) % 1000)}"


def run(answers: Any, seeds: list[Row] = SEEDS, **params: Any) -> Made:
    defaults: dict[str, Any] = {"target": 10, "max_rounds": 1, "prompts_per_round": 1}
    return asyncio.run(bootstrap(seeds, models_of(answers), Bootstrap(**defaults | params)))


def shown_in(request: Request) -> list[str]:
    text = (request.messages or ())[0]["content"]
    assert text.endswith("\n9.")
    return re.findall(r"^\d\. (.*)$", text, re.MULTILINE)


def reasons(done: Made) -> list[str]:
    return [loss.reason for _, loss in done.losses]


def test_a_prompt_shows_eight_tasks_and_ends_with_nine() -> None:
    model = ScriptedModel(inventor)
    run(model)
    [request] = model.requests
    shown = shown_in(request)
    human = {" ".join(seed["instruction"].split()).rstrip(":") for seed in SEEDS}
    assert len(set(shown)) == 8 and set(shown) <= human
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.presence_penalty) == (0.7, 0.5, 2)
    assert (sampling.max_new_tokens, sampling.stop) == (1024, ("\n16.",))


def test_six_are_human_and_two_machine_made_once_there_are_some_in_random_order() -> None:
    model = ScriptedModel(inventor)
    done = run(model, target=1000, max_rounds=2, prompts_per_round=16)
    made = {row["instruction"] for row in done.rows}
    second = [[task in made for task in shown_in(request)] for request in model.requests[16:]]
    assert {sum(machine) for machine in second} == {2}
    assert len({tuple(machine) for machine in second}) > 5, "they do not stand at the same places"
    assert not any(task in made for request in model.requests[:16] for task in shown_in(request))


def test_raw_mode_has_the_list_continued_as_text() -> None:
    model = ScriptedModel(inventor)
    run(model, raw=True)
    [request] = model.requests
    assert request.messages is None and (request.prompt or "").endswith("\n9.")
    assert request.sampling.stop == ("\n\n", "\n16.")


@pytest.mark.parametrize(
    ("prompts", "header"),
    [
        (None, "A list of varied tasks:"),
        (Prompts(FULL, "en"), "A list of varied tasks:"),
        (Prompts(FULL, "vi"), "Danh sách những yêu cầu đa dạng:"),
        (Prompts(FULL, "zh"), "各种各样的任务："),
        (Prompts(FULL, "ja"), "さまざまな課題の一覧："),
    ],
    ids=["demo", "en", "vi", "zh", "ja"],
)
def test_the_raw_list_begins_in_the_language_of_the_prompts(prompts: Prompts | None, header: str) -> None:
    model = ScriptedModel(inventor)
    params = Bootstrap(raw=True, max_rounds=1, prompts_per_round=1)
    asyncio.run(bootstrap(SEEDS, models_of(model, prompts=prompts), params))
    assert (model.requests[0].prompt or "").startswith(f"{header}\n1. ")


def test_an_accepted_row_says_where_it_comes_from() -> None:
    done = run(inventor, target=1)
    [row] = done.rows
    assert len(row.parents) == 8 and set(row.parents) <= {seed.row_id for seed in SEEDS}
    assert [call.template for call in row.calls] == ["bootstrap/tasks"]
    assert row["similarity"] == rouge_l(row["instruction"], row["most_similar"]) <= 0.7
    assert reasons(done) == ["surplus", "surplus"]


def test_losses_go_with_the_prompt_that_they_came_from() -> None:
    done = run(inventor, prompts_per_round=3, target=100)
    prompts = [digest("self_instruct.bootstrap", 0, index) for index in range(3)]
    assert list(dict.fromkeys(prompt.row_id for prompt, _ in done.losses)) == prompts
    assert set(reasons(done)) == {"too_similar"}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        pytest.param("Name three fruits.", "too_short", id="three words"),
        pytest.param("word " * 151, "too_long", id="151 words"),
        pytest.param("Plot the curve of demand for tea.", "blacklisted", id="blacklist"),
        pytest.param("Write a program that counts the vowels.", "write_a_program", id="program"),
        pytest.param("<b>Explain this tag to me now</b>", "starts_with_punctuation", id="punctuation"),
        pytest.param("Écrivez un poème sur la mer.", "starts_non_ascii", id="non-ASCII"),
        pytest.param("What is the relation between the given pairs?", "too_similar", id="a seed"),
    ],
)
def test_the_filters_refuse_with_their_reason(task: str, reason: str) -> None:
    done = run([task])
    assert (done.rows, reasons(done)) == ([], [reason])


def test_filters_are_asked_in_order() -> None:
    assert reasons(run(["Draw it."])) == ["too_short"]
    assert reasons(run(["Write a program that makes a map."])) == ["blacklisted"]


def test_other_languages_may_begin_outside_ascii() -> None:
    assert run(["Écrivez un poème sur la mer."], english=False).rows[0]["instruction"] == "Écrivez un poème sur la mer."


@pytest.mark.parametrize(
    ("language", "task"),
    [("vi", "Đọc một bài thơ về biển."), ("zh", "请写一首关于月亮的诗。"), ("ja", "海についての詩を書いてください。")],
)
def test_with_prompts_of_another_language_tasks_begin_as_it_has_them(language: str, task: str) -> None:
    models = models_of([f"{task}\n"], prompts=Prompts(FULL, language))
    params = Bootstrap(target=10, max_rounds=1, prompts_per_round=1)
    assert [row["instruction"] for row in asyncio.run(bootstrap(SEEDS, models, params)).rows] == [task]


def test_trap_non_latin_tasks_are_not_too_short_and_are_deduplicated() -> None:
    done = run(["请写一首关于月亮的诗。\n10. 请写一首关于月亮的诗！"], english=False)
    assert ([row["instruction"] for row in done.rows], reasons(done)) == (["请写一首关于月亮的诗。"], ["too_similar"])


def test_trap_capitals_stay() -> None:
    assert run(["list all presidents of the USA."]).rows[0]["instruction"] == "List all presidents of the USA."


def test_a_similarity_equal_to_the_limit_is_kept() -> None:
    seeds = [a_row(instruction="Alpha beta gamma delta epsilon zeta eta x y z")]
    [row] = run(["Alpha beta gamma delta epsilon zeta eta one two three"], seeds).rows
    assert (row["similarity"], row["most_similar"]) == (0.7, seeds[0]["instruction"])
    assert reasons(run(["Alpha beta gamma delta epsilon zeta eta x two three"], seeds)) == ["too_similar"]


def test_an_accepted_task_enters_the_pool_at_once() -> None:
    done = run([f"{invented(1)}\n10. {invented(1)}"])
    assert len(done.rows) == 1
    [(_, loss)] = done.losses
    assert loss.reason == "too_similar" and invented(1) in loss.detail


def test_a_completion_cut_by_length_is_dropped_whole() -> None:
    done = run([Completion(f"{invented(1)}\n10. {invented(2)}", "length", 9, 9)])
    assert (done.rows, reasons(done)) == ([], ["truncated"])


def test_rounds_stop_at_the_target_or_at_the_last() -> None:
    model = ScriptedModel(inventor)
    assert len(run(model, target=9, max_rounds=50, prompts_per_round=2).rows) == 9
    assert len(model.requests) <= 10, "about two of each prompt are accepted"
    model = ScriptedModel(lambda _: "No.")
    assert run(model, max_rounds=3, prompts_per_round=2).rows == []
    assert len(model.requests) == 6


def test_a_seed_that_had_no_part_in_any_row_is_a_reject() -> None:
    done = run(inventor, target=3)
    parents = {parent for row in done.rows for parent in row.parents}
    assert parents | set(done.rejects) == {seed.row_id for seed in SEEDS} and not parents & set(done.rejects)
    assert {(loss.kind, loss.reason) for loss in done.rejects.values()} == {("filtered", "no_offspring")}


def test_the_order_of_seeds_and_the_speed_of_answers_change_nothing() -> None:
    async def slowly(request: Request) -> str:
        await asyncio.sleep(request.seed % 7 / 2000)
        return inventor(request)

    once = run(inventor, target=40, max_rounds=4, prompts_per_round=8)
    again = run(slowly, SEEDS[::-1], target=40, max_rounds=4, prompts_per_round=8)
    assert [(row.row_id, dict(row), row.parents) for row in once.rows] == [
        (row.row_id, dict(row), row.parents) for row in again.rows
    ]
    assert [(row.row_id, loss) for row, loss in once.losses] == [(row.row_id, loss) for row, loss in again.losses]


def test_the_prompts_of_a_round_are_asked_at_once_and_see_the_same_pool() -> None:
    model = ScriptedModel(inventor)
    run(model, target=1000, prompts_per_round=32)
    assert len(model.requests) == 32
    made = {invented(number) for number in range(1000)}
    assert not any(task in made for request in model.requests for task in shown_in(request))


def test_fewer_seeds_than_places_is_a_shorter_list() -> None:
    model = ScriptedModel(lambda _: invented(1))
    run(model, [a_row(instruction="Name a fruit\nof the tropics:"), a_row(instruction="Name a colour.")])
    text = (model.requests[0].messages or ())[0]["content"]
    assert text.endswith("\n3.") and "Name a fruit of the tropics\n" in text


def test_no_seeds_is_the_user_s_mistake() -> None:
    with pytest.raises(ConfigError, match="no seeds"):
        run(inventor, [])


def test_a_permanent_error_ends_the_round() -> None:
    def answer(request: Request) -> str:
        raise PermanentError("unknown model", "m")

    with pytest.raises(PermanentError):
        run(answer, prompts_per_round=4)


A, B, C = "Describe a lake.", "Compare two rivers.", "Rank five hills."


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f" {A}\n10. {B}\n11. {C}", id="raw continuation"),
        pytest.param(f"{A}\n10. {B}\n11. {C}\n16. Too many.", id="past item 16"),
        pytest.param(f"9. {A}\n10. {B}\n11. {C}", id="its own nine"),
        pytest.param(f"9. {A}\n\n10. {B}\n\n11. {C}\n\nLet me know!", id="blank lines between"),
        pytest.param(f"1. {A}\n2. {B}\n3. {C}", id="starts over"),
        pytest.param(f"Sure! Here are more tasks:\n\n9. {A}\n10. {B}\n11. {C}", id="preamble"),
        pytest.param(f"Continuing it.\n9. {A}\n10. {B}\n11. {C}", id="preamble known by the number after it"),
        pytest.param(f"Sure!\n1) {A}\n2) {B}\n3) {C}", id="preamble and brackets"),
        pytest.param(f"**9.** {A}\n**10.** {B}\n**11.** {C}", id="bold numbers"),
        pytest.param(f"9. **{A}**\n10. **{B}**\n11. **{C}**", id="bold tasks"),
        pytest.param(f"9 . {A}\n10 . {B}\n11 . {C}", id="space before the stop"),
        pytest.param("Describe\na lake.\n10. Compare two\n   rivers.\n11. Rank five hills.", id="broken lines"),
        pytest.param(f"{A}\n10.\n11. {B}\n12. {C}", id="an empty item"),
        pytest.param(f'"{A}"\n10. "{B}"\n11. "{C}"', id="quoted"),
        pytest.param(f"{A}\n10. {B}\n11. {C}\n\nThese tasks differ from one another.", id="closing words"),
    ],
)
def test_the_continuation_is_read_however_it_is_written(text: str) -> None:
    assert added_tasks(text) == [A, B, C]


def test_one_task_without_a_number() -> None:
    assert added_tasks(f" {A}\n\nThat is all.") == [A]


def test_a_decimal_number_parts_nothing() -> None:
    assert added_tasks("Round 3.14\n2.72 to one digit.\n10. Rank five hills.") == ["Round 3.14 2.72 to one digit.", C]


@pytest.mark.parametrize("text", ["", "\n\n", "Sure!", "10.\n11."], ids=["empty", "blank", "talk", "numbers"])
def test_a_continuation_without_a_task_is_asked_for_again(text: str) -> None:
    answers: list[Callable[[], str] | str] = [text, A + "\n10. " + B]
    assert len(run(answers, min_words=2).rows) == 2
