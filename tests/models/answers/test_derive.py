"""The answer format of 43 chat templates, against what the templates write."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.models.answers.derive import derive
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat, Block, Parsed
from tests.models.answers.templates import PLAIN, TEMPLATES, tokenizer, with_template

REASONED = [name for name in PLAIN if "R2R" in TEMPLATES[name]["sft_rendering"]]
END = {  # the first token after an assistant's turn
    "Apriel-1.6-15b-Thinker-fixed": "<|end|>",
    "Bielik-11B-v3.0-Instruct": "<|im_end|>",
    "ByteDance-Seed-OSS": "<seed:eos>",
    "GLM-4.7-Flash": "<|user|>",
    "GigaChat3-10B-A1.8B": "<|message_sep|>",
    "GigaChat3.1-10B-A1.8B": "<|message_sep|>",
    "Kimi-K2-Thinking": "<|im_end|>",
    "Kimi-K3": "<|close|>",
    "LFM2-8B-A1B": "<|im_end|>",
    "LFM2.5-Instruct": "<|im_end|>",
    "MiniMax-M1": "<end_of_sentence>",
    "MiniMax-M2": "[e~[",
    "Mistral-Small-3.2-24B-Instruct-2506": "<EOS>",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "<|im_end|>",
    "NVIDIA-Nemotron-Nano-v2": "<SPECIAL_12>",
    "Qwen-QwQ-32B": "<|im_end|>",
    "Qwen-Qwen3-0.6B": "<|im_end|>",
    "Qwen3-Coder": "<|im_end|>",
    "Qwen3.5-4B": "<|im_end|>",
    "Reka-Edge": "<sep>",
    "Spark2.5": "<｜end▁of▁sentence｜>",
    "StepFun3.5-Flash": "<|im_end|>",
    "deepseek-ai-DeepSeek-V3.1": "<｜end▁of▁sentence｜>",
    "deepseek-ai-DeepSeek-V3.2": "<｜end▁of▁sentence｜>",
    "deepseek-ai-DeepSeek-V4": "<｜end▁of▁sentence｜>",
    "deepseek-ai-DeepSeek-V4-Flash-0731": "<｜end▁of▁sentence｜>",
    "google-gemma-2-2b-it": "<end_of_turn>",
    "google-gemma-4-31B-it": "<turn|>",
    "ibm-granite-granite-3.3-2B-Instruct": "<|end_of_text|>",
    "ibm-granite-granite-4.0": "<|end_of_text|>",
    "ibm-granite-granite-4.1": "<|end_of_text|>",
    "meetkai-functionary-medium-v3.2": "<|eot_id|>",
    "meta-llama-Llama-3.1-8B-Instruct": "<|eot_id|>",
    "meta-llama-Llama-3.2-3B-Instruct": "<|eot_id|>",
    "mistralai-Mistral-Nemo-Instruct-2407": "<EOS>",
    "moonshotai-Kimi-K2": "<|im_end|>",
    "openai-gpt-oss-120b": "<|return|>",
    "poolside-Laguna-XS.2": "</assistant>",
    "unsloth-mistral-Devstral-Small-2507": "<EOS>",
    "upstage-Solar-Open-100B": "<|end|>",
}
UNTHOUGHT = {  # where the reasoning is known from, of templates that render none as a trainer does
    "Reka-Edge": "chat_template",  # with enable_thinking
    "deepseek-ai-DeepSeek-V3.2": "chat_template",
    "deepseek-ai-DeepSeek-V4": "chat_template",
    "deepseek-ai-DeepSeek-V4-Flash-0731": "chat_template",
} | dict.fromkeys(
    [
        "GigaChat3-10B-A1.8B",
        "GigaChat3.1-10B-A1.8B",
        "LFM2-8B-A1B",
        "LFM2.5-Instruct",
        "MiniMax-M1",
        "Mistral-Small-3.2-24B-Instruct-2506",
        "NVIDIA-Nemotron-Nano-v2",
        "Qwen-QwQ-32B",
        "Qwen3-Coder",
        "deepseek-ai-DeepSeek-V3.1",
        "google-gemma-2-2b-it",
        "google-gemma-4-31B-it",
        "ibm-granite-granite-3.3-2B-Instruct",
        "ibm-granite-granite-4.0",
        "ibm-granite-granite-4.1",
        "meetkai-functionary-medium-v3.2",
        "meta-llama-Llama-3.1-8B-Instruct",
        "meta-llama-Llama-3.2-3B-Instruct",
        "mistralai-Mistral-Nemo-Instruct-2407",
        "moonshotai-Kimi-K2",
        "unsloth-mistral-Devstral-Small-2507",
    ],
    "table",
)


def test_the_tables_hold_every_template_that_renders_plain_chats() -> None:
    assert len(PLAIN) == 40 and len(REASONED) == 15
    assert set(END) == set(PLAIN)
    assert set(UNTHOUGHT) == set(PLAIN) - set(REASONED)


@pytest.mark.parametrize("name", PLAIN)
def test_generation_prompt_and_end_of_turn_are_those_that_the_template_writes(name: str) -> None:
    derived = derive(tokenizer(name))
    assert derived.prompt == TEMPLATES[name]["generation_prompt"]
    assert derived.ends[0] == END[name]
    after = TEMPLATES[name]["sft_rendering"].rpartition("A2A")[2].strip()
    between = TEMPLATES[name]["sft_rendering"].partition("AAA")[2].strip()
    assert (after or between).startswith(END[name]), "as the facts have it"


def written(name: str) -> tuple[str, str]:
    """What a model of this template writes in the last turn as far as the answer, and the prompt before it.

    A prompt that writes what the turn does not (or closes the reasoning before it begins) is that of the turn.
    """
    prompt = TEMPLATES[name]["generation_prompt"]
    turn = TEMPLATES[name]["sft_rendering"].rpartition("Q2Q")[2]
    if turn.startswith(prompt):
        return turn.removeprefix(prompt), prompt
    at = turn.index("R2R")
    return turn[at:], prompt if name.startswith("Apriel") else turn[:at]


@pytest.mark.parametrize("name", REASONED)
def test_the_reasoning_that_a_template_writes_is_told_from_the_answer(name: str) -> None:
    derived, (text, prompt) = derive(tokenizer(name)), written(name)
    text = text.partition("A2A")[0] + "A2A"
    assert derived.source == "chat_template"
    assert derived.parse(text, prompt) == Parsed("A2A", "R2R")
    assert derived.parse_served(text) == Parsed("A2A", "R2R")


@pytest.mark.parametrize("name", REASONED)
def test_no_token_inside_a_turn_is_one_that_always_ends_it(name: str) -> None:
    derived, (text, _) = derive(tokenizer(name)), written(name)
    inside = text.partition("A2A")[0]
    assert not [end for end in derived.ends if end in inside and end not in derived.inside]


@pytest.mark.parametrize("name", UNTHOUGHT)
def test_the_source_of_every_other_format_is_named(name: str) -> None:
    derived = derive(tokenizer(name))
    assert derived.source == UNTHOUGHT[name]
    assert derived.parse("<think>\nR2R\n</think>\n\nA2A") == Parsed("A2A", "R2R")


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name not in PLAIN])
def test_a_template_for_tools_alone_tells_nothing(name: str) -> None:
    assert derive(tokenizer(name)) == AnswerFormat(
        KNOWN.blocks, KNOWN.openings, KNOWN.closings, KNOWN.tags, KNOWN.restarts
    )


def test_an_answer_that_is_opened_by_its_addressee_loses_that_line() -> None:
    derived = derive(tokenizer("meetkai-functionary-medium-v3.2"))
    assert derived.parse("all\nIt is four.").text == "It is four."
    assert derived.parse("allow it").text == "allow it"


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ("<a>{{ m.thinking }}</a>{{ m.content }}", Block("<a>", "</a>")),
        (
            "<|to|>self<|said|>{{ m.reasoning }}<|over|><|to|>user<|said|>{{ m.content }}<|over|>",
            Block("<|to|>self<|said|>", "<|over|>"),
        ),
        ("Thinking:\n{{ m.reasoning_content }}\nAnswer:\n{{ m.content }}", Block("Thinking:", "Answer:", sure=False)),
    ],
    ids=["another tag", "channels named by recipient", "words"],
)
def test_a_format_that_nobody_has_seen_before_is_read_from_its_template(source: str, block: Block) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}[U]{{ m.content }}{% else %}[A]"
        + "{% if m.thinking or m.reasoning or m.reasoning_content %}"
        + source
        + "{% else %}{{ m.content }}{% endif %}[E]{% endif %}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}"
    )
    assert derive(with_template(template)).blocks[0] == block


GEMMA = {
    "start_anchor": "<|turn>model\n",
    "fields": {
        "thinking": {"open": "<|channel>thought\n", "close": "<channel|>", "content": "text"},
        "content": {"close_pattern": r"<turn\|>|$", "content": "text"},
    },
}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<|channel>thought\nR2R\n<channel|>A2A", Parsed("A2A", "R2R")),
        ("A2A", Parsed("A2A", None)),
    ],
)
def test_the_response_template_of_a_checkpoint_comes_first(text: str, parsed: Any) -> None:
    with_own = with_template(TEMPLATES["google-gemma-4-31B-it"]["chat_template"])
    with_own.response_template = GEMMA
    derived = derive(with_own)
    assert derived.source == "response_template"
    assert derived.parse(text, "<|turn>model\n") == parsed
    assert derived.parse_served(text) == parsed


def test_the_response_template_is_given_the_prompt_that_opens_the_reasoning() -> None:
    with_own = with_template(TEMPLATES["Qwen3.5-4B"]["chat_template"])
    with_own.response_template = {
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "reasoning_content": {"open": "<think>\n", "close_pattern": r"\s*</think>\s*", "content": "text"},
            "content": {"content": "text"},
        },
    }
    derived = derive(with_own)
    assert derived.parse("R2R\n</think>\n\nA2A", derived.prompt) == Parsed("A2A", "R2R")
    assert derived.parse_served("A2A, whose reasoning the server took out").reasoning is None
