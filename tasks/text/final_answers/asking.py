"""Asking for the solution of a problem: the conversation up to it, with what is said about how its answer is marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.models.base import Message
from tasks.text.conversation import asked_last, conversation_of, with_last_turn
from tasks.text.prompts import Prompts
from tasks.text.templates import render

SOLVE = "solve"
SOLUTION = f"{SOLVE}/solution"


def problem_of(row: Mapping[str, Any]) -> list[Message]:
    """The conversation that ends with a problem. Raises Filtered where there is none."""
    return conversation_of(row, "")


def with_request(turns: list[Message], prompts: Prompts) -> tuple[list[Message], str]:
    """The conversation whose last turn says how the answer is to be marked; and the system prompt for solving it."""
    problem = asked_last(turns)
    *system, user = render(prompts.template(SOLUTION), {"problem": problem})
    if problem.rstrip().endswith(user["content"].partition(problem)[2].strip()):
        user = Message(role="user", content=problem)  # it says so already
    return with_last_turn(turns, user["content"]) or turns, system[0]["content"] if system else ""
