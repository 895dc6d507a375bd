import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.generate.self_instruct import SelfInstruct, queries_of, self_instruct
from tasks.models.base import Completion
from tasks.models.scripted import ScriptedModel
from tasks.text.reading.lists import items_of
from tests.rows import a_row, models_of

THREE = ["Why does bread rise?", "List two kinds of flour.", "How do I keep a starter alive?"]


def run(row: Row, answers: Any, **params: Any) -> list[Row]:
    return asyncio.run(self_instruct(row, models_of(answers), SelfInstruct(**params)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(THREE), id="plain"),
        pytest.param("\n\n".join(THREE), id="blank lines between"),
        pytest.param("\n".join(f"{n}. {q}" for n, q in enumerate(THREE, 1)), id="numbered"),
        pytest.param("\n".join(f"{n}) {q}" for n, q in enumerate(THREE, 1)), id="numbered with brackets"),
        pytest.param("\n".join(f"- {q}" for q in THREE), id="bullets"),
        pytest.param("\n".join(f"* **{q}**" for q in THREE), id="bold bullets"),
        pytest.param("\n".join(f'{n}. "{q}"' for n, q in enumerate(THREE, 1)), id="quoted"),
        pytest.param("\n".join(f"**{n}.** {q}" for n, q in enumerate(THREE, 1)), id="bold numbers"),
        pytest.param("\n".join(f"Query {n}: {q}" for n, q in enumerate(THREE, 1)), id="labels"),
        pytest.param("Sure! Here are three queries:\n\n" + "\n".join(THREE), id="preamble"),
        pytest.param("Requests for home cooks:\n" + "\n".join(THREE), id="preamble that only its colon tells"),
        pytest.param("**Queries:**\n" + "\n".join(THREE), id="bold preamble"),
        pytest.param("\n".join(THREE) + "\n\nI hope these help!", id="closing words"),
        pytest.param("```\n" + "\n".join(THREE) + "\n```", id="fenced"),
        pytest.param("[\n" + ",\n".join(f'  "{q}"' for q in THREE) + "\n]", id="a list in code"),
        pytest.param("---\n" + "\n---\n".join(THREE), id="ruled"),
        pytest.param("\r\n".join(THREE), id="windows line ends"),
        pytest.param(
            "\n".join(f"{n}. {q}" for n, q in enumerate(THREE, 1)) + "\n\nThey cover baking and storing.",
            id="remark below a numbered list",
        ),
        pytest.param(
            "Three for cooks\n\n" + "\n\n".join(f"{n}. {q}" for n, q in enumerate(THREE, 1)),
            id="heading above a numbered list",
        ),
        pytest.param("\n".join(f"{n}. **Baking:** {q}" for n, q in enumerate(THREE, 1)), id="bold titles"),
        pytest.param(
            "\n".join(f"{n}. **Baking**: {q}" for n, q in enumerate(THREE, 1)), id="bold titles, colon outside"
        ),
        pytest.param("\n".join(f"### Request {n}:\n{q}\n" for n, q in enumerate(THREE, 1)), id="headings"),
        pytest.param(
            "\n".join(f"{n}. {q.replace(' ', chr(10) + '   ', 1)}" for n, q in enumerate(THREE, 1)),
            id="items of two lines",
        ),
        pytest.param("\n".join(f"{n}. {q}" for n, q in zip("１２３", THREE, strict=True)), id="full-width digits"),
        pytest.param(json.dumps(THREE), id="a list in code, on one line"),
        pytest.param(f"Here you are:\n\n```json\n{json.dumps(THREE, indent=2)}\n```", id="a JSON fence"),
        pytest.param(json.dumps({"requests": [{"request": one} for one in THREE]}), id="objects"),
        pytest.param(
            "| # | Request |\n|---|:---|\n" + "\n".join(f"| {n} | {q} |" for n, q in enumerate(THREE, 1)), id="a table"
        ),
        pytest.param("以下是三个问题：\n" + "\n".join(THREE), id="preamble in Chinese"),
    ],
)
def test_the_list_is_read_however_it_is_written(text: str) -> None:
    assert items_of(text) == THREE


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert all(item == " ".join(item.split()) and item for item in items_of(text))


def test_each_query_is_a_row() -> None:
    model = ScriptedModel(["\n".join(THREE)])
    row = a_row(instruction="Tell me about sourdough.", topic="bread")
    rows = run(row, model, queries=3, application="an assistant for cooks")
    assert [child["instruction"] for child in rows] == THREE
    assert {child["topic"] for child in rows} == {"bread"}
    assert {child.parents for child in rows} == {(row.row_id,)}
    prompt = (model.requests[0].messages or ())[0]["content"]
    assert "an assistant for cooks" in prompt and "sourdough" in prompt and "3" in prompt


def test_a_context_goes_before_an_instruction() -> None:
    model = ScriptedModel(["\n".join(THREE)])
    run(a_row(instruction="Summarise it.", context="Sourdough rises slowly."), model)
    assert "rises slowly" in (model.requests[0].messages or ())[0]["content"]


def test_a_row_without_context_is_filtered() -> None:
    with pytest.raises(Filtered, match="no_context"):
        run(a_row(topic="bread"), [])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("Why rise?", "too_short", id="two words"),
        pytest.param("word " * 151, "too_long", id="151 words"),
        pytest.param("Tell me about sourdough bread.", "too_similar", id="the seed again"),
        pytest.param("Why does the bread rise?", "too_similar", id="a sister again"),
        pytest.param("Summarise the following text:", "unfinished", id="unfinished"),
        pytest.param("Draw me a loaf of bread.", "blacklisted", id="blacklisted"),
    ],
)
def test_a_refused_query_is_a_loss_with_its_reason(query: str, reason: str) -> None:
    row = a_row(instruction="Tell me about sourdough bread.")
    rows = run(row, [f"{THREE[0]}\n{query}"], blacklist=("draw",))
    assert [child["instruction"] for child in rows] == THREE[:1]
    assert [(loss.kind, loss.reason, loss.raw) for loss in row.losses] == [("filtered", reason, query.strip())]


def test_more_queries_than_asked_for_are_surplus() -> None:
    row = a_row(instruction="Bread.")
    assert len(run(row, ["\n".join(THREE)], queries=2)) == 2
    assert [loss.reason for loss in row.losses] == ["surplus"]


def test_trap_repeated_queries_in_a_script_without_spaces_are_found() -> None:
    row = a_row(instruction="介绍一下上海的历史。")
    rows = run(row, ["请写一首关于月亮的诗。\n请写一首关于月亮的诗！\n为什么天空是蓝色的？"])
    assert [child["instruction"] for child in rows] == ["请写一首关于月亮的诗。", "为什么天空是蓝色的？"]
    assert [loss.reason for loss in row.losses] == ["too_similar"]


@pytest.mark.parametrize("text", ["", "Sure!", "Why?\nHow?"], ids=["empty", "talk", "all too short"])
def test_a_completion_without_a_usable_query_is_asked_for_again(text: str) -> None:
    row = a_row(instruction="Bread.")
    assert len(run(row, [text, "\n".join(THREE)])) == 3
    assert row.losses == []


def test_no_usable_query_in_any_attempt_is_a_reject() -> None:
    with pytest.raises(Unusable) as loss:
        run(a_row(instruction="Bread."), lambda _: "Why?")
    assert (loss.value.reason, loss.value.detail, loss.value.attempts) == ("no_query", "all refused: too_short", 3)


def test_a_list_cut_by_length_is_used_up_to_its_last_whole_item() -> None:
    cut = Completion(f"{THREE[0]}\n{THREE[1]}\nHow do I keep a star", "length", 10, 20)
    row = a_row(instruction="Bread.")
    rows = run(row, lambda _: cut)
    assert [child["instruction"] for child in rows] == THREE[:2]
    assert [(loss.reason, loss.raw) for loss in row.losses] == [("unfinished", "How do I keep a star")]
    assert len(row.calls) == 1


def test_a_list_cut_at_the_end_of_a_line_loses_nothing() -> None:
    row = a_row(instruction="Bread.")
    assert len(run(row, lambda _: Completion(f"{THREE[0]}\n{THREE[1]}\n", "length", 10, 20))) == 2
    assert row.losses == []


def test_a_cut_list_is_salvaged_with_the_same_request() -> None:
    model = ScriptedModel(lambda _: Completion(f"{THREE[0]}\nHow", "length", 10, 20))
    run(a_row(instruction="Bread."), model)
    first, second = model.requests
    assert first == second, "so that with a ledger it is paid for once"


def test_a_list_cut_in_its_first_item_is_a_reject() -> None:
    with pytest.raises(Unusable, match="no_query"):
        run(a_row(instruction="Bread."), lambda _: Completion("Why does br", "length", 10, 20))


def test_the_last_item_of_a_whole_list_stays_though_it_ends_without_a_stop() -> None:
    queries = queries_of("Name a flour\nName two kinds of oven", context="Bread.", params=SelfInstruct())
    assert [refusal for _, refusal in queries] == [None, None]
