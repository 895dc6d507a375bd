"""How varied a sample of rows is: how like its nearest neighbour each row is, a map of them, and what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tasks.models.embed.ngrams import NAME, ngram_vectors
from tasks.publish.report.measures import SampledRow
from tasks.publish.report.spread import Spread
from tasks.publish.report.topics import Topic, topics_of
from tasks.publish.report.verbs import VerbNouns, verb_nouns_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_ONCE = 500  # rows that are compared with all at once
SIMILARITY_BIN = 0.05
ALIKE_ABOVE = 0.95
SHOWN_PAIRS = 3
SUBSPACE, ROUNDS = 6, 40
PLACES = 3  # digits of a place on the map
RowVectors = Mapping[str, "NDArray[np.float32]"]
"""Embeddings by row_id."""


class NearPair(NamedTuple):
    """Two rows of the sample, by their places there, and the cosine of their vectors."""

    similarity: float
    one: int
    other: int


@dataclass(slots=True)
class Variety:
    """Figures of a sample. `embedder`: whose vectors they go by; `alike`: rows with a neighbour above `ALIKE_ABOVE`.

    `places`: of each row on the map, in [0, 1], none of few rows; `shown`: the share of the vectors' variance that the map has.
    """

    embedder: str
    rows: int
    nearest: Spread = field(default_factory=lambda: Spread(SIMILARITY_BIN))
    alike: int = 0
    pairs: list[NearPair] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    shown: float = 0.0
    topics: list[Topic] = field(default_factory=list)
    verbs: VerbNouns | None = None


def variety_of(
    sampled: Sequence[SampledRow], embedded: Callable[[Sequence[SampledRow]], tuple[str, RowVectors]] | None = None
) -> Variety:
    """How varied rows are. `embedded`: gives the name of an embedder and the vectors that there are; else `ngrams` makes them.

    RowVectors that there are count only where every row of the sample has one.
    """
    name, vectors = _vectors(sampled, embedded)
    found = Variety(name, len(sampled), verbs=verb_nouns_of(row.asked for row in sampled))
    if len(sampled) < 2:
        return found
    _compare(found, vectors)
    found.topics = topics_of(vectors, [row.asked or row.answered for row in sampled])
    if found.topics:
        found.places, found.shown = _map(vectors)
    return found


def _vectors(
    sampled: Sequence[SampledRow], embedded: Callable[[Sequence[SampledRow]], tuple[str, RowVectors]] | None
) -> tuple[str, NDArray[np.float32]]:
    """RowVectors of length 1, in the order of the rows, and who made them."""
    import numpy as np

    if embedded is not None:
        name, there = embedded(sampled)
        if sampled and all(row.row_id in there for row in sampled):
            vectors = np.stack([there[row.row_id] for row in sampled]).astype(np.float32)
            return name, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return NAME, ngram_vectors([row.text for row in sampled])[0]


def _compare(found: Variety, vectors: NDArray[np.float32]) -> None:
    """The nearest neighbour of each row, a block of rows at a time."""
    import numpy as np

    pairs = set[NearPair]()
    for start in range(0, len(vectors), AT_ONCE):
        block = vectors[start : start + AT_ONCE] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1
        nearest, cosines = block.argmax(1), np.clip(block.max(1), -1, 1).round(PLACES + 1)
        found.nearest.add(np.clip(cosines, 0, 0.9999).tolist())
        found.alike += int((cosines > ALIKE_ABOVE).sum())
        for at in np.argsort(-cosines, kind="stable")[: 4 * SHOWN_PAIRS]:
            one, other = start + int(at), int(nearest[at])
            pairs.add(NearPair(float(cosines[at]), min(one, other), max(one, other)))
    found.pairs = _apart(sorted(pairs, key=lambda pair: (-pair.similarity, pair.one)))[:SHOWN_PAIRS]


def _apart(pairs: Sequence[NearPair]) -> list[NearPair]:
    """The pairs without those of a row that stands in one before."""
    taken, left = set[int](), list[NearPair]()
    for pair in pairs:
        if not taken & {pair.one, pair.other}:
            left.append(pair)
        taken |= {pair.one, pair.other}
    return left


def _map(vectors: NDArray[np.float32]) -> tuple[list[tuple[float, float]], float]:
    """Places on the two axes along which vectors differ most (principal components), and the share of variance there."""
    import numpy as np

    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    variance = float((centred * centred).sum())
    if variance < 1e-9 or min(centred.shape) < 2:
        return [(0.5, 0.5)] * len(vectors), 0.0
    axes = _first_axes(centred)
    axes *= np.where(axes[np.abs(axes).argmax(0), [0, 1]] < 0, -1, 1)  # else a sign says which library has computed it
    found = centred @ axes
    low, high = found.min(0), found.max(0)
    places = ((found - low) / np.maximum(high - low, 1e-9)).round(PLACES)
    return [(x, y) for x, y in places.tolist()], round(float((found * found).sum()) / variance, PLACES)


def _first_axes(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two axes of the greatest variance, of shape (dimensions, 2), by subspace iteration.

    A full decomposition has every thread of the processor wait for every other: seconds, where others are at work.
    """
    import numpy as np

    axes = np.random.default_rng(0).standard_normal((centred.shape[1], min(SUBSPACE, *centred.shape)))
    for _ in range(ROUNDS):
        axes, _ = np.linalg.qr(centred.T @ (centred @ axes))
    inside = centred @ axes
    _, turn = np.linalg.eigh(inside.T @ inside)
    two: NDArray[np.float64] = axes @ turn[:, [-1, -2]]
    return two
