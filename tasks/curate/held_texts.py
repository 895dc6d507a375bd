"""What an index of texts holds of them: on one disk, or in buckets that lie on the disks of several machines.

    held = TextsHere(folder)
    held = TextsInBuckets(buckets)          # of each key the bucket is `key % count`, of each text `row % count`

Both find the very same: what is found of a key does not depend on where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tasks.curate.prepared_texts import Alike, Compared, Likeness, PreparedTexts, prepare_texts
from tasks.storage.arrays import GrowingArray, SortedRuns
from tasks.text.near.hashed import Numbers, Positions
from tasks.text.near.shingles import ShingleSets

By = Literal["keys", "names", "prints"]
"""What texts are looked up by: bands, ids, fingerprints."""
KINDS: tuple[By, ...] = ("keys", "names", "prints")


@dataclass(frozen=True, slots=True)
class Entries:
    """Numbers that texts are looked up by, and the row of each. `size`: how many there are in all buckets."""

    numbers: Numbers
    rows: Positions
    size: int


class HeldTexts(Protocol):
    """Texts by their rows, in the order in which they were added."""

    def prepare(self, texts: Sequence[str], likeness: Likeness) -> PreparedTexts:
        """Texts made ready to be looked up, which changes nothing here."""
        ...

    def find(self, by: By, numbers: Numbers, most: int) -> tuple[Positions, Positions]:
        """The rows that have one of these numbers, as positions of numbers and rows; as `SortedRuns.find`."""
        ...

    def add(self, entries: dict[By, Entries], texts: Compared) -> None:
        """Hold more texts, with what they are looked up by."""
        ...

    def alike(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those that are alike."""
        ...

    def contained(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those of which one is contained in the other."""
        ...


class TextsHere:
    """Implements `HeldTexts` on the disk of this machine. `folder` has to be there, is filled, and is not cleared."""

    def __init__(self, folder: Path) -> None:
        for part in KINDS:
            (folder / part).mkdir()
        self._runs: dict[By, SortedRuns] = {part: SortedRuns(folder / part) for part in KINDS}
        self._exact, self._marks = GrowingArray(folder / "exact", np.uint64), GrowingArray(folder / "marks", np.uint32)
        self._starts = GrowingArray(folder / "starts", np.int64)
        self._starts.append(np.zeros(1, np.int64))

    def prepare(self, texts: Sequence[str], likeness: Likeness) -> PreparedTexts:
        """Texts made ready to be looked up."""
        return prepare_texts(texts, likeness)

    def find(self, by: By, numbers: Numbers, most: int) -> tuple[Positions, Positions]:
        """The rows that have one of these numbers."""
        return self._runs[by].find(numbers, most)

    def add(self, entries: dict[By, Entries], texts: Compared) -> None:
        """Hold more texts."""
        for by, some in entries.items():
            self._runs[by].add(some.numbers, some.rows, some.size)
        self._starts.append(texts.sets.starts[1:] + len(self._marks))
        self._marks.append(texts.sets.marks)
        self._exact.append(texts.exact)

    def alike(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those that are alike."""
        return texts.alike(self._sets, self._exact.read(), *pairs)

    def contained(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those of which one is contained in the other."""
        return texts.contained(self._sets, *pairs)

    @property
    def _sets(self) -> ShingleSets:
        return ShingleSets(self._marks.read(), self._starts.read())


class Buckets(Protocol):
    """So many `TextsHere`, wherever they are."""

    @property
    def count(self) -> int:
        """How many."""
        ...

    def ask(self, method: str, questions: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What each answers to the question for it: the arguments of a method of `TextsHere`."""
        ...

    def close(self) -> None:
        """Let go of them and of what they hold."""
        ...


class TextsInBuckets:
    """Implements `HeldTexts` with buckets."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def prepare(self, texts: Sequence[str], likeness: Likeness) -> PreparedTexts:
        """Texts made ready to be looked up: each bucket's process takes a part of them."""
        each = -(-len(texts) // self._buckets.count)
        parts = [(list(texts[at * each : (at + 1) * each]), likeness) for at in range(self._buckets.count)]
        return PreparedTexts.of(self._buckets.ask("prepare", parts))

    def find(self, by: By, numbers: Numbers, most: int) -> tuple[Positions, Positions]:
        """The rows that have one of these numbers."""
        places = self._places(numbers)
        found = self._buckets.ask("find", [(by, numbers[some], most) for some in places])
        positions = [some[at] for some, (at, _) in zip(places, found, strict=True)]
        return np.concatenate(positions), np.concatenate([rows for _, rows in found])

    def add(self, entries: dict[By, Entries], texts: Compared) -> None:
        """Hold more texts."""
        of_kinds = {by: self._places(some.numbers) for by, some in entries.items()}
        rows = entries["names"].rows
        questions = []
        for bucket in range(self._buckets.count):
            mine = {
                by: Entries(some.numbers[of_kinds[by][bucket]], some.rows[of_kinds[by][bucket]], some.size)
                for by, some in entries.items()
            }
            questions.append((mine, texts.at(np.flatnonzero(rows % self._buckets.count == bucket))))
        self._buckets.ask("add", questions)

    def alike(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those that are alike."""
        return self._compared("alike", texts, pairs)

    def contained(self, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Of pairs of a text and a row those of which one is contained in the other."""
        return self._compared("contained", texts, pairs)

    def _places(self, numbers: Numbers) -> list[Positions]:
        of = numbers % np.uint64(self._buckets.count)
        return [np.flatnonzero(of == bucket) for bucket in range(self._buckets.count)]

    def _compared(self, method: str, texts: Compared, pairs: tuple[Positions, Positions]) -> Alike:
        """Each bucket compares what it holds with the texts that it may be like; rows are numbered there from 0 on."""
        new, held = pairs
        count, questions, own = self._buckets.count, [], []
        for bucket in range(count):
            mine = held % count == bucket
            there, at = np.unique(new[mine], return_inverse=True)
            own.append(there)
            questions.append((texts.at(there), (at, held[mine] // count)))
        answers = self._buckets.ask(method, questions)
        return Alike.of(
            [
                Alike(there[some.new], some.held * count + bucket, some.share, some.exact, some.contained)
                for bucket, (there, some) in enumerate(zip(own, answers, strict=True))
            ]
        )
