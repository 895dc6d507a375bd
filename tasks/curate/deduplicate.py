"""Rows that ask what another row asks, word for word or nearly so: of a group the first row stays, or the best one.

    stillroom sft --seeds seeds.jsonl --set curate.deduplicate.threshold=0.8
    stillroom curate rows.jsonl --set curate.deduplicate.best_by=score --set curate.deduplicate.similarity=0.95

Rows are compared by their prompts (all turns before the answer, no system prompts). In the order of candidates the first
of a group stays, so that order decides; with `best_by` a column of the rows decides, and order nothing. Rows of the dataset
that a run adds to or heals come first and stay. Asks no model but, with `similarity`, an embedder. How it is done, and what
was measured: `docs/curation_duplicates.md`.
Every command reads the settings: what does the work is imported when it begins.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tasks.curate.row_texts import answer_lengths, asked_in
from tasks.engine.row import Loss
from tasks.engine.sieve import SieveParams
from tasks.errors import ConfigError
from tasks.seeds.there import HUB_PREFIX

if TYPE_CHECKING:
    import polars as pl

    from tasks.curate.held_texts import Buckets
    from tasks.curate.near_index import NearMatch

READ_AT_ONCE = 1000
WRITTEN = 0.7  # the threshold for prompts that a model has written: docs/curation_duplicates.md
SEVERAL_A_PROMPT = frozenset({"chosen", "label"})  # pairs of one prompt; its wanted and its unwanted answer (KTO)
ID_COLUMNS = ("row_id", "prompt_id")
CALIBRATED = "calibrated"


class Deduplicate(SieveParams):
    """Which prompts say the same."""

    threshold: float | None = Field(
        None,
        ge=0.3,
        le=1,
        description="share of words and pairs of words in common (Jaccard) from which on two prompts are near duplicates; "
        "1: the same words in the same pairs; empty: 0.7 where a model has written the prompts, 1 where they are given",
    )
    same_figures: bool = Field(
        True, description="prompts with other numbers or mathematical signs in them are no duplicates"
    )
    contained: bool = Field(
        False,
        description="a prompt of eight words or more that stands within another one, and that one, are duplicates",
    )
    together: bool = Field(
        False,
        description="rows of one prompt that lie side by side, as several answers to it do, stay or go together; so do "
        "pairs, and all rows where text_generation.generations is above 1",
    )
    longest: bool = Field(
        False,
        description="of several answers to one prompt that lie side by side only the longest stays, the first of equal ones",
    )
    against: tuple[str, ...] = Field(
        (), description="files, folders or hf:NAME with rows whose prompts must not come again"
    )
    best_by: str | None = Field(
        None,
        min_length=1,
        description="column with a number, e.g. score, reward: of a group the row with the highest stays, of equal ones that "
        "with the lower row id, in any order of the rows; empty: the first",
    )
    similarity: Annotated[float, Field(gt=0, le=1)] | Literal["calibrated"] | None = Field(
        None,
        description="cosine similarity of the prompts' embeddings above which a row goes; calibrated: by shuffled pairs of "
        "the candidates; empty: embeddings are not compared",
    )

    @property
    def needs_all(self) -> bool:
        """Whether nothing can be said of a row before all are there."""
        return self.best_by is not None or self.embeds

    @property
    def embeds(self) -> bool:
        """Whether prompts are compared by embeddings, too."""
        return self.similarity is not None

    def for_rows(self, *, given: bool, several: bool) -> Deduplicate:
        """The same for a recipe. `given`: its prompts are the user's own, of which only equal ones are surely meant as one;
        `several`: it gives several answers to a prompt.
        """
        threshold = self.threshold or (1.0 if given else WRITTEN)
        return self.model_copy(update={"threshold": threshold, "together": self.together or several})

    def check(self) -> None:
        """Raise ConfigError where other data is not there or has no prompts. Those of the Hub are looked at when read."""
        from tasks.seeds.sources import open_source

        for spec in self.against:
            if not spec.startswith(HUB_PREFIX):
                open_source(spec)

    def open(self, home: Path, buckets: Buckets | None = None) -> Deduplicator:
        """The sieve, which has read the other data. `buckets`: where it holds prompts, if not below `home`. Raises ConfigError."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="near-", dir=home))
        except OSError as error:
            raise ConfigError("cannot write what duplicates are found by", f"{home}: {error.strerror}") from error
        made = Deduplicator(self, folder, buckets)
        try:
            for spec in self.against:
                made.hold_other(spec)
        except BaseException:
            made.close()
            raise
        return made


@dataclass(frozen=True, slots=True)
class PromptUnit:
    """Rows that stay or go together, with what they ask. `name`: the id of that one by which others are told of them."""

    name: str
    row_ids: Sequence[str]
    prompt: str


class Deduplicator:
    """The prompts that have stayed so far, in `folder`, which is deleted in the end, or in buckets, which are closed."""

    name = "deduplicate"

    def __init__(self, params: Deduplicate, folder: Path, buckets: Buckets | None = None) -> None:
        from tasks.curate.held_texts import TextsInBuckets
        from tasks.curate.near_index import NearIndex

        self._folder, self._buckets = folder, buckets
        self._index = NearIndex(
            folder,
            params.threshold or WRITTEN,
            same_figures=params.same_figures,
            contained=params.contained,
            held=None if buckets is None else TextsInBuckets(buckets),
        )
        self._together, self._longest, self._others = params.together, params.longest, 0

    def hold_other(self, spec: str) -> None:
        """Prompts of other data, which must not come again. They are named by their number there."""
        for names, frame in numbered_rows(spec):
            self._index.hold(zip(names, asked_in(frame), strict=True))
        self._others = len(self._index)

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows of the dataset, which stay in any case; where its format has no ids, named by their number."""
        column = next((name for name in ID_COLUMNS if name in frame.columns), None)
        first = len(self._index) - self._others + 1
        ids = frame[column].to_list() if column else [f"row {first + at}" for at in range(frame.height)]
        self._index.hold(zip(ids, asked_in(frame), strict=True))

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """The rows whose prompt has come before; of rows that stay or go together, that of the first counts."""
        units, gone = self.units(frame)
        return gone | self.match(units)

    def units(self, frame: pl.DataFrame) -> tuple[list[PromptUnit], dict[str, Loss]]:
        """The rows of a table as they stay or go together, and those that go whatever else there is (`longest`)."""
        ids, prompts = frame["row_id"].to_list(), asked_in(frame)
        together = self._together or self._longest or bool(SEVERAL_A_PROMPT.intersection(frame.columns))
        firsts = list(_firsts(prompts)) if together else list(range(len(ids)))
        groups = [range(first, end) for first, end in pairwise([*firsts, len(ids)])]
        gone = dict(_shorter(ids, groups, answer_lengths(frame))) if self._longest else {}
        named = [next(ids[at] for at in group if ids[at] not in gone) for group in groups]
        units = [
            PromptUnit(name, [ids[at] for at in group], prompts[group[0]])
            for name, group in zip(named, groups, strict=True)
        ]
        return units, gone

    def match(self, units: Sequence[PromptUnit]) -> dict[str, Loss]:
        """The rows of units whose prompt has come before. The others' prompts are held from now on."""
        matches = self._index.add((unit.name, unit.prompt) for unit in units)
        return {
            row_id: self._loss(match)
            for match, unit in zip(matches, units, strict=True)
            if match
            for row_id in unit.row_ids
        }

    def _loss(self, match: NearMatch) -> Loss:
        if match.contained is not None:
            return Loss("filtered", "contained", f"{match.row_id}, share {match.contained:.2f}")
        if not match.exact:
            return Loss("filtered", "near_duplicate", f"{match.row_id}, Jaccard {match.jaccard:.2f}")
        is_of_dataset = match.place is not None and match.place >= self._others
        return Loss("filtered", "duplicate_of_earlier" if is_of_dataset else "duplicate", match.row_id)

    def close(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder)
        if self._buckets is not None:
            self._buckets.close()


def numbered_rows(spec: str) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """The rows of other data, some at once, each with what it is called: by its number there."""
    from tasks.seeds.sources import open_source

    first = 1
    for frame in open_source(spec).batches(READ_AT_ONCE):
        yield [f"{spec} row {first + at}" for at in range(frame.height)], frame
        first += frame.height


def _shorter(ids: list[str], groups: list[range], lengths: list[int]) -> Iterator[tuple[str, Loss]]:
    """The rows of each group but the one with the longest answer."""
    for group in groups:
        best = max(group, key=lengths.__getitem__)
        for at in group:
            if at != best:
                yield (
                    ids[at],
                    Loss("filtered", "shorter_answer", f"{ids[best]}, {lengths[at]} of {lengths[best]} characters"),
                )


def _firsts(prompts: list[str]) -> Iterator[int]:
    """Where a prompt is another than the one before it."""
    yield from range(min(1, len(prompts)))
    yield from (at for at, (before, prompt) in enumerate(pairwise(prompts), 1) if before != prompt)
