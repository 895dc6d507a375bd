"""The rows of a dataset in further formats, beside those that they are made of: each a config of its own for `datasets`.

stillroom sft --format messages --format prompt_completion
load_dataset(DIR)                            the first format that was named
load_dataset(DIR, "prompt_completion")       data/prompt_completion/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tasks.errors import ConfigError
from tasks.publish.format_names import ReasoningShape
from tasks.publish.formats.all_formats import MAIN, format_of, in_format
from tasks.publish.formats.reasoning import with_reasoning
from tasks.publish.revisions import DATA, data_files
from tasks.storage.shard_files import write_shards
from tasks.storage.tables import read_stream


@dataclass(frozen=True)
class Derived:
    """Which formats rows are given in. `kind`: sft or dpo; `reasoning`, `modes`: see `formats/reasoning.py`."""

    kind: str
    formats: tuple[str, ...]
    reasoning: ReasoningShape = "none"
    modes: bool = False

    def check(self) -> None:
        """Raise ConfigError where one of the formats is none, or has no room for reasoning as it was asked for."""
        for name in self.formats:
            form = format_of(self.kind, name)
            if self.reasoning == "reasoning_content" and not form.keeps_turns:
                fix = "give reasoning=think or reasoning=column"
                raise ConfigError("the format has no field of a turn for reasoning", name, fix)
        if self.kind != "sft" and (self.reasoning != "none" or self.modes):
            raise ConfigError("reasoning is kept of conversations only", self.kind, "leave it out")
        if self.modes and self.reasoning == "none":
            raise ConfigError("rows with and without reasoning need its shape", "none", "give e.g. reasoning=think")

    def needing(self, column: str) -> str | None:
        """The first of the formats that says nothing of rows without this column; None where there is none."""
        return next((name for name in self.formats if format_of(self.kind, name).needs == column), None)

    @property
    def is_plain(self) -> bool:
        """Whether rows are as they are made, apart from their format."""
        return self.reasoning == "none"

    @property
    def to_make(self) -> tuple[str, ...]:
        """The formats that are not the rows as they are."""
        return tuple(name for name in self.formats if not (self.is_plain and name == MAIN[self.kind]))

    def frames(
        self, frames: Iterator[pl.DataFrame], provenance: Path, name: str, left_out: Counter[str]
    ) -> Iterator[pl.DataFrame]:
        """These rows in a format; what it cannot say is counted by reason."""
        if not self.is_plain:
            frames = with_reasoning(frames, provenance, self.reasoning, modes=self.modes)
        return in_format(frames, self.kind, name, left_out)


def write_derived(draft: Path, derived: Derived) -> dict[str, Counter[str]]:
    """Write the rows of a draft in their further formats; what each leaves out, by reason."""
    left_out = {name: Counter[str]() for name in derived.to_make}
    for name, counts in left_out.items():
        for split, files in data_files(draft).items():
            frames = derived.frames(read_stream(*files), draft / "provenance.parquet", name, counts)
            if not write_shards(draft / DATA / name, split, frames):
                (draft / DATA / name / f"{split}.parquet").unlink(
                    missing_ok=True
                )  # `datasets` does not open an empty one
    return {name: counts for name, counts in left_out.items() if counts}
