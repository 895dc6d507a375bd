"""Rows that hold what a benchmark asks: a model trained on them is measured by what it has seen.

    stillroom sft --seeds seeds.jsonl --set curate.decontaminate.benchmarks='[benchmarks/gsm8k, hf:HuggingFaceH4/mt_bench_prompts]'

What is looked for in which text, and how much of it has to stand there: `tasks/text/near/overlap.py`. Every turn of a row is
looked at by itself, answers too. Every command reads the settings: what does the work is imported when it begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.curate.row_texts import said_in
from tasks.engine.row import Loss
from tasks.engine.sieve import Sieve, SieveParams
from tasks.notices import tell

if TYPE_CHECKING:
    import polars as pl

    from tasks.seeds.benchmarks import Item

AT_ONCE, MOST_CHARS = 4096, 1 << 22  # of a batch


class Decontaminate(SieveParams):
    """What must not stand in a row."""

    benchmarks: tuple[str, ...] = Field(
        (),
        min_length=1,
        validate_default=True,
        description="files, folders or hf:NAME whose questions must not stand in a row",
    )
    run: int = Field(
        10,
        ge=5,
        le=50,
        description="words in a row that a row has to share with a benchmark's text of 21 words or more",
    )
    share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="of such a text's words: above it the row is contaminated; shorter texts: docs/curation_duplicates.md",
    )

    def check(self) -> None:
        """Raise ConfigError where a benchmark is not there or asks nothing. Those of the Hub are looked at when read."""
        from tasks.seeds.benchmarks import check_benchmarks

        check_benchmarks(self.benchmarks)

    def open(self, home: Path) -> Sieve:  # noqa: ARG002 - nothing lies on disk
        """The sieve, which has read the benchmarks. Raises ConfigError."""
        return Decontaminator(Benchmarks(self))


@dataclass(frozen=True, slots=True)
class Contamination:
    """A benchmark's text that stands in a row, and the share of its words that does."""

    item: Item
    share: float

    def __str__(self) -> str:
        return f"{self.item.benchmark} {self.item.id}, share {self.share:.2f}"


class Benchmarks:
    """The texts of benchmarks, to be found in rows. Raises ConfigError where a benchmark is not there or asks nothing."""

    def __init__(self, params: Decontaminate) -> None:
        from tasks.seeds.benchmarks import benchmark_items
        from tasks.text.near.overlap import Passages

        self._items = benchmark_items(params.benchmarks)
        self._passages = Passages([item.text for item in self._items], params.run, params.share)

    def find(self, rows: Iterable[Sequence[str]]) -> list[Contamination | None]:
        """For each row, which is its texts, what stands in it with the greatest share; None where nothing does."""
        from tasks.text.near.hashed import batches_of

        found: list[Contamination | None] = []
        for owners, texts in batches_of(_owned(rows, found), AT_ONCE, MOST_CHARS):
            for owner, overlap in zip(owners, self._passages.found_in(texts), strict=True):
                best = found[owner]
                if overlap is not None and (best is None or overlap.share > best.share):
                    found[owner] = Contamination(self._items[overlap.passage], overlap.share)
        return found


class Decontaminator:
    """The rows without those that hold what benchmarks ask. What was found of which is told in the end."""

    name = "decontaminate"

    def __init__(self, benchmarks: Benchmarks) -> None:
        self._benchmarks, self._found = benchmarks, Counter[str]()

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows of the dataset change nothing."""

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """The rows that are contaminated, with what stands in them."""
        found = self._benchmarks.find(said_in(frame))
        self._found.update(by_benchmark(found))
        return {
            row_id: Loss("filtered", "contaminated", str(one))
            for row_id, one in zip(frame["row_id"], found, strict=True)
            if one
        }

    def close(self) -> None:
        """Tell what was found."""
        if self._found:
            counts = ", ".join(f"{name} {count:,}" for name, count in self._found.most_common())
            tell(f"rows that hold what a benchmark asks, and are left out: {counts}")


def _owned(rows: Iterable[Sequence[str]], found: list[Contamination | None]) -> Iterator[tuple[int, str]]:
    """Each text with the number of its row. `found` gets a place for each row."""
    for number, row in enumerate(rows):
        found.append(None)
        yield from ((number, text) for text in row)


def by_benchmark(found: Iterable[Contamination | None]) -> dict[str, int]:
    """How many rows hold what which benchmark asks, the most first."""
    return dict(Counter(one.item.benchmark for one in found if one).most_common())
