"""Seed files as people have them, through the flows: nothing of them is dropped, and nothing given is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.watch.sample import shown_words
from tasks.models.base import Request
from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, sft
from tests.flows.test_preference_dpo import dpo, judged

CASES = Path(__file__).parents[1] / "data" / "cases"


def said(request: Request) -> str:
    return f"Answer {request.seed % 1000}."


def turns(*texts: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


def published(folder: str = "out") -> list[list[dict[str, Any]]]:
    """The conversations of a dataset, without what a turn has nothing in."""
    rows = pl.read_parquet(f"{folder}/data/train.parquet")["messages"].to_list()
    return [[{name: value for name, value in turn.items() if value is not None} for turn in row] for row in rows]


def rejects(folder: str = "out") -> list[tuple[str, str, str]]:
    frame = pl.read_parquet(f"{folder}/rejects.parquet")
    return list(frame.select("kind", "reason", "detail").iter_rows())


ASKED: dict[str, list[list[dict[str, Any]]]] = {  # what the model is asked, file by file
    "alpaca_input.jsonl": [turns("Sort the words.\n\npear, apple")],
    "answered_conversation.jsonl": [turns("Name a river.", "The Nile.", "And another?")],
    "folder_mixed_types": [turns("First?"), turns("Second?")],
    "typed_parts.jsonl": [turns("How much is 3\nplus 4?")],
    "prompt_completion.jsonl": [],
    "question_answer.jsonl": [],
    "seeds2/nan.jsonl": [turns("Name one river."), turns("Name one lake."), turns("Name one sea.")],
    "seeds2/system-prompt-column.jsonl": [[{"role": "system", "content": "You are a monk."}, *turns("Name one lake.")]],
    "seeds2/dpo-system-column.jsonl": [[{"role": "system", "content": "You are a monk."}, *turns("Name one lake.")]],
    "seeds2/alpaca-history.json": [
        [
            {"role": "system", "content": "You are a geographer."},
            *turns("What is the capital of France?", "Paris.", "And of Italy?", "Rome.", "And of Spain?"),
        ],
        turns("Name one lake."),
    ],
    "seeds2/json_messages.parquet": [
        turns("Where does the Hau river end?"),
        turns("Name a red fruit."),
        [{"role": "system", "content": "Be brief."}, *turns("What is ice?")],
    ],
}
KEPT: dict[str, list[list[dict[str, Any]]]] = {  # what is published beside, as it was given
    "alpaca_input.jsonl": [turns("Name a river.", "The Mekong.")],
    "answered_conversation.jsonl": [turns("Hi, who are you?", "A helper.")],
    "prompt_completion.jsonl": [turns("Name a river.", "The Nile."), turns("Name a lake.", "Baikal.")],
    "question_answer.jsonl": [turns("Name a river.", "The Nile.")],
}


@pytest.mark.parametrize("file", ASKED)
def test_a_seed_file_is_asked_whole_and_given_answers_are_kept(file: str, scripted: Scripted) -> None:
    model = scripted(said)
    summary = sft(recipe="respond", seeds=str(CASES / file))
    asked = [list(request.messages or ()) for request in model.requests]
    assert sorted(asked, key=str) == sorted(ASKED[file], key=str)
    rows = published()
    assert summary["requests"] == len(ASKED[file]) and summary["rows"] == len(rows)
    answered = [
        [{field: turn[field] for field in ("role", "content")} for turn in row[:-1]]
        for row in rows
        if row[-1]["content"].startswith("Answer ")
    ]
    assert sorted(answered, key=str) == sorted(asked, key=str)
    assert [row for row in rows if not row[-1]["content"].startswith("Answer ")] == KEPT.get(file, [])
    expected = [("filtered", "unsupported_content")] if file == "typed_parts.jsonl" else []
    assert [(kind, reason) for kind, reason, _ in rejects()] == expected


@pytest.mark.parametrize("file", ["answered_conversation.jsonl", "prompt_completion.jsonl", "question_answer.jsonl"])
def test_given_answers_are_asked_anew_where_they_are_not_kept(file: str, scripted: Scripted) -> None:
    scripted(said)
    summary = sft(recipe="respond", seeds=str(CASES / file), text_generation={"keep_responses": False})
    assert summary["requests"] == summary["rows"] == len((CASES / file).read_text().splitlines())
    assert all(row[-1]["content"].startswith("Answer ") for row in published())


def test_a_bad_line_ends_the_run_or_is_a_reject_with_file_line_and_reason(scripted: Scripted) -> None:
    from tasks.errors import ConfigError

    model = scripted(said)
    file = str(CASES / "one_bad_line.jsonl")
    with pytest.raises(ConfigError, match="line 2"):
        sft(recipe="respond", seeds=file)
    assert model.requests == []
    summary = sft(recipe="respond", seeds=file, bad_seeds="reject")
    assert (summary["rows"], summary["rejects"], summary["requests"]) == (2, 2, 2)
    assert [(kind, reason) for kind, reason, _ in rejects()] == [("filtered", "bad_seed")] * 2
    assert [f"{file} line {line}" in detail for line, (_, _, detail) in zip((2, 3), rejects(), strict=True)] == [
        True
    ] * 2


def test_a_night_does_not_tell_again_of_the_seeds_that_it_refused(scripted: Scripted) -> None:
    scripted(said)
    file = Path("seeds.jsonl")
    lines = (CASES / "one_bad_line.jsonl").read_text().splitlines()
    file.write_text("\n".join(lines))
    options: dict[str, Any] = {"recipe": "respond", "seeds": str(file), "bad_seeds": "reject", "incremental": True}
    assert sft(**options)["rows"] == 2
    assert sft(**options)["revision"] == 1, "nothing is new"
    file.write_text("\n".join([*lines, '{"instruction": "One more?"}']))
    again = sft(**options)
    assert (again["rows"], again["rejects"], again["revision"]) == (3, 2, 2)


UNUSED = {
    "seeds2/own-columns.json": "id, score",
    "seeds2/nan.jsonl": "score",
    "seeds2/json_messages.parquet": "",
    "alpaca_input.jsonl": "",
    "preference_conversations.jsonl": "rejected",
}


@pytest.mark.parametrize(("file", "said_of_it"), UNUSED.items(), ids=UNUSED)
def test_what_is_not_used_of_a_seed_file_is_told_in_one_line(file: str, said_of_it: str, scripted: Scripted) -> None:
    scripted(said)
    lines: list[str] = []
    with heard(lines.append):
        sft(recipe="respond", seeds=str(CASES / file))
    about = [line for line in lines if file in line]
    assert about == ([f"{CASES / file} holds what is not used: {said_of_it}"] if said_of_it else [])


def test_tool_turns_are_asked_and_published_as_they_are(scripted: Scripted, tmp_path: Path) -> None:
    from datasets import load_dataset

    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    talk, plain = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    Path("seeds.json").write_text(json.dumps([talk | {"tools": tools}, plain]))
    model = scripted(said)
    assert sft(recipe="respond", seeds="seeds.json")["rows"] == 2
    asked = {len(request.messages or ()): request for request in model.requests}
    whole = talk["messages"]
    assert list(asked[3].messages or ()) == [whole[0], {**whole[1], "content": ""}, whole[2]]
    assert [json.loads(asked[3].tools or ""), asked[1].tools] == [tools, None]
    unanswered = [{name: value for name, value in turn.items() if value is not None} for turn in whole]
    assert published()[0][:3] == unanswered and published()[0][3]["role"] == "assistant"
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert json.loads(loaded[0]["tools"]) == tools and loaded[1]["tools"] is None
    assert sft(recipe="respond", seeds="seeds.json")["requests"] == 0


def test_a_call_of_a_tool_is_shown_as_one() -> None:
    talk = json.loads((CASES / "tool_turns.jsonl").read_text().splitlines()[0])["messages"]
    assert [shown_words(turn) for turn in talk] == ["What is the weather in Hue?", 'weather({"city":"Hue"})', "31 C"]


def test_tool_turns_without_tools_are_answered_as_well(scripted: Scripted) -> None:
    scripted(said)
    assert sft(recipe="respond", seeds=str(CASES / "tool_turns.jsonl"))["rows"] == 2
    assert [turn["role"] for turn in published()[0]] == ["user", "assistant", "tool", "assistant"]


def test_rows_with_tools_join_a_dataset_without(scripted: Scripted) -> None:
    scripted(said)
    sft(recipe="respond", seeds=["Plain?"], incremental=True)
    sft(recipe="respond", seeds=str(CASES / "tool_turns.jsonl"), incremental=True)
    assert [len(row) for row in published()] == [2, 4, 2]
    sft(recipe="respond", seeds=["Plain again?"], incremental=True)
    assert [len(row) for row in published()] == [2, 4, 2, 2]


def test_marks_on_turns_go_through_to_the_dataset(scripted: Scripted) -> None:
    """A user's turn is trained on only where it is marked so."""
    scripted(said)
    marked = json.loads((CASES / "seeds2/turn-weights.jsonl").read_text())["messages"]
    sft(recipe="respond", seeds=[{"messages": marked}, {"messages": [*marked[:2], {**marked[2], "train": True}]}])
    [row] = published()  # a mark that a turn is trained on is no part of what a seed is: the second is a duplicate
    assert [turn["train"] for turn in row] == [False, False, False, True]
    sft(recipe="respond", seeds=[{"messages": [{**marked[2], "train": True}]}], out="user")
    assert [[turn["train"] for turn in row] for row in published("user")] == [[True, True]]


def test_an_answer_that_is_not_to_be_trained_on_is_asked_for_anew_where_answers_are_not_kept(
    scripted: Scripted,
) -> None:
    scripted(said)
    bad = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Bad.", "weight": 0}]}
    options: dict[str, Any] = {"recipe": "respond", "seeds": [bad, "More?"]}
    assert sft(**options)["rows"] == 1 and rejects()[0][1] == "not_to_train_on"
    assert sft(**options, text_generation={"keep_responses": False}, out="anew")["rows"] == 2


def test_the_name_of_a_user_is_published_and_not_sent(scripted: Scripted) -> None:
    model = scripted(said)
    asked = {"role": "user", "content": "Name a red fruit.", "name": "ana"}
    sft(recipe="respond", seeds=[{"messages": [asked]}])
    assert (
        published()[0][0] == asked and "tool_calls" not in pl.read_parquet("out/data/train.parquet")["messages"][0][0]
    )
    assert list(model.requests[0].messages or ()) == turns("Name a red fruit.")


@pytest.mark.parametrize("format_", ["dpo", "reward", "kto", "sharegpt"])
def test_tool_turns_stand_whole_in_the_prompt_of_a_pair(format_: str, scripted: Scripted) -> None:
    model = scripted(judged)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    talk, plain = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    Path("talks.json").write_text(json.dumps([talk | {"tools": tools}, plain | {"tools": tools}]))
    assert dpo(recipe="basic", instructions="talks.json", format=format_, seed=3)["rows"] in (2, 4)
    called = [{**turn, "content": turn["content"] or ""} for turn in talk["messages"]]
    asked = [list(r.messages or ()) for r in model.requests if r.tools]
    assert asked == [called, called], "a conversation is answered with the tools that it calls"
    assert json.loads(next(r.tools for r in model.requests if r.tools) or "") == tools
    judges = [
        r.messages[-1]["content"]
        for r in model.requests
        if r.messages and "Rating: a number" in r.messages[-1]["content"]
    ]
    assert any('assistant: weather({"city":"Hue"})\ntool: 31 C' in text for text in judges)
    rows = pl.read_parquet("pairs/data/train.parquet")
    assert [json.loads(one) if one else None for one in rows["tools"]] in ([tools, None], [tools, tools, None, None])
    if format_ == "dpo":
        prompt = [{name: value for name, value in turn.items() if value is not None} for turn in _prompts("pairs")[0]]
        assert prompt == called
    elif format_ in ("reward", "binarized"):
        assert [turn["role"] for turn in rows["chosen"][0]] == ["user", "assistant", "tool", "assistant"]


def test_a_conversation_that_ends_with_a_call_is_no_prompt_of_a_pair(scripted: Scripted) -> None:
    scripted(judged)
    talk = json.loads((CASES / "tool_turns.jsonl").read_text().splitlines()[0])["messages"]
    summary = dpo(recipe="basic", instructions=[{"messages": talk[:2]}, "Name a river."])
    assert ("filtered", "tool_turns") in [(kind, reason) for kind, reason, _ in rejects("pairs")]
    assert summary["rows"] + summary["rejects"] == 2


def test_pairs_with_tools_join_a_dataset_without(scripted: Scripted) -> None:
    scripted(judged)
    options: dict[str, Any] = {"recipe": "basic", "incremental": True, "seed": 3}
    dpo(instructions=["Plain?", "More?", "Again?"], **options)
    before = pl.read_parquet("pairs/data/train.parquet").height
    dpo(instructions=str(CASES / "tool_turns.jsonl"), **options)
    assert pl.read_parquet("pairs/data/train.parquet").height > before > 0


def test_preference_conversations_become_a_pool_and_pairs(scripted: Scripted) -> None:
    model = scripted(judged)
    file = str(CASES / "preference_conversations.jsonl")
    dpo(recipe="basic", instructions=file, model_pool={"keep_responses": True}, pair={"min_margin": 0})
    written = [r for r in model.requests if r.messages and "Rating: a number" not in r.messages[-1]["content"]]
    assert written == [], "both responses were given"
    prompts = {tuple(turn["content"] for turn in row) for row in _prompts("pairs")}
    assert prompts <= {
        ("How much is 3 plus 4?",),
        ("How much is 5 plus 4?",),
        ("Name a river.", "The Nile.", "Its length?"),
    }
    pool = [json.loads(reject[3]) for reject in _inputs("pairs")]
    answers = {
        *(
            turn[0]["content"]
            for side in ("chosen", "rejected")
            for turn in pl.read_parquet("pairs/data/train.parquet")[side]
        ),
        *(response["text"] for row in pool for response in row["responses"]),
    }
    assert answers == {"7", "8", "9", "About 6,650 km.", "Long."}


def _prompts(folder: str) -> list[Any]:
    return pl.read_parquet(f"{folder}/data/train.parquet")["prompt"].to_list()


def _inputs(folder: str) -> list[Any]:
    return list(pl.read_parquet(f"{folder}/rejects.parquet").select("kind", "reason", "detail", "input").iter_rows())


@pytest.mark.parametrize("file", ["dpo-system-column.jsonl", "system-prompt-column.jsonl"])
def test_a_system_column_is_said_in_a_preference_run_too(file: str, scripted: Scripted) -> None:
    model = scripted(judged)
    dpo(recipe="basic", instructions=str(CASES / "seeds2" / file))
    asked = [
        list(r.messages or ())
        for r in model.requests
        if r.messages and "Rating: a number" not in r.messages[-1]["content"]
    ]
    monk = {"role": "system", "content": "You are a monk."}
    assert asked == [[monk, *turns("Name one lake.")]] * 2
    for prompt in _prompts("pairs"):
        assert prompt == [monk, *turns("Name one lake.")]
