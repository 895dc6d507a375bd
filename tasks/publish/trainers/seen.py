"""What a trainer makes of an example: one sequence of tokens, or one for each side of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tasks.models.text_pieces import Tokens
from tasks.publish.trainers.example import Example, Part, TurnFields

RowFate = Literal["whole", "cut", "dropped", "refused"]
Side = Literal["", "chosen", "rejected"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One sequence.

    `said`: the turns or the text that it was made of; `tokens` before the cut; `loss`: which of them carry loss; `start`
    and `stop`: what is left of them; `prompt`: how many the prompt has, where it is apart, and `prompt_is_prefix`: whether
    the prompt as it stands before an answer is the beginning of the whole. `why`: of what is dropped or refused.
    """

    example: Example
    side: Side
    said: Part
    text: str
    tokens: Tokens
    loss: Sequence[bool]
    start: int
    stop: int
    fate: RowFate
    why: str = ""
    prompt: int | None = None
    prompt_is_prefix: bool = True

    @property
    def ids(self) -> list[int]:
        """What is trained on or read as context."""
        return self.tokens.ids[self.start : self.stop] if self.fate in ("whole", "cut") else []

    @property
    def labels(self) -> list[int | None]:
        """The ids that carry loss, None at the others, as long as `ids`."""
        kept = zip(self.ids, self.loss[self.start : self.stop], strict=False)
        return [token if counts else None for token, counts in kept]

    @property
    def turns(self) -> Sequence[TurnFields]:
        """The turns, none where it is a text."""
        return () if isinstance(self.said, str) else self.said


def refused(example: Example, side: Side, said: Part, why: str) -> Seen:
    """A sequence that there is none of."""
    return Seen(example, side, said, "", Tokens.whole([], []), (), 0, 0, "refused", why)


def loss_from(first: int, tokens: int) -> list[bool]:
    """Loss on a token and all behind it, of so many."""
    return [False] * first + [True] * (tokens - first)


def cut_off(seen: Seen, length: int) -> Seen:
    """The first tokens of a sequence, at most so many."""
    return seen if seen.stop <= length else replace(seen, stop=length, fate="cut")


def joined_parts(prompt: Part, said: Part) -> Part:
    """A prompt and what is said to it as one. They are of one kind."""
    if isinstance(prompt, str) and isinstance(said, str):
        return prompt + said
    assert not isinstance(prompt, str) and not isinstance(said, str), "an example is of one kind"
    return [*prompt, *said]


def common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """How many leading items two sequences share."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
