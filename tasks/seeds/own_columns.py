"""The columns of a seed file that are the user's own: no row is made of them, and none is lost.

They lie as JSON beside the seeds (`source_columns` in `provenance.parquet`), so that a row can be joined to its source. Those
that the user names in `keep_columns` go with the rows as well (`kept_columns`), and become columns of the dataset.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from tasks.columns import FOUND_COLUMNS, KEPT_COLUMNS, LANGUAGE, MADE_FROM, SOURCE_COLUMNS
from tasks.errors import ConfigError, did_you_mean
from tasks.seeds.readers import BadRecord, Reader

ALL = "*"
INTERNAL = (SOURCE_COLUMNS, KEPT_COLUMNS)
LOOKED_AT = 10  # records that tell which columns hold bytes


@dataclass(frozen=True)
class OwnColumns:
    """Which columns of a source are the user's own.

    `read`: those that rows are made of; `left_out`: those that hold bytes, which JSON does not. `keep`: the names that
    the dataset has as well, or "*", all of them; `taken`: the names that it has without them.
    """

    read: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    keep: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame of seeds that hold them."""
        return INTERNAL if self.keep else (SOURCE_COLUMNS,)

    def texts(self, record: Mapping[str, Any], at: str) -> tuple[str | None, ...]:
        """What a record holds of them, a JSON object for each of these columns; None where there is none.

        Raises ConfigError where all are to be kept, and one has a name that the dataset has.
        """
        own = {name: value for name, value in record.items() if name not in self.read}
        if not self.keep:
            return (self._text(own),)
        kept = self._all_of(own) if ALL in self.keep else {name: record.get(name) for name in self.keep}
        if clash := self.taken.intersection(kept):
            raise clashing(min(clash), at)
        return self._text(own), self._text(kept)

    def _text(self, values: Mapping[str, Any]) -> str | None:
        there = {n: value for n, value in values.items() if value is not None and n not in self.left_out}
        return _json(there) if there else None

    def _all_of(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The user's own, without what a dataset of ours says of its rows. What was found about them may be the user's."""
        made = {"row_id", LANGUAGE, *MADE_FROM} - {*FOUND_COLUMNS} if "row_id" in own else ()
        return {name: value for name, value in own.items() if name not in made}


def own_columns(
    reader: Reader, names: Sequence[str], read: Collection[str], keep: Sequence[str], taken: Collection[str]
) -> OwnColumns:
    """The user's own columns of a source. Raises ConfigError for a name to keep that it does not have, or the dataset has."""
    for name in keep:
        if name == ALL:
            continue
        if name not in names and not _is_there(reader, name):
            raise ConfigError(
                "keep_columns names a column that is not there", name, did_you_mean(name, names, at_least=0.6)
            )
        if name in taken:
            raise clashing(name, reader.name)
    return OwnColumns(frozenset(read), _of_bytes(reader, names), tuple(keep), frozenset(taken))


def clashing(name: str, where: str) -> ConfigError:
    """The error for a column to keep that the dataset has under the same name."""
    return ConfigError(
        "keep_columns names a column that the dataset has already",
        f"{name} in {where}",
        "call it something else, or name the others",
    )


def _is_there(reader: Reader, name: str) -> bool:
    """Whether a record has a column that the first ones do not."""
    return reader.header is None and any(
        name in record for _, record in reader.records(0, None) if not isinstance(record, BadRecord)
    )


def _of_bytes(reader: Reader, names: Sequence[str]) -> frozenset[str]:
    """The columns that hold bytes (pictures, say)."""
    if reader.header is None:
        return frozenset()  # a text file holds none
    first = [r for _, r in islice(reader.records(0, list(names)), LOOKED_AT) if not isinstance(r, BadRecord)]
    return frozenset(name for name in names if any(_holds_bytes(record.get(name)) for record in first))


def _holds_bytes(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_bytes, value.values()))
    return any(map(_holds_bytes, value)) if isinstance(value, list) else isinstance(value, bytes)


def _json(values: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(values, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a whole number of more than 64 bits, or half a surrogate pair
        return json.dumps(values, default=str)
