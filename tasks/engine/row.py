"""A row: one record with an id made from its content, and every random choice it makes drawn from that id."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from tasks.columns import LANGUAGE
from tasks.errors import RowLoss
from tasks.stale_columns import stale_columns
from tasks.storage.digest import canonical, digest, uniform
from tasks.text.words import nfc

T = TypeVar("T")


class Call(NamedTuple):
    """One answered ask of a row: what was asked of which model, and what it took. A line of provenance, as it stands."""

    role: str
    template: str
    sample: int
    prompt_digest: str
    model: str
    sampling: str
    seed: int
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Something inside a row that was lost while the row lives on, or the whole row (a reject)."""

    kind: str
    reason: str
    detail: str = ""
    attempts: int = 0
    raw: str | None = None

    @classmethod
    def of(cls, error: RowLoss) -> Loss:
        """The record of an error."""
        return cls(error.kind, error.reason, error.detail, error.attempts, error.raw)


@dataclass(slots=True, eq=False)
class Row(Mapping[str, Any]):
    """One record, read like a dict of its columns.

    `row_id`: 32 hex digits. `run_seed`: seeds every choice. `epoch`: how often this row has failed at this step
    before, which widens its attempts. `changes`: what was changed since the row that came in.
    """

    row_id: str
    columns: Mapping[str, Any]
    run_seed: int = 0
    epoch: int = 0
    order: int = 0
    parents: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    technique: str = ""
    children: int = 0
    losses: list[Loss] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __getitem__(self, column: str) -> Any:
        return self.columns[column]

    def get(self, column: str, default: Any = None) -> Any:
        """The column's value, `default` where the row has no such column (the abc's own is ten times slower)."""
        return self.columns.get(column, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def draw(self, *purpose: str | int) -> float:
        """A float in [0, 1) drawn from (run seed, row id, purpose): the same in any batch, process or order."""
        return uniform(self.run_seed, self.row_id, *purpose)

    def choose(self, options: Sequence[T], *purpose: str | int, weights: Sequence[float] | None = None) -> T:
        """One of `options`, drawn from (run seed, row id, purpose). Weights need not sum to one."""
        point = self.draw(*purpose)
        if weights is None:
            return options[int(point * len(options))]
        point *= sum(weights)
        for option, weight in zip(options, weights, strict=True):
            point -= weight
            if point < 0:
                return option
        return next(o for o, w in zip(reversed(options), reversed(weights), strict=True) if w > 0)

    def rng(self, *purpose: str | int) -> random.Random:
        """A generator for shuffles and samples, seeded by (run seed, row id, purpose)."""
        return random.Random(digest(self.run_seed, self.row_id, *purpose))

    def child(self, **changes: Any) -> Row:
        """A row made of this one: its columns with `changes` over them, its id from (parent, technique, position).

        A column that was made from one that changes becomes null, unless `changes` give it anew.
        """
        position = self.children
        self.children += 1
        changes = dict.fromkeys(stale_columns(self.columns, changes)) | changes
        return Row(
            row_id=digest(self.row_id, self.technique, position),
            columns={**self.columns, **changes},
            run_seed=self.run_seed,
            parents=(self.row_id,),
            changes={**self.changes, **changes},
            technique=self.technique,
            order=self.order,
        )

    def kept(self, **found: Any) -> Row:
        """The row itself, as what comes out of a step that decides whether it stays: same id, same columns.

        `found`: columns with what the step has found out about the row. They change nothing that it holds.
        """
        return Row(
            row_id=self.row_id,
            columns={**self.columns, **found} if found else self.columns,
            run_seed=self.run_seed,
            parents=(self.row_id,),
            changes={**self.changes, **found},
            technique=self.technique,
            order=self.order,
        )

    def lose(self, error: RowLoss) -> None:
        """Record a loss: part of this row came to nothing, the row lives on."""
        self.losses.append(Loss.of(error))


def language_for(run_seed: int, row_id: str, languages: Sequence[str]) -> str:
    """The language that a row is drawn for, whatever the order of them. One more takes rows from the others, evenly."""
    return max(languages, key=lambda language: uniform(run_seed, row_id, LANGUAGE, language))


def seed_row_id(mapped: Mapping[str, Any]) -> str:
    """The id of a seed: the digest of its mapped columns, so that moving or adding rows changes nothing."""
    return seed_row_ids(mapped)[0]


def seed_row_ids(mapped: Mapping[str, Any]) -> tuple[str, str]:
    """The id of a seed, and the one that it would have if its texts were written in NFC: mostly the same."""
    text = canonical(mapped)
    own = digest("seed", text)
    return own, own if text.isascii() else digest("seed", nfc(text.decode()).encode())
