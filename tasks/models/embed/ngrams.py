"""`ngrams`: a text as counts of its character n-grams, hashed into a vector. No model: it knows spelling, and no meaning.

Two texts are similar where they share phrases. It takes any script, needs no network and no weights, and is the same on
every machine. N-grams of 3 to 5 characters, lower-case, white space as one space; each adds 1 or -1 at its place, so
that those which meet by chance cancel out; the square root tames what is repeated (Weinberger et al. 2009, arXiv:0902.2206).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.models.embed.here import HereEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME, DIMENSIONS, SIZES = "ngrams", 384, (3, 4, 5)
AT_ONCE = 512
VERSION = 1  # of what makes the vectors: another one is another model


def ngrams() -> HereEmbedder:
    """The embedder."""
    identity = f"{NAME} {VERSION}: {DIMENSIONS} dimensions, {'-'.join(map(str, SIZES))} characters"
    return HereEmbedder(NAME, identity, ngram_vectors, AT_ONCE)


def ngram_vectors(texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
    """Vectors of shape (texts, DIMENSIONS), of length 1, zero for an empty text; and no tokens, since none is read."""
    import numpy as np

    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    for at, text in enumerate(texts):
        vectors[at] = _vector(text)
    return vectors, [0] * len(texts)


def _vector(text: str) -> NDArray[np.float32]:
    import numpy as np

    plain = f" {' '.join(text.casefold().split())} "
    letters = np.frombuffer(plain.encode("utf-32-le", errors="replace"), "<u4").astype(np.uint64)
    counts = np.zeros(DIMENSIONS)
    if not plain.strip():
        return counts.astype(np.float32)
    for size in SIZES:
        grams = _hashed_grams(letters, size)
        signs = np.where(grams >> np.uint64(63), 1.0, -1.0)
        counts += np.bincount((grams % np.uint64(DIMENSIONS)).astype(np.int64), signs, DIMENSIONS)
    counts = np.sign(counts) * np.sqrt(np.abs(counts))
    return (counts / max(float(np.sqrt((counts * counts).sum())), 1e-9)).astype(np.float32)


def _hashed_grams(letters: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """A number that looks random for each run of `size` characters, the same for equal runs (FNV-1a, then a finaliser)."""
    import numpy as np

    count = max(0, len(letters) - size + 1)
    grams = np.full(count, 0xCBF29CE484222325 + size, np.uint64)
    for offset in range(size):
        grams = (grams ^ letters[offset : offset + count]) * np.uint64(0x100000001B3)
    grams ^= grams >> np.uint64(33)
    grams *= np.uint64(0xFF51AFD7ED558CCD)
    return grams ^ (grams >> np.uint64(33))
