"""Rows of every shape that trainers read, drawn from a seed: long and short, of many turns, with what goes wrong in them."""

from __future__ import annotations

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
