"""What a trainer will really see of a dataset: rows in, a table of facts and a count of faults out. Asks no model.

    dataset = FitDataset("datasets/sft", Fit(), open_target("HuggingFaceTB/SmolLM2-135M-Instruct"))
    while (part := dataset.part(start, 5_000)).height: ...

Any dataset that the seeds' readers open: a folder, a file, `hf:NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError
from tasks.models.target import Target
from tasks.publish.trainers.choose import Fit, rule_of
from tasks.publish.trainers.example import (
    SHAREGPT_ROLES,
    VARIABLES,
    Example,
    Shape,
    example_of,
    example_shape,
    is_alpaca,
)
from tasks.publish.trainers.facts import Facts, RowFacts, unreadable
from tasks.publish.trainers.findings import FitTally
from tasks.seeds.readers import BadRecord, Reader, Record
from tasks.seeds.sources import reader_of
from tasks.storage.digest import digest

if TYPE_CHECKING:
    import polars as pl

IN_PART = 5_000  # rows
UNBOUNDED = 1 << 30
"""Tokens: a bound that no row reaches, to find the lengths that there are."""
AT_ONCE = 256  # rows whose texts become tokens together
VERSION = "2"  # of the rules: it rises with each change of what they tell
OF_ROW_FACTS = tuple(field.name for field in fields(RowFacts))
ROW_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class FitDataset:
    """A dataset before its trainer. Opening it raises ConfigError where it is not there, or no trainer reads it."""

    spec: str
    params: Fit
    target: Target
    split: str | None = None

    @cached_property
    def reader(self) -> Reader:
        """Who reads it."""
        return reader_of(self.spec, self.split, as_text=True)

    @cached_property
    def shape(self) -> Shape:
        """What its rows are, by the columns of the first one. Raises ConfigError."""
        columns = self.reader.header() if self.reader.header else list(self._first())
        return example_shape(columns, self.reader.name)

    @property
    def told(self) -> str:
        """What its user has to know of how it is read; empty where there is nothing."""
        columns, is_trl = self.reader.header() if self.reader.header else self._first(), self.params.trainer == "trl"
        if self.shape == "messages" and is_alpaca(columns):
            what = f"{self.reader.name}: instruction, input and output are read as a conversation"
            return f"{what}; TRL reads them as `messages` only" if is_trl else what
        if is_trl and "conversations" in columns and (name := self._renamed()):
            what = f"{self.reader.name}: {name} is read as {SHAREGPT_ROLES[name]}"
            return f"{what}; TRL gives the template the names as they are: rename them"
        return ""

    def _renamed(self) -> str:
        """A role of the first record that has another name for templates; empty where there is none."""
        record = next((record for _, record in self.reader.records(0, None)), None)
        turns = record.get("conversations") if isinstance(record, dict) else None
        names = (
            [str(turn.get("from")) for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
        )
        return next((name for name in names if SHAREGPT_ROLES.get(name, name) != name), "")

    @cached_property
    def _content(self) -> str:
        return self.reader.content()

    @property
    def key(self) -> str:
        """A digest of all that the facts depend on."""
        shaping = self.params.model_dump_json()
        return digest(self._content, self.target.identity, shaping, self.split or "", VERSION)

    def check(self) -> None:
        """Raise ConfigError where the trainer does not take the dataset."""
        rule_of(self.params, self.target).check(self.shape)

    def part(self, start: int, rows: int) -> pl.DataFrame:
        """The facts of rows from `start` on, counted from 0, in the schema `FitRows`; an empty frame behind the last one."""
        import polars as pl

        from tasks.engine.validate import schema_dtypes, validate

        rule, facts, lines = rule_of(self.params, self.target), Facts(self.target), list[dict[str, Any]]()
        records = _with_variables(list(islice(self.reader.records(start, None), rows)))
        for first in range(0, len(records), AT_ONCE):
            batch = records[first : first + AT_ONCE]
            examples = [self._example(place, record) for place, record in batch]
            seen = rule.see([example for example in examples if isinstance(example, Example)])
            of_row = groupby(seen, key=lambda one: id(one.example))
            for (place, _), example in zip(batch, examples, strict=True):
                row = example if isinstance(example, RowFacts) else facts.of_row(list(next(of_row)[1]))
                lines.append({name: getattr(row, name) for name in OF_ROW_FACTS} | {"place": place})
        good, bad = validate(pl.DataFrame(lines, schema=schema_dtypes("FitRows")), "FitRows")
        if bad:
            said = f"{self.reader.name}: {next(iter(bad.values()))}"
            raise ConfigError("two rows have one id", said, "every row needs an id of its own")
        return good

    def longest(self, share: float) -> int:
        """The shortest length at which this share of the rows stays whole, in tokens. The rule has to have no bound."""
        tally, start = FitTally(), 0
        while (part := self.part(start, IN_PART)).height:
            tally.add_part(part)
            start += IN_PART
        return tally.length_at(share)

    def _example(self, place: int, record: Any) -> Example | RowFacts:
        """A record as an example, or what is wrong with it."""
        if isinstance(record, BadRecord):
            return unreadable(self._id(place, {}), str(record.error))
        row_id = self._id(place, record)
        try:
            return example_of(row_id, record, self.shape)
        except ValueError as error:
            return unreadable(row_id, str(error))

    def _id(self, place: int, record: dict[str, Any]) -> str:
        """Its own id, or one made of its place, where it has none."""
        given = record.get("row_id")
        return given if isinstance(given, str) and ROW_ID.fullmatch(given) else digest(self._content, str(place))

    def _first(self) -> Mapping[str, Any]:
        for _, record in self.reader.records(0, None):
            if not isinstance(record, BadRecord):
                return record
        raise ConfigError("there is no row in it", self.reader.name, "give at least one")


def _with_variables(records: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
    """The records of a part with the template's variables in all of them where some have any, as a dataset has columns."""
    if not any(isinstance(record, dict) and VARIABLES in record for _, record in records):
        return records
    return [(at, {VARIABLES: None} | record if isinstance(record, dict) else record) for at, record in records]
