"""Configs to begin with, each for something that people want; all of them run with the built-in model as they are."""

from __future__ import annotations

from dataclasses import dataclass

from flows.recipes.recipe import Kind
from flows.studio.configs.file import ConfigSettings


@dataclass(frozen=True)
class ConfigExample:
    """`title`, `about`: English words. `key`: its name in addresses, and the first name of its config."""

    key: str
    title: str
    about: str
    kind: Kind
    settings: ConfigSettings


CONFIG_EXAMPLES = (
    ConfigExample(
        "everyday-questions",
        "Everyday questions",
        "From seeds that come along: questions made of them, made harder, and answered.",
        "sft",
        {"recipe": "evolved", "rows": 20, "evol_instruct": {"generations": 1}},
    ),
    ConfigExample(
        "short-answers",
        "Short answers to given questions",
        "Three questions to replace by your own, answered under a system prompt.",
        "sft",
        {
            "recipe": "respond",
            "seeds": [
                {"instruction": "What is the capital of Peru?"},
                {"instruction": "Name three rivers of Asia."},
                {"instruction": "Why is the sky blue?"},
            ],
            "text_generation": {"system": "You answer in one or two sentences."},
        },
    ),
    ConfigExample(
        "bank-help-desk",
        "Help desk of a bank",
        "Questions about given topics by given people, answered as the system prompt says. Name a model of your own.",
        "sft",
        {
            "recipe": "basic",
            "start_from": "prompting",
            "rows": 20,
            "basic_prompting": {
                "topics": [
                    "a card that was swallowed by a machine",
                    "a transfer to a wrong account",
                    "opening an account for a child",
                    "a fee that nobody can explain",
                    "a loan for a small shop",
                    "a call that asks for a password",
                ],
                "personas": ["a pensioner without a computer", "a student abroad", "the owner of a food stall"],
            },
            "text_generation": {
                "system": "You work at the help desk of a bank. You answer politely and in plain words, never ask for "
                "passwords or codes, and name the branch as the place for what needs a signature."
            },
        },
    ),
    ConfigExample(
        "better-and-worse",
        "Pairs of a better and a worse answer",
        "Several answers to each question, judged, and paired for DPO.",
        "dpo",
        {
            "recipe": "basic",
            "instructions": [
                {"instruction": "What is the capital of Peru?"},
                {"instruction": "Name three rivers of Asia."},
                {"instruction": "Why is the sky blue?"},
                {"instruction": "How do I boil an egg?"},
            ],
        },
    ),
)


def config_example(key: str) -> ConfigExample | None:
    """The example of a key."""
    return next((one for one in CONFIG_EXAMPLES if one.key == key), None)
