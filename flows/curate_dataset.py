"""What `stillroom curate` can be told: any dataset that is there, and what is thrown away of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from flows.config import InstructionSFT, PreferenceDPO, RunConfig, Seeds
from tasks.errors import ConfigError
from tasks.seeds.mixing.parts import MixturePart, check_parts
from tasks.seeds.there import HUB_PREFIX
from tasks.storage.places import is_url

CURATED, MIXED = "curate", "mixture"


class CurateDataset(RunConfig):
    """A dataset that is there, without the rows that its curation takes out. Models are asked where a part of it asks one."""

    source: Seeds | None = Field(
        None,
        description="the dataset: a folder of ours, a .jsonl or .parquet file, another folder, hf:NAME, or a list. Of "
        "`messages`, `prompt` with `completion`, `chosen` with `rejected`, or another form that seeds come in",
    )
    columns: dict[str, str] = Field({}, description="our column -> the dataset's column, e.g. instruction: prompt")
    mixture: list[MixturePart] = Field(
        [],
        description="several datasets in place of `source`, mixed into one of `rows` rows, each with its `weight`; the "
        "column `source` says where a row comes from",
    )

    @property
    def full_recipe(self) -> str:
        """The name of the only recipe that curation has."""
        return CURATED

    @property
    def rows_format(self) -> str:
        """The records stay as they are."""
        return "records"

    @property
    def dataset(self) -> str:
        """The name of the dataset: that of its folder, else that of what it is made of."""
        if self.mixture and not (self.out or self.name):
            return MIXED
        if self.out or self.name or not isinstance(self.source, str):
            return super().dataset
        name = self.source.removeprefix(HUB_PREFIX).rstrip("/").rpartition("/")[2].partition(":")[0]
        return f"{name.partition('.')[0]}-curated"

    @field_validator("incremental")
    @classmethod
    def _makes_all_of_it(cls, incremental: bool) -> bool:
        if incremental:
            raise ValueError("a curated dataset is made anew each time; what has not changed costs nothing")
        return incremental

    @model_validator(mode="after")
    def _one_or_mixed(self) -> Self:
        if self.mixture and (self.source is not None or self.columns):
            raise ValueError("give the datasets of a mixture as its parts, with the columns of each, and no source")
        return self

    @property
    def sources(self) -> list[Seeds]:
        """All datasets that are read."""
        return [part.source for part in self.mixture] or ([] if self.source is None else [self.source])

    def check_apart(self) -> None:
        """Raise ConfigError where the dataset to write is one that is read, or one of them lies within the other.

        And for a mixture whose parts have one name, or that is not told how many rows to have.
        """
        check_parts(self.mixture)
        if self.mixture and self.rows is None:
            raise ConfigError("a mixture needs to know how many rows to have", None, "give --rows N")
        for named in self.sources:
            if not isinstance(named, str) or named.startswith(HUB_PREFIX) or (self.out and is_url(self.out)):
                continue
            source, out = Path(named).expanduser().resolve(), Path(self.out or f"datasets/{self.dataset}").resolve()
            if source.is_relative_to(out) or out.is_relative_to(source):
                raise ConfigError("the dataset would be written where it is read from", out, "give another --out")


CONFIG_KINDS: Mapping[str, type[RunConfig]] = {"sft": InstructionSFT, "dpo": PreferenceDPO, CURATED: CurateDataset}
"""What a run of each kind is told."""
FLOW_NAMES = {"sft": "instruction-sft", "dpo": "preference-dpo"}
"""The flows that make datasets, as Prefect names them."""
