"""What is told of a row: against the facts of 43 chat templates, and against rows with one fault each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.models.target import Target
from tasks.publish.trainers.example import example_of, example_shape
from tasks.publish.trainers.facts import Facts, RowFacts
from tasks.publish.trainers.trl import Trl
from tests.models.answers.templates import TEMPLATES
from tests.models.answers.test_derive import END
from tests.models.tiny import CHATML, tiny_tokenizer
from tests.publish.trainers.rows import TOOL

FILE = Path(__file__).parents[2] / "data/chat_templates_2026/facts.jsonl"
FACTS = [json.loads(line) for line in FILE.read_text().splitlines()]
NAMES = [fact["name"] for fact in FACTS]
ASKED, SAID = {"role": "user", "content": "QQQ"}, {"role": "assistant", "content": "AAA"}

ENDS = END | {
    "CohereForAI-c4ai-command-r-plus-tool_use": "<|END_OF_TURN_TOKEN|>",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "<|im_end|>",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "<|im_end|>",
}
ONLY_BEFORE_AN_ANSWER = ("mistralai-Mistral-Nemo-Instruct-2407",)
"""They write the system message before the user's turn where that is the last one: into a prompt, and never into a whole."""


def target(template: str = CHATML, ends: tuple[str, ...] = ("<|im_end|>",)) -> Target:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", *ends]})
    ids = frozenset(tokenizer.convert_tokens_to_ids(end) for end in ends)
    return Target("tiny", tokenizer, ids, "")


def facts(record: dict[str, Any], of: Target, **options: Any) -> RowFacts:
    example = example_of("0", record, example_shape(record, "a row"))
    return Facts(of).of_row(list(Trl(of, **{"max_length": None} | options).see([example])))


def of_talk(fact: dict[str, Any], *turns: dict[str, Any]) -> RowFacts:
    made = target(TEMPLATES[fact["name"]]["chat_template"], (ENDS[fact["name"]],))
    return facts({"messages": list(turns), "tools": [TOOL] if fact.get("needs_tools") else None}, made)


@pytest.mark.parametrize("fact", FACTS, ids=NAMES)
def test_reasoning_and_end_are_told_as_the_template_has_them(fact: dict[str, Any]) -> None:
    earlier, last = (dict.fromkeys(("reasoning_content", "reasoning"), text) for text in ("RRR", "R2R"))
    asked_again = {"role": "user", "content": "Q2Q"}
    row = of_talk(fact, ASKED, SAID | earlier, asked_again, {"role": "assistant", "content": "A2A"} | last)
    shown = [turn["reasoning"] for turn in row.sequences[0]["turns"]]
    kept = ["kept" if fact[f"{which}_reasoning_kept"] else "dropped" for which in ("earlier", "last")]
    assert (shown, row.fate) == (["none", kept[0], "none", kept[1]], "whole")
    assert ("reasoning_gone" in row.faults) is ("dropped" in kept)
    assert ("no_end" not in row.faults) is fact["ends_last_assistant_turn"]


@pytest.mark.parametrize("fact", FACTS, ids=NAMES)
def test_spaces_and_system_messages_are_told_as_the_template_has_them(fact: dict[str, Any]) -> None:
    spaced = of_talk(fact, ASKED | {"content": "  QQQ \n"}, SAID | {"content": " \n AAA  "})
    assert (spaced.sequences[0]["turns"][0]["shown"] == "stripped") is bool(fact["strips_content"])
    system = of_talk(fact, {"role": "system", "content": "SYS"}, ASKED, SAID)
    told = "shown" if not {"refused", "system_gone"} & set(system.faults) else "not"
    assert told == ("shown" if fact["system_shown"] and fact["name"] not in ONLY_BEFORE_AN_ANSWER else "not")
    middle = of_talk(fact, ASKED, SAID, {"role": "system", "content": "SYS"}, {"role": "user", "content": "Q2Q"}, SAID)
    gone = "dropped" if "system_gone" in middle.faults else "shown"
    assert ("refused" if middle.fate == "refused" else gone) == fact["system_mid"]


@pytest.mark.parametrize("fact", FACTS, ids=NAMES)
def test_orders_of_turns_are_refused_as_the_template_refuses_them(fact: dict[str, Any]) -> None:
    two = of_talk(fact, ASKED, {"role": "user", "content": "Q2Q"}, SAID)
    first = of_talk(fact, {"role": "assistant", "content": "HI"}, ASKED, SAID)
    told = ["refused" if row.fate == "refused" else "rendered" for row in (two, first)]
    assert told == [fact["two_users"], fact["assistant_first"]]


@pytest.mark.parametrize("name", [fact["name"] for fact in FACTS if fact.get("needs_tools")])
def test_a_template_that_asks_for_tools_refuses_a_row_without(name: str) -> None:
    row = facts({"messages": [ASKED, SAID]}, target(TEMPLATES[name]["chat_template"], (ENDS[name],)))
    assert row.faults == ("refused",) and "not iterable" in row.why


LONG = "a preserve of quinces " * 40
NO_END = CHATML.replace("{{ m.content }}<|im_end|>\n", "{{ m.content }}\n")
WITHOUT_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)
OPENS_THOUGHT = CHATML + "{% if add_generation_prompt %}<think>{% endif %}"
PAIR = {"prompt": [ASKED], "chosen": [SAID], "rejected": [SAID | {"content": "BBB"}]}


@pytest.mark.parametrize(
    ("record", "template", "length", "faults"),
    [
        ({"messages": [ASKED, SAID]}, CHATML, None, {"prompts_trained"}),
        ({"prompt": [ASKED], "completion": [SAID]}, CHATML, None, set()),
        ({"prompt": [ASKED], "completion": [SAID]}, OPENS_THOUGHT, None, {"prompt_is_no_prefix"}),
        ({"prompt": [ASKED], "completion": [SAID | {"content": LONG}]}, CHATML, 64, {"answer_cut"}),
        ({"prompt": [ASKED | {"content": LONG}], "completion": [SAID]}, CHATML, 64, {"dropped"}),
        ({"prompt": [ASKED], "completion": [SAID]}, NO_END, None, {"no_end"}),
        (
            {"prompt": [ASKED], "completion": [SAID | {"content": "an <|im_end|> in it"}]},
            CHATML,
            None,
            {"control_tokens"},
        ),
        (
            {"prompt": [{"role": "system", "content": "S"}, ASKED], "completion": [SAID]},
            WITHOUT_SYSTEM,
            None,
            {"system_gone"},
        ),
        ({"messages": [ASKED, SAID, ASKED]}, CHATML, None, {"prompts_trained", "last_turn_is_no_answer"}),
        ({"text": "<|endoftext|>text"}, CHATML, None, {"first_token_twice", "control_tokens"}),
        ({"text": "text"}, CHATML, None, set()),
        ({"prompt": "2 + 2 =", "completion": " 4"}, CHATML, None, set()),
        ({"prompt": "2 + 2 =", "completion": " 4", "text": "2 + 2 = 4"}, CHATML, None, {"end_beside"}),
        ({"prompt": "2 + 2 =", "completion": " 4", "text": "2 + 2 = 4<|endoftext|>"}, CHATML, None, set()),
        (PAIR, CHATML, None, set()),
        (PAIR | {"rejected": [SAID]}, CHATML, None, {"sides_alike"}),
        (
            {"chosen": [ASKED, SAID | {"content": LONG + "a"}], "rejected": [ASKED, SAID | {"content": LONG + "b"}]},
            CHATML,
            64,
            {"answer_cut", "sides_alike"},
        ),
        ({"messages": [{"role": "system", "content": "refuse"}, ASKED, SAID]}, CHATML, None, {"refused"}),
    ],
)
def test_each_fault_is_told_and_no_other(
    record: dict[str, Any], template: str, length: int | None, faults: set[str]
) -> None:
    made = target(template, ("<|im_end|>", "<|endoftext|>"))
    assert set(facts(record, made, max_length=length).faults) == faults


def test_an_end_that_does_not_stop_a_generation_is_told() -> None:
    made = target(CHATML, ("<|endoftext|>",))
    assert facts({"prompt": [ASKED], "completion": [SAID]}, made).faults == ("end_is_no_stop",)


def test_an_end_outside_of_the_mark_is_told() -> None:
    marked = CHATML.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}")
    assert "end_not_trained" in facts({"messages": [ASKED, SAID]}, target(marked), loss="assistant").faults


def test_a_call_without_a_content_is_told_in_our_words() -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    joins = CHATML.replace("{{ m.content }}", "{{ m.content + '' }}")
    row = facts({"messages": [ASKED, call, SAID]}, target(joins))
    assert row.faults == ("refused",)
    assert row.why == "turn 2 calls a tool and has no content, and the template asks for one; give it an empty one"


def test_tokens_are_told_by_turn() -> None:
    row = facts({"messages": [ASKED, SAID | {"content": "A" * 7}]}, target())
    (sequence,) = row.sequences
    assert [(turn["role"], turn["tokens"]) for turn in sequence["turns"]] == [("user", 3), ("assistant", 7)]
    assert sequence["kept_loss_tokens"] == sequence["loss_tokens"] == sequence["tokens"] > 10


def test_a_content_that_says_what_the_template_says_is_found_where_it_stands() -> None:
    row = facts({"messages": [ASKED | {"content": "user"}, SAID | {"content": "assistant"}]}, target())
    assert set(row.faults) == {"prompts_trained"}
