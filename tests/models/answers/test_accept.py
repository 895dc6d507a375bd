"""What is an answer, and what is none (law 10): one table of ugly completions."""

from __future__ import annotations

import pytest

from tasks.errors import Unusable
from tasks.models.answers.accept import Accepted, accept, is_final
from tasks.models.answers.families import ENDS as KNOWN_ENDS
from tasks.models.answers.tokens import MORE_ENDS, OPENERS, may_hold_control
from tasks.models.base import Completion, FinishReason, Message, Request, Sampling

LOIRE = "The Loire is a river in France."


def said(text: str, finish: FinishReason = "stop", question: str = "What is the Loire?", **more: int) -> Accepted:
    messages: tuple[Message, ...] = ({"role": "user", "content": question},)
    return accept(Request(Sampling(), 1, messages), Completion(text, finish, **more))


ENDS = {
    "ChatML": (f"{LOIRE}<|im_end|>", LOIRE),
    "ChatML and more": (f"{LOIRE}<|im_end|>\n<|im_start|>user\nAnd the Rhine?<|im_end|>", LOIRE),
    "Llama 3": (f"{LOIRE}<|eot_id|>assistant\n\nMore?", LOIRE),
    "gpt-oss": (f"{LOIRE}<|return|>", LOIRE),
    "gemma": (f"{LOIRE}<end_of_turn>\n", LOIRE),
    "gemma 4": (f"{LOIRE}<turn|>", LOIRE),
    "DeepSeek": (f"{LOIRE}<｜end▁of▁sentence｜>", LOIRE),
    "Command": (f"{LOIRE}<|END_OF_TURN_TOKEN|>", LOIRE),
    "sentencepiece": (f"{LOIRE}</s>", LOIRE),
    "twice": (f"{LOIRE}<|end|><|end|>", LOIRE),
}


@pytest.mark.parametrize(("text", "answer"), ENDS.values(), ids=ENDS.keys())
def test_a_text_ends_at_the_end_of_its_turn_and_the_cut_is_a_loss(text: str, answer: str) -> None:
    accepted = said(text)
    assert accepted.text == answer
    assert accepted.loss is not None
    assert (accepted.loss.reason, accepted.loss.kind, accepted.loss.raw) == ("end_token", "filtered", text)


@pytest.mark.parametrize("token", KNOWN_ENDS)
def test_the_end_of_a_turn_of_every_known_family_is_seen(token: str) -> None:
    assert said(f"{LOIRE}{token}").text == LOIRE


@pytest.mark.parametrize("token", (*MORE_ENDS, *OPENERS))
def test_no_control_token_is_passed_over(token: str) -> None:
    assert may_hold_control(f"{LOIRE}{token}")


NONE = {
    "run on": (f"{LOIRE}assistant\n\nI'm happy to help!assistant\n\nWhat else?", "further_turns"),
    "run on, quoted end": ('He said "yes."assistant\n\nMore?', "further_turns"),
    "run on after code": ("```py\n1\n```assistant\n\nMore?", "further_turns"),
    "run on, at the end": (f"{LOIRE}assistant", "further_turns"),
    "run on, in Chinese": ("卢瓦尔河在法国。assistant\n\n还有吗？", "further_turns"),
    "turns on lines": (f"{LOIRE}\nuser\nAnd the Rhine?\nassistant\nIt is another.", "further_turns"),
    "a tool call": ('<tool_call>\n{"name": "lookup", "arguments": {"q": "x"}}\n</tool_call>', "tool_call"),
    "a tool call behind words": ('Let me see.\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', "tool_call"),
    "a tool call of Mistral": ('[TOOL_CALLS][{"name": "f", "arguments": {}}]', "tool_call"),
    "a tool call of DeepSeek": ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f", "tool_call"),
    "a tool call of Qwen Coder": ("<function=f>\n<parameter=q>x</parameter></function>", "tool_call"),
    "zero width": ("\u200b", "empty"),
    "joiners and marks": ("\u2060\ufeff\u00ad \n", "empty"),
    "a blank of Braille": ("\u2800", "empty"),
    "an end alone": ("<|im_end|>", "empty"),
    "an opener": (f"<|im_start|>assistant\n{LOIRE}", "control_tokens"),
    "a header": (f"<|start_header_id|>assistant<|end_header_id|>\n\n{LOIRE}", "control_tokens"),
    "half a channel": (f"<|message|>{LOIRE}", "control_tokens"),
}


@pytest.mark.parametrize(("text", "reason"), NONE.values(), ids=NONE.keys())
def test_what_is_no_answer_is_refused_by_reason(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        said(text)
    assert refused.value.reason == reason


WHOLE = {
    "plain": LOIRE,
    "the word": "Ask your assistant.\n\nShe knows.",
    "a heading": "Roles:\n\n**assistant**\n\nwrites answers.",
    "a list of roles": "- user\n- assistant",
    "a token in a code fence": "ChatML:\n```\n<|im_start|>user\nHi<|im_end|>\n```\nThat is all.",
    "a token in code": "Turns end with `<|im_end|>`, as in `<|im_start|>user`.",
    "a tool call in a code fence": 'Write:\n```\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n```',
    "struck through": "It costs <s>five</s> four euros.",
    "a tag of its own": "<answer>four</answer>",
    "HTML": "<function>map</function> is a tag.",
    "Braille": "\u2801\u2800\u2803",
    "an emoji": "👍",
    "dots": "...",
    "generics": "List<T> x; a <b> c",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_that_only_looks_like_one_that_is_none_stays_as_it_is(text: str) -> None:
    assert said(text) == Accepted(text)


def test_tokens_that_the_user_speaks_of_may_be_spoken_of() -> None:
    text = "<|im_end|> is what ends a turn."
    assert said(text, question="What does <|im_end|> mean?") == Accepted(text)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", "truncated"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_call"),
        ("cut_off", "cut_off"),
    ],
)
def test_a_completion_that_has_not_ended_by_itself_is_none(finish: FinishReason, reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        said(LOIRE, finish)
    assert refused.value.reason == reason


def test_raw_text_is_its_parsers_business() -> None:
    text = "What is it?<|im_end|>"
    assert accept(Request(Sampling(), 1, prompt="x"), Completion(text)).text == text


FINAL = {
    "truncated": [True, True, True, True],
    "content_filter": [True, True, True, False],
    "prompt_cut": [True, True, False, False],
    "cut_off": [False, False, False, False],
}


@pytest.mark.parametrize(("reason", "final"), FINAL.items(), ids=FINAL.keys())
def test_what_another_attempt_would_not_change_is_final(reason: str, final: list[bool]) -> None:
    loss = Unusable(reason)
    cases = [(True, False), (True, True), (False, False), (False, True)]  # paid now, of before a retry
    assert [is_final(loss, paid, earlier) for paid, earlier in cases] == final


@pytest.mark.parametrize(
    ("text", "reasoning", "detail"),
    [
        ("", "2 + 2", "the reasoning stopped after 9 tokens"),
        ("It is", "2 + 2", "the answer stopped after 9 tokens"),
        ("It is", None, "stopped after 9 tokens"),
    ],
    ids=["reasoning", "answer", "no reasoning"],
)
def test_a_truncated_answer_says_whether_reasoning_or_answer_ran_out(
    text: str, reasoning: str | None, detail: str
) -> None:
    request = Request(Sampling(thinking="on"), 1, ({"role": "user", "content": "2 + 2?"},))
    with pytest.raises(Unusable, match=detail) as refused:
        accept(request, Completion(text, "length", 9, 9, reasoning=reasoning))
    assert (refused.value.reason, refused.value.detail) == ("truncated", detail)
