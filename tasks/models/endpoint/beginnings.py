"""The beginnings that requests have in common: long ones are worth a mark for the provider's cache.

A mark has its price where nobody asks with the same beginning again (Anthropic charges a quarter more for what it
writes into its cache), so only what an earlier request began with as well is marked. Marks are no part of a request
key: they change what is paid, not what is said.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from tasks.models.answers.counted import about_tokens

LEAST_TOKENS = 1024
"""No model of Anthropic's keeps less; most ask for more, and pass over a mark that comes too early."""
HEAD_CHARS = 256  # texts that begin with the same characters are of one kind
MOST_KINDS = 1000


@dataclass(slots=True)
class _Kind:
    """What the texts of one kind have had in common so far. `seed`: of the request that had the first one."""

    common: str
    seed: int
    is_shared: bool = False


class Beginnings:
    """The beginnings of the texts that one model is asked with."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[tuple[str, str], _Kind] = OrderedDict()

    def shared(self, before: str, text: str, seed: int) -> str:
        """What `text`, which follows on `before`, begins with as the earlier ones of its kind have; "" where that is too short.

        A request that is written a second time, with the same seed, is none of the earlier ones.
        """
        place = (before, text[:HEAD_CHARS])
        kind = self._kinds.setdefault(place, _Kind(text, seed))
        self._kinds.move_to_end(place)
        if len(self._kinds) > MOST_KINDS:
            self._kinds.popitem(last=False)
        kind.is_shared |= seed != kind.seed
        if not text.startswith(kind.common):
            kind.common = _common(kind.common, text)
        is_long = kind.is_shared and about_tokens([before, kind.common]) >= LEAST_TOKENS
        return kind.common if is_long else ""


def _common(one: str, other: str) -> str:
    """The longest text that both begin with."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if other.startswith(one[:middle]) else (least, middle - 1)
    return one[:least]
