"""Rows of every shape that trainers read, drawn from a seed: long and short, of many turns, with what goes wrong in them."""

from __future__ import annotations

import json
import random
from typing import Any

WORDS = [
    "still",
    "room",
    "glass",
    "copper",
    "quince",
    "vinegar",
    "three",
    "days",
    "and",
    "the",
    "12",
    "jars",
    "boil",
    "slowly",
    "<",
    ">",
    "café",
    "梅酒",
    "nước",
    "mắm",
]


def said(draw: random.Random, most: int = 60) -> str:
    """Some words; now and then with spaces around them, or with what a tokenizer reads as control tokens."""
    text = " ".join(draw.choices(WORDS, k=draw.randint(1, most)))
    return draw.choices((text, f" {text}\n", f"{text} <|im_end|> {text}", "4"), (12, 1, 1, 2))[0]


def talk(draw: random.Random) -> list[dict[str, Any]]:
    """A conversation that ends with the assistant: system turns, several turns, two users in a row."""
    system = [{"role": "system", "content": said(draw, 20)}] if draw.random() < 0.3 else []
    turns = [{"role": role, "content": said(draw)} for _ in range(draw.randint(1, 4)) for role in ("user", "assistant")]
    if draw.random() < 0.1:
        turns.insert(0, {"role": "user", "content": said(draw)})
    return system + turns


def messages(draw: random.Random) -> dict[str, Any]:
    """A row of SFT."""
    return {"messages": talk(draw)}


def prompt_completion(draw: random.Random) -> dict[str, Any]:
    """A row of SFT whose answer stands apart."""
    turns = talk(draw)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def any_talk(draw: random.Random) -> list[dict[str, Any]]:
    """A conversation of any shape: with reasoning, calls of tools, a system turn in the middle, marks, an answer first."""
    turns = [turn for each in range(draw.randint(1, 4)) for turn in draw.choice(EXCHANGES)(draw)]
    if draw.random() < 0.3:
        turns.insert(0, {"role": "system", "content": said(draw, 20)})
    if draw.random() < 0.15:
        turns.insert(draw.randrange(1, len(turns) + 1), {"role": "system", "content": said(draw, 20)})
    if draw.random() < 0.1:
        turns.insert(0, {"role": "assistant", "content": said(draw)})
    if draw.random() < 0.2:
        turns = [turn | {"train": draw.random() < 0.5} for turn in turns]
    return turns if turns[-1]["role"] == "assistant" else [*turns, {"role": "assistant", "content": said(draw)}]


def _plain(draw: random.Random) -> list[dict[str, Any]]:
    return [{"role": role, "content": said(draw)} for role in ("user", "assistant")]


def _two_users(draw: random.Random) -> list[dict[str, Any]]:
    return [{"role": "user", "content": said(draw)}, *_plain(draw)]


def _thought(draw: random.Random) -> list[dict[str, Any]]:
    asked, answer = _plain(draw)
    return [asked, answer | {draw.choice(("reasoning_content", "reasoning")): said(draw)}]


def _thought_in_text(draw: random.Random) -> list[dict[str, Any]]:
    asked, answer = _plain(draw)
    return [asked, answer | {"content": f"<think>\n{said(draw)}\n</think>\n\n{answer['content']}"}]


def _called(draw: random.Random) -> list[dict[str, Any]]:
    """Tools are called, one or two, and each says something; the call has a content, an empty one or none."""
    asked, answer = _plain(draw)
    functions = [
        {"name": "jars", "arguments": {"of": said(draw, 3), "count": draw.randint(1, 99), "sugar": draw.random() < 0.5}}
        for _ in range(draw.randint(1, 2))
    ]
    calls = [
        {"id": f"call_{at}0000", "type": "function", "function": function} for at, function in enumerate(functions)
    ]
    call = {"role": "assistant", "tool_calls": calls} | draw.choice(({}, {"content": ""}, {"content": said(draw)}))
    results = [{"role": "tool", "name": "jars", "tool_call_id": call["id"], "content": said(draw, 5)} for call in calls]
    return [asked, call, *results, answer]


EXCHANGES = (_plain, _plain, _plain, _plain, _two_users, _thought, _thought_in_text, _called)
TOOL = {
    "type": "function",
    "function": {
        "name": "jars",
        "description": "Fills jars.",
        "parameters": {
            "type": "object",
            "properties": {
                "of": {"type": "string", "description": "a fruit"},
                "count": {"type": "integer", "description": "how many"},
                "sugar": {"type": "boolean", "description": "whether there is sugar in it"},
            },
            "required": ["of"],
        },
    },
}


def given(draw: random.Random, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """What else goes to the template: tools as a list, as JSON, an empty list or none, and its variables."""
    called = any("tool_calls" in turn for turn in turns)
    tools = draw.choice(([TOOL], json.dumps([TOOL]))) if called else draw.choice((None, None, None, [], [TOOL]))
    return {"tools": tools, "chat_template_kwargs": draw.choice(({}, {"enable_thinking": draw.random() < 0.5}))}


def any_messages(draw: random.Random) -> dict[str, Any]:
    """A row of SFT of any shape; one of ten ends with the user."""
    turns = any_talk(draw)
    return {"messages": turns[:-1] if len(turns) > 1 and draw.random() < 0.1 else turns} | given(draw, turns)


def any_prompt_completion(draw: random.Random) -> dict[str, Any]:
    """A row of SFT of any shape whose answer stands apart, which may be several turns."""
    turns = any_talk(draw)
    at = draw.randrange(1, len(turns)) if draw.random() < 0.2 else len(turns) - 1
    return {"prompt": turns[:at], "completion": turns[at:]} | given(draw, turns)


def any_explicit_pair(draw: random.Random) -> dict[str, Any]:
    """A pair of any shape with its prompt apart."""
    row = any_prompt_completion(draw)
    other = draw.choice((_plain, _thought, _thought_in_text, _called))(draw)[1:]
    return {"prompt": row["prompt"], "chosen": row.pop("completion"), "rejected": other} | row


def any_implicit_pair(draw: random.Random) -> dict[str, Any]:
    """A pair of any shape whose prompt stands in both sides."""
    row = any_explicit_pair(draw)
    prompt = row.pop("prompt")
    return row | {side: prompt + row[side] for side in ("chosen", "rejected")}


def any_unpaired(draw: random.Random) -> dict[str, Any]:
    """An answer of any shape with a thumb up or down."""
    return any_prompt_completion(draw) | {"label": draw.random() < 0.5}


def text(draw: random.Random) -> dict[str, Any]:
    """A text."""
    return {"text": said(draw, 120)}


def prompt_completion_text(draw: random.Random) -> dict[str, Any]:
    """Two texts, cut where it may be in the middle of a token."""
    whole = said(draw, 120)
    at = draw.randint(1, len(whole))
    return {"prompt": whole[:at], "completion": whole[at:] or " "}


def explicit_pair(draw: random.Random) -> dict[str, Any]:
    """A pair with its prompt apart."""
    turns = talk(draw)
    return {"prompt": turns[:-1], "chosen": turns[-1:], "rejected": [{"role": "assistant", "content": said(draw)}]}


def implicit_pair(draw: random.Random) -> dict[str, Any]:
    """A pair whose prompt stands in both sides."""
    turns = talk(draw)
    return {"chosen": turns, "rejected": [*turns[:-1], {"role": "assistant", "content": said(draw) + " or so"}]}


def text_pair(draw: random.Random) -> dict[str, Any]:
    """A pair of texts that begin alike."""
    begin = said(draw)
    return {"chosen": f"{begin} a {said(draw)}", "rejected": f"{begin} b {said(draw)}"}


def unpaired(draw: random.Random) -> dict[str, Any]:
    """An answer with a thumb up or down."""
    return prompt_completion(draw) | {"label": draw.random() < 0.5}


def prompt_completion_beside_text(draw: random.Random) -> dict[str, Any]:
    """As sets have it that keep the two of them joined too, now and then with an end of its own."""
    row = prompt_completion_text(draw)
    return row | {"text": row["prompt"] + row["completion"] + draw.choice(["", "<|endoftext|>"])}
