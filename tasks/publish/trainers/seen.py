"""What a trainer makes of an example: one sequence of tokens, or one for each side of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from tasks.models.text_pieces import Tokens
from tasks.publish.trainers.example import Example, Part, TurnFields

RowFate = Literal["whole", "cut", "dropped", "refused"]
T = TypeVar("T")
Side = Literal["", "chosen", "rejected"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One sequence of tokens as a trainer sees it.

    `said`: the turns or the text that it was made of; `tokens` before the cut; `loss`: which of them carry loss; `stop`:
    how many are left of them, but for those that are `gone` before it; `prompt`: how many the prompt has, where it is apart, and `prompt_is_prefix`: whether
    the prompt as it stands before an answer is the beginning of the whole. `why`: of what is dropped or refused.
    """

    example: Example
    side: Side
    said: Part
    text: str
    tokens: Tokens
    loss: Sequence[bool]
    stop: int
    fate: RowFate
    why: str = ""
    prompt: int | None = None
    prompt_is_prefix: bool = True
    gone: tuple[range, ...] = ()

    @property
    def ids(self) -> list[int]:
        """What is trained on or read as context."""
        return self.kept(self.tokens.ids) if self.fate in ("whole", "cut") else []

    @property
    def labels(self) -> list[int | None]:
        """The ids that carry loss, None at the others, as long as `ids`."""
        kept = zip(self.ids, self.kept(self.loss), strict=False)
        return [token if counts else None for token, counts in kept]

    def kept(self, of: Sequence[T], places: range | None = None) -> list[T]:
        """What is left of a list that has an item for each token, or of these places of it."""
        if not self.gone:
            return list(of[: self.stop] if places is None else of[places.start : min(places.stop, self.stop)])
        return [
            of[at] for at in places or range(self.stop) if at < self.stop and not any(at in cut for cut in self.gone)
        ]

    @property
    def turns(self) -> Sequence[TurnFields]:
        """The turns, none where it is a text."""
        return () if isinstance(self.said, str) else self.said


def refused(example: Example, side: Side, said: Part, why: str) -> Seen:
    """A sequence that there is none of."""
    return Seen(example, side, said, "", Tokens.whole([], []), (), 0, "refused", why)


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
