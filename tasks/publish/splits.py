"""Which split of a dataset a row belongs to: drawn from what its conversation begins with, and from nothing else.

    splits: {train: 0.95, test: 0.05}

A row goes by the first thing that the user says, system prompts aside: so a prompt never changes its split, from night to
night and from one seed of the run to another, and never stands in two; nor do two conversations that begin alike, or the
turns of one as rows of their own. All splits but `train` have their share of the unit interval first, by name; what is left
is `train`'s. Another share of one held-out split thus moves rows between it, those after it and `train`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tasks.storage.digest import uniform
from tasks.text.responses import normalised

if TYPE_CHECKING:
    import polars as pl

TRAIN_SPLIT = "train"
NO_SPLITS: Mapping[str, float] = {TRAIN_SPLIT: 1.0}


def check_splits(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares, `train` first. Raises ValueError where a name is not one for `datasets`, or they are not 1 together."""
    for name, share in shares.items():
        if not name.isascii() or not name.isidentifier() or name == "all":
            raise ValueError(f"{name!r} is no name for a split: letters, digits and _, and not `all`")
        if not 0 < share <= 1:
            raise ValueError(f"the share of {name} is {share}: give one above 0, up to 1")
    if TRAIN_SPLIT not in shares:
        raise ValueError("give the share of `train` as well")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"the shares are {sum(shares.values()):g} together: they have to be 1")
    return {TRAIN_SPLIT: shares[TRAIN_SPLIT]} | {name: shares[name] for name in sorted(shares) if name != TRAIN_SPLIT}


def splits_of(frame: pl.DataFrame, shares: Mapping[str, float]) -> list[str]:
    """The split of each row. Takes responses, pairs, and the rows of a dataset in each of its formats."""
    if len(shares) == 1:
        return [next(iter(shares))] * frame.height
    held_out = [name for name in shares if name != TRAIN_SPLIT]
    ends = list(accumulate(shares[name] for name in held_out))
    return [_drawn(words, held_out, ends) for words in _first_words(frame)]


def parted(frame: pl.DataFrame, shares: Mapping[str, float]) -> dict[str, pl.DataFrame]:
    """The frame by split, each with its rows in order."""
    import polars as pl

    if len(shares) == 1:
        return {next(iter(shares)): frame}
    names = pl.Series(splits_of(frame, shares), dtype=pl.String)
    return {name: frame.filter(names == name) for name in shares}


def _drawn(words: str, held_out: Sequence[str], ends: Sequence[float]) -> str:
    at = uniform("split", normalised(words).encode(errors="surrogatepass"))
    return next((name for name, end in zip(held_out, ends, strict=True) if at < end), TRAIN_SPLIT)


def _first_words(frame: pl.DataFrame) -> list[str]:
    """What each row's conversation begins with."""
    for column in ("messages", "prompt", "chosen"):
        if column in frame.columns and hasattr(frame.schema[column], "inner"):
            asked = frame["instruction"].to_list() if "instruction" in frame.columns else [""] * frame.height
            talks = frame[column].to_list()
            return [_opening(turns) if turns else words for turns, words in zip(talks, asked, strict=True)]
    return list(frame["instruction"])


def _opening(turns: Sequence[Mapping[str, Any]]) -> str:
    """The user's first turn, else the first that is not the system's."""
    said = [turn for turn in turns if turn["role"] != "system"]
    first = next((turn for turn in said if turn["role"] == "user"), said[0] if said else turns[0])
    return first["content"] or ""
