"""The batches of one endpoint: its provider's words for a single request, in its provider's words for a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from tasks.errors import ConfigError
from tasks.models.base import Completion, Request
from tasks.models.batching import MEGABYTE, BatchMode, BatchState, LineResult, Submission
from tasks.models.endpoint.batches.anthropic import AnthropicBatches
from tasks.models.endpoint.batches.exchanges import Exchanges
from tasks.models.endpoint.batches.openai import OpenAIBatches
from tasks.models.endpoint.faults import Fault, Server
from tasks.models.endpoint.learnt import Learnt
from tasks.models.endpoint.provider import BadAnswer, ErrorInAnswer, Provider, Served


class BatchWords(Protocol):
    """The words of one batch API, as `BatchApi` has them, on bodies rather than requests."""

    most_lines: int
    most_bytes: int

    def line(self, key: str, tag: str, path: str, body: bytes, /) -> bytes: ...  # noqa: D102 - as in BatchApi
    async def upload(self, tag: str, lines: Sequence[bytes], /) -> str: ...  # noqa: D102
    async def create(self, submission: Submission, lines: Sequence[bytes], /) -> str: ...  # noqa: D102
    async def find(self, submission: Submission, /) -> str | None: ...  # noqa: D102
    async def look(self, batch: str, /) -> BatchState: ...  # noqa: D102
    def results(self, state: BatchState, /) -> AsyncIterator[LineResult]: ...  # noqa: D102
    async def cancel(self, batch: str, /) -> None: ...  # noqa: D102


class EndpointBatches:
    """Implements `BatchApi`. `judge`: what an error means (status, body, what was sent); `ready`: see `prepare`."""

    def __init__(
        self,
        mode: BatchMode,
        address: str,
        provider: Provider,
        served: Served,
        exchanges: Exchanges,
        judge: Callable[[int, bytes, bytes], Exception],
        ready: Callable[[Request], Awaitable[None]],
    ) -> None:
        self.mode, self.address, self.prepare = mode, address, ready
        self._provider, self._served, self._judge = provider, served, judge
        self._server: Server = exchanges.server
        self._words = _words_of(provider, exchanges)
        self.place = f"{self._server.model}@{self._server.url}"
        self.most_lines = min(mode.max_lines or self._words.most_lines, self._words.most_lines)
        most = self._words.most_bytes
        self.most_bytes = most if mode.max_megabytes is None else min(int(mode.max_megabytes * MEGABYTE), most)
        self.upload, self.create, self.find = self._words.upload, self._words.create, self._words.find
        self.look, self.results, self.cancel = self._words.look, self._words.results, self._words.cancel

    def path(self, request: Request) -> str:
        """Where the provider sends a request, without the base URL."""
        return self._provider.url("", request)

    def fits(self, request: Request) -> bool:
        """Whether it leaves out what the server does not take."""
        return request.left_out in (None, self._served.learnt.left_out)

    def line(self, key: str, tag: str, request: Request) -> bytes:
        """A request as a line."""
        return self._words.line(key, tag, self.path(request), self._provider.body(request, self._served))

    def read(self, body: bytes, request: Request) -> Completion:
        """The completion in an answered line. Raises Fault, and what `judged` gives for an error with HTTP 200."""
        try:
            return self._provider.answer(body, request, self._served)
        except BadAnswer as error:
            raise Fault("bad_answer", f"the answer is no completion ({self._server.scrub(str(error))})") from None
        except ErrorInAnswer as error:
            raise self.judged(error.status, body, request, None) from None

    def words(self) -> Learnt:
        """What is known of the server by now."""
        return replace(self._served.learnt)

    def judged(self, status: int, body: bytes, request: Request, words: Learnt | None) -> Exception:
        """What the error of a line means; what the server does not take is learnt of it.

        The first such line teaches it, and the others were sent in the same words: so each is judged by those.
        """
        said = words or Learnt(self.place, self._served.learnt.bos_unasked)
        if request.left_out is not None:
            said = replace(said, left_out=request.left_out)
        return self._judge(status, body, self._provider.body(request, replace(self._served, learnt=said)))


def _words_of(provider: Provider, exchanges: Exchanges) -> BatchWords:
    from tasks.models.endpoint.providers.anthropic import Anthropic
    from tasks.models.endpoint.providers.openai import OpenAI

    if isinstance(provider, Anthropic):
        return AnthropicBatches(exchanges)
    if isinstance(provider, OpenAI):
        return OpenAIBatches(exchanges)
    raise ConfigError("this provider has no batches", exchanges.server.url, "provider openai or anthropic, or no batch")
