"""An embedder that computes in this process: whatever is asked for at the same moment is computed together, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tasks.errors import ConfigError, PermanentError
from tasks.models.base import ChatTemplate, Completion, Request
from tasks.models.embed.gathering import Gathering, texts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], tuple[NDArray[np.float32], list[int]]]

AT_ONCE = 64  # texts of one computation


class HereEmbedder:
    """Implements `Model` with a function from texts to vectors of shape (texts, dimensions), and the tokens of each text.

    The function is called in a thread, one call at a time.
    """

    def __init__(self, name: str, identity: str, embed: Embed, at_once: int = AT_ONCE) -> None:
        self.name, self.identity, self.max_in_flight = name, identity, at_once * 2
        self.left_out: frozenset[str] = frozenset()
        self._embed = embed
        self._gathering = Gathering(at_once, lambda: 1, self._computed)

    @property
    def template(self) -> ChatTemplate:
        """There is none. Raises ConfigError."""
        raise ConfigError("an embedder writes no text", self.name, "name it as `embedder` alone")

    async def complete(self, request: Request) -> Completion:
        """The embedding of `request.embed`. Raises PermanentError where a text is asked for."""
        if request.embed is None:
            raise PermanentError("an embedder writes no text", self.name, "name it as `embedder` alone")
        return await self._gathering.ask(request)

    async def close(self) -> None:
        """Cancel the calls under way and those that wait."""
        await self._gathering.close()

    async def _computed(self, requests: Sequence[Request]) -> list[Completion]:
        vectors, tokens = await asyncio.to_thread(self._embed, texts_of(requests))
        return [
            Completion("", prompt_tokens=count, embedding=vector.astype("<f4").tobytes())
            for vector, count in zip(vectors, tokens, strict=True)
        ]
