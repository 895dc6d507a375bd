import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.models.answers.rendering import rendered
from tasks.models.base import Message
from tasks.models.scripted import PlainTemplate
from tasks.text.pre_query import pre_query, stop_strings

DATA = Path(__file__).parents[1] / "data"


def lines(path: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / path).read_text(encoding="utf-8").strip().split("\n")]


TEMPLATES = {row["name"]: row for row in lines("chat_templates/chat_templates.jsonl")}
EXPECTED = {row["name"]: row["cases"] for row in lines("chat_templates/expected_pre_query.jsonl")}
REFERENCE = {row["model_name"]: row for row in lines("magpie/reference_pre_query.jsonl")}
SYSTEM = "@@SYSTEM@@"
HISTORY: list[Message] = [{"role": "user", "content": "@@U1@@"}, {"role": "assistant", "content": "@@A1@@"}]
CASES: dict[str, tuple[str | None, list[Message]]] = {
    "user": (None, []),
    "system_user": (SYSTEM, []),
    "user_assistant_user": (None, HISTORY),
    "system_user_assistant_user": (SYSTEM, HISTORY),
}


@cache
def tokenizer(name: str) -> Any:
    """A real transformers tokenizer (of one word) with this chat template."""
    return with_template(TEMPLATES[name]["chat_template"], name)


def with_template(template: str, name: str = "qwen3") -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    special = {key: TEMPLATES[name][key] for key in ("bos_token", "eos_token") if TEMPLATES[name][key]}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0})), chat_template=template, name_or_path=name, **special
    )


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_chat_template_agrees_with_what_transformers_renders_or_is_refused(name: str) -> None:
    for case, (system, history) in CASES.items():
        expected = EXPECTED[name][case]
        if expected["error"]:
            with pytest.raises(ConfigError, match=expected["error"].removeprefix("TemplateError: ")):
                pre_query(tokenizer(name), system, history)
        else:
            assert pre_query(tokenizer(name), system, history) == expected["pre_query"], case


def test_only_gemma_1_and_2_are_refused_and_only_with_a_system_prompt() -> None:
    refused = {(name, case) for name, cases in EXPECTED.items() for case in cases if cases[case]["error"]}
    assert refused == {(n, c) for n in ("gemma-1", "gemma-2") for c in CASES if c.startswith("system")}


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_has_something_to_stop_at_right_after_the_user(name: str) -> None:
    first, *others = stop_strings(tokenizer(name))
    after = EXPECTED[name]["user"]["post_query"]
    assert after.find(first) in (0, 1, 2) and first.strip()
    assert all(stop.strip() for stop in others)


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("qwen2.5-instruct", ("<|im_end|>", "<|im_start|>")),
        ("llama-3.1-instruct", ("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")),
        ("gemma-2", ("<end_of_turn>", "<start_of_turn>", "<eos>")),
        ("mistral-v2v3", ("[/INST]", "</s>", "[INST]")),
        ("deepseek-r1-distill-llama", ("<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<｜User｜>")),
        ("zephyr-7b-beta", ("</s>", "<|user|>", "<|assistant|>")),
        ("vicuna", ("\nASSISTANT:", "</s>")),
        ("alpaca", ("\n### Response:", "</s>")),
        ("olmo-3", ("<|im_end|>", "<|im_start|>", "<|endoftext|>")),
    ],
)
def test_stop_strings_are_the_turn_tokens(name: str, stops: tuple[str, ...]) -> None:
    assert stop_strings(tokenizer(name)) == stops


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-instruct"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-instruct"),
        ("google/gemma-1.1-7b-it", "gemma-1"),
    ],
)
def test_the_text_is_the_one_that_magpie_s_authors_wrote_by_hand(model: str, name: str) -> None:
    assert pre_query(tokenizer(name)) == REFERENCE[model]["pre_query_template"]
    assert set(stop_strings(tokenizer(name))) & set(REFERENCE[model]["stop_tokens"])


def test_trap_qwen_keeps_its_default_system_block() -> None:
    assert pre_query(tokenizer("qwen2.5-instruct")).startswith("<|im_start|>system\nYou are Qwen")
    assert "You are Qwen" not in pre_query(tokenizer("qwen2.5-instruct"), "You teach maths.")


def test_trap_mistral_says_the_system_prompt_in_the_last_user_turn() -> None:
    assert pre_query(tokenizer("mistral-v2v3"), SYSTEM, HISTORY).endswith(f"[INST] {SYSTEM}\n\n")


def test_trap_the_text_begins_with_one_bos() -> None:
    for name in ("llama-3-instruct", "gemma-2", "mistral-v1"):
        assert pre_query(tokenizer(name)).count(TEMPLATES[name]["bos_token"]) == 1


@pytest.mark.parametrize("name", [n for n, row in TEMPLATES.items() if "strftime_now" in row["chat_template"]])
def test_trap_the_clock_stands_still(name: str) -> None:
    assert pre_query(tokenizer(name)) == EXPECTED[name]["user"]["pre_query"], "which was made on 2 January 2025"


def test_a_template_that_prints_the_date_is_told_one() -> None:
    text = pre_query(tokenizer("llama-3.2-instruct"), today=date(2031, 5, 9))
    assert "Today Date: 09 May 2031" in text


def test_the_clock_knows_the_usual_directives() -> None:
    source = "{{ strftime_now('%Y-%m-%d %-d %b %B %A %H:%M') }}|{% for m in messages %}{{ m.content }}{% endfor %}"
    assert pre_query(with_template(source), today=date(2031, 5, 9)) == "2031-05-09 9 May May Friday 12:00|"


def test_a_template_keeps_the_newline_that_it_begins_with() -> None:
    source = "\n{% for m in messages %}{{ m.content }}{% endfor %}"
    dated = source + "{% if false %}{{ strftime_now('%Y') }}{% endif %}"
    assert pre_query(with_template(source)) == pre_query(with_template(dated)) == "\n"


@pytest.mark.parametrize(
    ("source", "system", "said"),
    [
        pytest.param("{{ messages[0].role }}", None, "drops what the user says", id="drops the query"),
        pytest.param("{{ messages[-1].content }}", SYSTEM, "drops the system prompt", id="drops the system prompt"),
        pytest.param("{{ raise_exception('no tools') }}", None, "no tools", id="raises"),
        pytest.param("{{ tools[0].name + messages[-1].content }}", None, "refuses user", id="needs tools"),
        pytest.param("{% if %}", None, "refuses user", id="does not parse"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_the_reason(source: str, system: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        pre_query(with_template(source), system)


def test_a_tokenizer_without_a_template_is_refused() -> None:
    nothing = with_template("")
    nothing.chat_template = None
    with pytest.raises(ConfigError, match="chat_template is not set"):
        pre_query(nothing)


def test_the_query_is_cut_at_its_last_occurrence() -> None:
    source = "{% for m in messages %}({{ m.content }}){% endfor %}[{{ messages[-1].content }}]"
    text = pre_query(with_template(source))
    assert text.startswith("(") and text.endswith(")[")


def test_anything_with_apply_chat_template_will_do() -> None:
    assert pre_query(PlainTemplate()) == "<|im_start|>user\n"
    assert stop_strings(PlainTemplate()) == ("<|im_end|>", "<|im_start|>")
    assert rendered(PlainTemplate(), HISTORY[:1]).endswith("<|im_start|>assistant\n")
