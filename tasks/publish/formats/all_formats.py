"""All formats by name, for each kind of dataset, and how rows that are published already are given in another one.

    sft   messages, openai, prompt_completion, sharegpt, alpaca; of rows with a known answer grpo, verl, open_instruct
    dpo   dpo, reward, kto, binarized, sharegpt, alpaca

The first of each is the kind's own: what a run makes first, and all others are made of it. What a format cannot say is left
out of it and counted by reason: nothing is said half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from tasks.columns import GROUND_TRUTH, KEPT_COLUMNS
from tasks.engine.validate import schema_dtypes
from tasks.errors import ConfigError, did_you_mean
from tasks.publish.formats.alpaca import alpaca, alpaca_pairs, not_in_alpaca
from tasks.publish.formats.conversations import SFT_FORMATS
from tasks.publish.formats.preference import FORMATS, OF_SOME_PAIRS
from tasks.publish.formats.reinforcement import REINFORCEMENT_FORMATS
from tasks.publish.formats.sharegpt import not_in_sharegpt, sharegpt, sharegpt_pairs

MAIN: Mapping[str, str] = MappingProxyType({"sft": "messages", "dpo": "dpo"})
"""The format that the others are made of."""


@dataclass(frozen=True)
class Format:
    """`shape`: from rows of the kind's own format; `cannot`: why a conversation is not said so, where any may not be;
    `keeps_turns`: whether a turn keeps its further fields; `needs`: a column without which a row is not said so."""

    shape: Callable[[pl.DataFrame], pl.DataFrame]
    cannot: Callable[[Any], str | None] | None = None
    keeps_turns: bool = True
    needs: str = ""


ALL_FORMATS: Mapping[str, Mapping[str, Format]] = MappingProxyType(
    {
        "sft": {name: Format(shape) for name, shape in SFT_FORMATS.items()}
        | {
            "sharegpt": Format(sharegpt, not_in_sharegpt, keeps_turns=False),
            "alpaca": Format(alpaca, not_in_alpaca, keeps_turns=False),
        }
        | {name: Format(shape, needs=GROUND_TRUTH) for name, shape in REINFORCEMENT_FORMATS.items()},
        "dpo": {name: Format(shape) for name, shape in FORMATS.items()}
        | {
            "sharegpt": Format(sharegpt_pairs, not_in_sharegpt, keeps_turns=False),
            "alpaca": Format(alpaca_pairs, not_in_alpaca, keeps_turns=False),
        },
    }
)


def format_of(kind: str, name: str) -> Format:
    """A format by its name. Raises ConfigError where rows of this kind have no such format."""
    known = ALL_FORMATS[kind]
    if name not in known:
        what = f"{kind} datasets have no such format"
        raise ConfigError(what, name, did_you_mean(name, known, f"it is one of {', '.join(known)}"))
    return known[name]


def in_format(frames: Iterable[pl.DataFrame], kind: str, name: str, left_out: Counter[str]) -> Iterator[pl.DataFrame]:
    """Rows of the kind's own format in this one. What it cannot say is left out, and counted by reason in `left_out`."""
    form = format_of(kind, name)
    talks = "messages" if kind == "sft" else "prompt"
    for frame in frames:
        rows = frame
        if form.needs:
            rows = frame.filter(pl.col(form.needs).is_not_null()) if form.needs in frame.columns else frame.clear()
            left_out.update({f"no_{form.needs}": frame.height - rows.height} if rows.height < frame.height else {})
            if form.needs not in rows.columns:
                continue
        if form.cannot is not None:
            reasons = [form.cannot(turns) for turns in frame[talks].to_list()]
            left_out.update(reason for reason in reasons if reason is not None)
            rows = frame.filter(pl.Series([reason is None for reason in reasons], dtype=pl.Boolean))
        made = form.shape(_own_apart(rows, kind))
        yield made.unnest(KEPT_COLUMNS) if KEPT_COLUMNS in made.columns else made


def _own_apart(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Pairs with the user's own columns, and what was added to ours, as one: the formats leave out all other columns."""
    ours = {*schema_dtypes("Pairs"), *OF_SOME_PAIRS}
    own = [name for name in rows.columns if name not in ours] if kind == "dpo" else []
    return rows.with_columns(pl.struct(own).alias(KEPT_COLUMNS)).drop(own) if own else rows
