"""What rows are about: groups of rows whose vectors lie together, named by words that are frequent there and rare elsewhere.

The groups are of k-means on the vectors (the first centres by k-means++, from a fixed seed); the words by how much more
often they stand in a group's questions than in all. Words of scripts without spaces are pairs of characters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.publish.report.verbs import BOUNDARIES, PASSED_OVER
from tasks.text.words import is_spaceless, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_ROWS = 20
"""Of fewer rows no groups are made."""
MOST_TOPICS, MOST_BELOW = 10, 4
MOST_ROUNDS = 25
NAME_WORDS = 4
NO_NAMES = BOUNDARIES | PASSED_OVER
ASKED_WORDS = 200
"""Of a question, which can name its group."""


@dataclass(slots=True)
class Topic:
    """A group of rows: its words, where its rows stand in the sample, the one in its middle, and the groups within it."""

    name: str
    rows: list[int]
    middle: int
    below: list[Topic] = field(default_factory=list)


def topics_of(vectors: NDArray[np.float32], texts: Sequence[str]) -> list[Topic]:
    """The topics of rows, the largest first, each with those within it; none of few rows. `vectors`: one a row, length 1."""
    if len(texts) < FEWEST_ROWS:
        return []
    found = _groups(vectors, texts, list(range(len(texts))), min(MOST_TOPICS, len(texts) // 10))
    for topic in found if len(found) > 1 else ():
        if len(topic.rows) >= FEWEST_ROWS:
            below = _groups(vectors, texts, topic.rows, min(MOST_BELOW, len(topic.rows) // 10))
            topic.below = below if len(below) > 1 else []
    return found


def _groups(vectors: NDArray[np.float32], texts: Sequence[str], rows: Sequence[int], wanted: int) -> list[Topic]:
    """These rows in so many groups or fewer, the largest first."""
    chosen = vectors[list(rows)]
    of_row, centres = _k_means(chosen, max(1, wanted))
    terms = [set(_terms(texts[at])) for at in rows]
    overall = Counter(term for those in terms for term in those)
    found = []
    for group in range(len(centres)):
        mine = [at for at, other in enumerate(of_row) if other == group]
        if not mine:
            continue
        middle = mine[int((chosen[mine] @ centres[group]).argmax())]
        inside = Counter(term for at in mine for term in terms[at])
        name = _name(inside, overall, len(mine), len(rows))
        found.append(Topic(name, [rows[at] for at in mine], rows[middle]))
    return sorted(found, key=lambda topic: (-len(topic.rows), topic.rows[0]))


def _k_means(vectors: NDArray[np.float32], wanted: int) -> tuple[list[int], NDArray[np.float32]]:
    """The group of each vector, and the centres. Vectors that are alike leave fewer groups."""
    import numpy as np

    draw = np.random.default_rng(0)
    centres = vectors[[int(draw.integers(len(vectors)))]]
    while len(centres) < wanted:
        far = np.clip(1.0 - (vectors @ centres.T).max(1), 0, None).astype(np.float64) ** 2
        if far.sum() < 1e-9:
            break
        centres = np.vstack([centres, vectors[int(draw.choice(len(vectors), p=far / far.sum()))]])
    of_row = (vectors @ centres.T).argmax(1)
    for _ in range(MOST_ROUNDS):
        sums = (of_row[:, None] == np.arange(len(centres))).astype(np.float32).T @ vectors
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-9), centres)
        before, of_row = of_row, (vectors @ centres.T).argmax(1)
        if (before == of_row).all():
            break
    return of_row.tolist(), centres


def _terms(text: str) -> Iterator[str]:
    """What can name a topic: words of two letters or more, and pairs of characters where there are no spaces."""
    found = words(text)[:ASKED_WORDS]
    for at, word in enumerate(found):
        if not is_spaceless(word[0]):
            if len(word) > 1 and not word.isdigit() and word not in NO_NAMES:
                yield word
        elif at + 1 < len(found) and is_spaceless(found[at + 1][0]):
            yield word + found[at + 1]


def _name(inside: Counter[str], overall: Counter[str], rows: int, all_rows: int) -> str:
    """Its words: those whose share here is large, and larger than elsewhere."""

    def weight(term: str) -> float:
        share, usual = inside[term] / rows, overall[term] / all_rows
        return share * math.log(share / usual) if share > usual else 0.0

    ranked = sorted(inside, key=lambda term: (-weight(term), term))
    telling = [term for term in ranked[:NAME_WORDS] if weight(term) > 0]
    usual = [term for term, _ in sorted(inside.items(), key=lambda one: (-one[1], one[0]))[:NAME_WORDS]]
    return ", ".join(telling or usual) or "without words"
