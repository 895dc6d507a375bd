"""Answer and reasoning apart, in what a model writes and in what a server sends of it."""

from __future__ import annotations

import pytest

from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import Parsed

FOUR, SUM = "It is four.", "2 + 2 is 4."
HARMONY = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"<think>\n{SUM}\n</think>\n\n{FOUR}", id="think"),
        pytest.param(f"{SUM}\n</think>\n\n{FOUR}", id="think, opened by the prompt"),
        pytest.param(f"<thinking>{SUM}</thinking>{FOUR}", id="thinking"),
        pytest.param(f"[THINK]{SUM}[/THINK]{FOUR}", id="Magistral"),
        pytest.param(f"<seed:think>{SUM}</seed:think>\n{FOUR}", id="Seed-OSS"),
        pytest.param(f"<mm:think>{SUM}</mm:think>{FOUR}", id="MiniMax-M3"),
        pytest.param(f"<think:opensource>{SUM}</think:opensource>{FOUR}", id="Hy3"),
        pytest.param(f"{HARMONY.format(SUM)}<|channel|>final<|message|>{FOUR}", id="gpt-oss"),
        pytest.param(f"analysis{SUM}assistantfinal{FOUR}", id="gpt-oss, its tokens stripped"),
        pytest.param(f"<|channel>thought\n{SUM}\n<channel|>{FOUR}", id="gemma-4"),
        pytest.param(
            f"{SUM}<|close|>think<|sep|><|open|>response<|sep|>{FOUR}<|close|>response<|sep|><|close|>message<|sep|>",
            id="Kimi-K3",
        ),
        pytest.param(f"<|think|>{SUM}<|end|><|begin|>assistant<|content|>{FOUR}", id="Solar Open"),
        pytest.param(
            f"<|START_THINKING|>{SUM}<|END_THINKING|><|START_RESPONSE|>{FOUR}<|END_RESPONSE|>", id="Command A"
        ),
        pytest.param(
            f"<|START_THINKING|>{SUM}<|END_THINKING|><|START_TEXT|>{FOUR}<|END_TEXT|>", id="Command A+, its text"
        ),
        pytest.param(f"{SUM}\n[BEGIN FINAL RESPONSE]\n{FOUR}", id="Apriel, opened by the prompt"),
    ],
)
def test_the_reasoning_of_every_known_family_is_kept_out_of_the_answer(text: str) -> None:
    assert KNOWN.parse_served(text) == Parsed(FOUR, SUM)


@pytest.mark.parametrize(
    "text",
    [
        "write <think> in brackets",
        "write <think> and </think> in brackets",
        "analysis of the sum: four",
        "Here are my reasoning steps:\n1. two\n2. four",
        "  four, indented\n",
        "<response>four</response> is XML",
        "XML: <response>four</response>",
        "",
    ],
)
def test_an_answer_without_reasoning_stays_as_it_is(text: str) -> None:
    parsed = KNOWN.parse(text)
    assert (parsed.text, parsed.reasoning) == (text, None)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (f"</think>\n\n{FOUR}", Parsed(FOUR)),
        (f"<think></think>{FOUR}", Parsed(FOUR)),
        (f"<|channel|>final<|message|>{FOUR}", Parsed(FOUR)),
        (f"<think>{SUM} and so on", Parsed("", f"{SUM} and so on", begun=False)),
        (f"{HARMONY.format('a')}{HARMONY.format('b')}<|channel|>final<|message|>{FOUR}", Parsed(FOUR, "a\n\nb")),
        (f"<think>a</think>\n<think>b</think>{FOUR}", Parsed(FOUR, "a\n\nb")),
        (HARMONY.format("a"), Parsed("", "a", begun=False)),
    ],
    ids=[
        "a closing tag alone",
        "empty block",
        "no reasoning",
        "unfinished",
        "two blocks of gpt-oss",
        "two blocks",
        "not yet at the answer",
    ],
)
def test_what_is_not_there_is_not_made_up(text: str, parsed: Parsed) -> None:
    assert KNOWN.parse(text) == parsed


def test_tags_around_the_answer_come_off_where_the_prompt_asks_for_them() -> None:
    text = f"<think>{SUM}</think>\n<response>{FOUR}</response>"
    prompt = "Write your response between <response></response>."  # Granite 3.3
    assert KNOWN.parse(text, prompt) == Parsed(FOUR, SUM)
    assert KNOWN.parse(text, "Write XML.") == Parsed(f"<response>{FOUR}</response>", SUM)
