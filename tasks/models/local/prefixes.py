"""Beginnings that prompts have in common: keys and values are computed once, and copied for every prompt that follows.

The prompts of a technique begin alike (a rubric, examples), and most of a judge's prompt is such a beginning. One is held
from the moment that a second prompt has it; the one that was used longest ago goes first where memory ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from torch import Tensor

PREFIX_LEAST = 64  # tokens: to read fewer again costs less than a forward pass more
PREFIX_LEAST_LARGE = 16
"""Of a large model on the CPU, where many prompts pay for the pass together (a system prompt, say)."""
NEIGHBOURS = 8  # prompts of the same head that a newcomer is compared with


class States(NamedTuple):
    """Keys and values of one layer: [heads, positions, width]."""

    keys: Tensor
    values: Tensor

    @property
    def bytes(self) -> int:
        """What they take."""
        return sum(states.numel() * states.element_size() for states in self)


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """The first tokens of a prompt, and what each layer has made of them."""

    tokens: Sequence[int]
    layers: dict[int, States]

    @property
    def bytes(self) -> int:
        """What it takes on the device."""
        return sum(states.bytes for states in self.layers.values())


class Match(NamedTuple):
    """The prefix that a prompt begins with, and how many of its tokens they share."""

    length: int
    prefix: Prefix | None


class Prefixes:
    """The prefixes that are held, within `memory` bytes. Shorter ones than `least` tokens are not worth it."""

    def __init__(self, memory: int, least: int = PREFIX_LEAST) -> None:
        self.least, self.bytes = least, 0
        self._memory = memory
        self._held: dict[Prefix, None] = {}  # the one used last is the last

    def match(self, tokens: Sequence[int]) -> Match:
        """The prefix that has most in common with a prompt."""
        best = max(
            (Match(shared_length(held.tokens, tokens), held) for held in self._held),
            default=Match(0, None),
            key=lambda match: match.length,
        )
        if best.prefix is None or best.length < self.least:
            return Match(0, None)
        self._held[best.prefix] = self._held.pop(best.prefix)
        return best

    def hold(self, prefix: Prefix) -> bool:
        """Keep a prefix; False where it is larger than all that may be kept."""
        if prefix.bytes > self._memory:
            return False
        self._held[prefix] = None
        self.bytes += prefix.bytes
        while self.bytes > self._memory:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self.bytes -= oldest.bytes
        return True

    def gain(self, tokens: Sequence[int], others: Sequence[Sequence[int]], known: int) -> tuple[int, int] | None:
        """Which of `others` begins as `tokens` does for some tokens more than the `known` ones: (index, length).

        Some: `least`, and `PREFIX_LEAST` where there is a shorter prefix already.
        """
        for size in dict.fromkeys((PREFIX_LEAST, self.least)):
            alike = (index for index in reversed(range(len(others))) if others[index][:size] == tokens[:size])
            lengths = ((shared_length(others[index], tokens), index) for index in islice(alike, NEIGHBOURS))
            length, index = max(lengths, default=(0, -1))
            if length >= known + (PREFIX_LEAST if known else self.least):
                return index, length
        return None


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts have in common from the beginning on. Compares slices, so that C does the work."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least
