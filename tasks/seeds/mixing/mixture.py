"""Several datasets read as one: their records in turn, each as often as its weight says, with `source`, where it comes from.

    open_records(mixture_reader([MixturePart(source="datasets/a", weight=3), MixturePart(source="b.jsonl")]))

Conversations are `messages` in a mixture, whatever form a dataset has them in; all other columns of a record stay. Preference
pairs stay as they are, and stand in a mixture of pairs alone. The order is the same for the same datasets and weights.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tasks.errors import ConfigError
from tasks.seeds.batches import Source, first_steps, sound_records
from tasks.seeds.known_formats import JOIN, PAIR, Reading
from tasks.seeds.mixing.parts import MixturePart
from tasks.seeds.readers import Placed, Reader
from tasks.seeds.sources import open_source
from tasks.storage.digest import digest

SOURCE = "source"
"""The column that says which part of a mixture a row comes from."""


@dataclass(frozen=True)
class _Opened:
    """A part that can be read. `whole`: its records stand in the mixture as they are."""

    part: MixturePart
    source: Source
    whole: bool

    @property
    def is_paired(self) -> bool:
        return self.source.columns.get("responses") == JOIN.join(PAIR)

    @property
    def names(self) -> list[str]:
        own = [name for name in self.source.names if self.whole or name not in first_steps(self.source.paths)]
        return [*([] if self.whole else ["messages"]), *sorted(own)]

    def record(self, number: int, held: dict[str, Any]) -> dict[str, Any]:
        """A record as it stands in the mixture."""
        if self.whole:
            return held | {SOURCE: self.part.title}
        _, row = self.source.composed(self.source.seeds([(number, held)])[0])
        turns = row.get("messages") or [{"role": "user", "content": row["instruction"]}]
        if row.get("system") and turns[0]["role"] != "system":
            turns = [{"role": "system", "content": row["system"]}, *turns]
        if row.get("response"):
            turns = [*turns, {"role": "assistant", "content": row["response"]}]
        used = set(first_steps(self.source.paths))
        others = {name: value for name, value in held.items() if name not in used}
        tools = {"tools": row["tools"]} if row.get("tools") else {}
        return {"messages": turns} | others | tools | {SOURCE: self.part.title}


def mixture_reader(parts: Sequence[MixturePart]) -> Reader:
    """A reader of all parts. Raises ConfigError where one cannot be read, or pairs would stand beside conversations."""
    opened = [_opened(part) for part in parts]
    if len({one.is_paired for one in opened}) > 1:
        said = ", ".join(f"{one.part.title}: {'pairs' if one.is_paired else 'conversations'}" for one in opened)
        raise ConfigError("a mixture is of conversations or of preference pairs", said, "make two mixtures")
    sizes = [one.source.reader.size for one in opened]

    def records(start: int, _: Sequence[str] | None) -> Placed:
        for number, (one, place, held) in enumerate(islice(_in_turn(opened), start, None), start + 1):
            yield number, one.record(place, held)

    def at(number: int) -> str:
        one, place, _ = next(islice(_in_turn(opened), number - 1, None))
        return one.source.reader.at(place)

    return Reader(
        name="the mixture",
        place="row",
        size=None if None in sizes else sum(filter(None, sizes)),
        records=records,
        content=lambda: digest("mixture", *(str(part) for one in opened for part in _said(one))),
        header=lambda: list(dict.fromkeys([*(name for one in opened for name in one.names), SOURCE])),
        at_row=at,
    )


def _opened(part: MixturePart) -> _Opened:
    source = open_source(part.source, columns=part.columns or None, reading=Reading())
    pairs = source.columns.get("responses") == JOIN.join(PAIR)
    if "responses" in source.columns and not pairs:
        raise ConfigError("pools of responses are no rows to mix", source.name, "pair them first: stillroom dpo")
    if SOURCE in source.names and part.name is None and not _is_ours(source):
        fix = f"give it a `name`, which takes the place of its column {SOURCE}"
        raise ConfigError(f"a part has a column {SOURCE} of its own", source.name, fix)
    talks = source.columns.get("messages") == "messages" and not {"instruction", "response"} & source.columns.keys()
    return _Opened(part, source, talks or pairs)


def _is_ours(source: Source) -> bool:
    """Whether a dataset was made here: a mixture of mixtures names the nearest one."""
    return "row_id" in source.names


def _said(one: _Opened) -> tuple[Any, ...]:
    return one.part.title, one.part.weight, one.source.fingerprint


def _in_turn(opened: Sequence[_Opened]) -> Iterator[tuple[_Opened, int, dict[str, Any]]]:
    """The records of all parts with their places: next is the part that lags most behind its weight, of equal ones the first."""
    readers: list[Iterator[tuple[int, Mapping[str, Any]]]] = [
        sound_records(one.source.reader.records(0, None), lenient=False) for one in opened
    ]
    waiting = [(0.5 / one.part.weight, at, 0) for at, one in enumerate(opened)]
    heapq.heapify(waiting)
    while waiting:
        _, at, taken = heapq.heappop(waiting)
        found = next(readers[at], None)
        if found is None:
            continue
        place, held = found
        yield opened[at], place, dict(held)
        heapq.heappush(waiting, ((taken + 1.5) / opened[at].part.weight, at, taken + 1))
