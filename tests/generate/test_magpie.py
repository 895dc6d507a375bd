import asyncio
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import ConfigError, Unusable
from tasks.generate.magpie import Magpie, magpie, user_turn
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of


def talking(request: Request) -> str:
    """Writes a user's turn when it is shown raw text, an answer when it is asked."""
    if request.prompt is not None:
        return f"What is number {request.prompt.count('<|im_start|>user')}?\n"
    return f"It is {len(request.messages or ())}."


def run(row: Row, model: Any = talking, **params: Any) -> Row:
    [child] = asyncio.run(magpie(row, models_of(model), Magpie(**params)))
    return child


def test_the_model_is_shown_nothing_but_the_start_of_a_user_s_turn() -> None:
    model = ScriptedModel(talking)
    row = run(a_row(number=1), model)
    assert (row["instruction"], row["system"]) == ("What is number 1?", "")
    assert row["messages"] == [{"role": "user", "content": "What is number 1?"}]
    [request] = model.requests
    assert (request.prompt, request.messages) == ("<|im_start|>user\n", None), "raw text, not through a chat endpoint"
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p) == (1.0, 1.0)
    assert sampling.stop == ("\n", "<|im_end|>", "<|im_start|>")


def test_the_stop_at_a_newline_can_be_turned_off() -> None:
    model = ScriptedModel(lambda _: "Sort this list:\n3\n1")
    assert run(a_row(number=1), model, stop_at_newline=False)["instruction"] == "Sort this list:\n3\n1"
    assert "\n" not in model.requests[0].sampling.stop


def test_a_user_s_own_stop_strings_are_added() -> None:
    model = ScriptedModel(talking)
    run(a_row(number=1), model, sampling={"stop": ["###"], "temperature": 0.8})
    assert model.requests[0].sampling.stop[-1] == "###" and model.requests[0].sampling.temperature == 0.8


def test_several_turns_are_a_conversation_that_ends_with_the_user() -> None:
    model = ScriptedModel(talking)
    row = run(a_row(number=1), model, turns=3, system="You teach.")
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("user", "What is number 1?"),
        ("assistant", "It is 2."),
        ("user", "What is number 2?"),
        ("assistant", "It is 4."),
        ("user", "What is number 3?"),
    ]
    assert (row["instruction"], row["system"]) == ("What is number 3?", "You teach.")
    second = model.requests[2].prompt or ""
    assert second.startswith("<|im_start|>system\nYou teach.<|im_end|>\n<|im_start|>user\nWhat is number 1?<|im_end|>")
    assert second.endswith("<|im_start|>assistant\nIt is 2.<|im_end|>\n<|im_start|>user\n")


def test_answers_are_greedy_and_may_have_several_lines() -> None:
    model = ScriptedModel(talking)
    run(a_row(number=1), model, turns=2, system="You teach.")
    answer = model.requests[1]
    assert (answer.sampling.temperature, answer.sampling.stop) == (0, ())
    assert [m["role"] for m in answer.messages or ()] == ["system", "user"]


def test_the_responder_answers_where_there_is_one() -> None:
    responder = ScriptedModel(lambda _: "By the other.")
    models = models_of(talking, responder=responder)
    [row] = asyncio.run(magpie(a_row(number=1), models, Magpie(turns=2)))
    assert row["messages"][1]["content"] == "By the other." and len(responder.requests) == 1


def test_each_turn_has_a_seed_of_its_own() -> None:
    model = ScriptedModel(talking)
    row = run(a_row(number=1), model, turns=3)
    assert len({request.seed for request in model.requests}) == 5
    assert row.parents == (a_row(number=1).row_id,)


def test_trap_weights_of_system_prompts_need_not_sum_to_one() -> None:
    drawn = Counter(run(a_row(number=n), systems={"a": 0.75, "b": 0.5})["system"] for n in range(400))
    assert set(drawn) == {"a", "b"} and 200 < drawn["a"] < 280


def test_a_row_may_bring_its_own_system_prompt() -> None:
    assert run(a_row(number=1, system="You cook."))["system"] == "You cook."


def test_trap_no_second_begin_of_text_is_asked_for() -> None:
    model = ScriptedModel(talking)
    model.template.apply_chat_template = lambda conversation, **_: (  # type: ignore[method-assign]
        "<s>" + "".join(f"[INST]{m['content']}[/INST]" for m in conversation)
    )
    run(a_row(number=1), model)
    assert model.requests[0].prompt == "<s>[INST]"


def test_a_template_that_refuses_a_system_prompt_stops_the_run() -> None:
    model = ScriptedModel(talking)

    def gemma(conversation: Any, **_: Any) -> str:
        if conversation[0]["role"] == "system":
            raise ValueError("System role not supported")
        return "".join(f"<start_of_turn>{m['role']}\n{m['content']}<end_of_turn>\n" for m in conversation)

    model.template.apply_chat_template = gemma  # type: ignore[method-assign]
    assert run(a_row(number=1), model)["instruction"].startswith("What")
    with pytest.raises(ConfigError, match="System role not supported"):
        run(a_row(number=1), model, system="You teach.")


def test_an_unusable_turn_is_asked_for_again_and_then_rejected() -> None:
    assert run(a_row(number=1), ["", "How can I help you today?", "What is rust?"])["instruction"] == "What is rust?"
    with pytest.raises(Unusable) as loss:
        run(a_row(number=1), lambda _: "How may I assist you?")
    assert (loss.value.reason, loss.value.attempts) == ("greeting", 3)


def test_a_turn_cut_by_length_is_rejected() -> None:
    with pytest.raises(Unusable, match="truncated"):
        run(a_row(number=1), lambda _: Completion("What is", "length", 1, 2))


@pytest.mark.parametrize(
    "text",
    [
        "What is rust?",
        "  What is rust?\n\n",
        "What is <b>rust</b>?",
        "Why is a < b and b > a?",
        "if x <y then z> w, what then?",
        "Fill in: [NAME] met [OTHER].",
        "Translate: <unknown> word",
        "What does the user want?",
        "Print a | b |> c in R.",
        "How can I help my son sleep?",
        "I'm here to help my mother move, and her lift is broken. Whom do I call?",
        "介绍一下上海的历史",
    ],
)
def test_what_a_user_says_is_kept_as_it_is(text: str) -> None:
    assert user_turn(text, min_words=2) == text.strip()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" \n ", "empty", id="blank"),
        pytest.param("Hi", "too_short", id="one word"),
        pytest.param("word " * 501, "too_long", id="501 words"),
        pytest.param("What is rust?<|im_end|>", "special_tokens", id="ChatML token"),
        pytest.param("What is rust?<|eot_id|><|start_header_id|>", "special_tokens", id="Llama token"),
        pytest.param("What is rust? <|turn>model", "special_tokens", id="Gemma 4 token"),
        pytest.param("What is rust?<turn|>", "special_tokens", id="Gemma 4 end"),
        pytest.param("What is rust?<｜Assistant｜>", "special_tokens", id="DeepSeek token"),
        pytest.param("What is rust? [/INST] Iron oxide.", "special_tokens", id="Mistral token"),
        pytest.param("What is rust?</s>", "special_tokens", id="end of text"),
        pytest.param("<<SYS>> You teach. <</SYS>> Hello", "special_tokens", id="Llama 2 system"),
        pytest.param("What is rust?<end_of_turn>", "special_tokens", id="Gemma token"),
        pytest.param(
            "What is rust?\nassistant\n\nIron oxide.", "special_tokens", id="a header whose tokens were skipped"
        ),
        pytest.param("user\nWhat is rust?", "special_tokens", id="the user's header"),
        pytest.param("Hello! How can I assist you today?", "greeting", id="trap: the model greets"),
        pytest.param("What can I help you with?", "greeting", id="another greeting"),
        pytest.param(
            "Hello, I'm here to help you craft an essay. What is it about?", "greeting", id="of a small model"
        ),
    ],
)
def test_what_no_user_would_send_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as loss:
        user_turn(text, min_words=2)
    assert loss.value.reason == reason


def test_the_number_of_turns_is_drawn_where_there_is_a_least_one() -> None:
    found = Counter(len(run(a_row(number=n), turns=3, min_turns=1)["messages"]) // 2 + 1 for n in range(60))
    assert set(found) == {1, 2, 3} and min(found.values()) > 8
    with pytest.raises(ValidationError, match="above turns"):
        Magpie(turns=1, min_turns=2)
    assert "min_turns" not in Magpie().model_dump(), "so that rows keep the ids that they had"
