"""Batches: many requests handed to a provider at once, answered within a day, at a lower price.

    model: {name: gpt-5-mini@https://api.openai.com/v1, api_key_env: OPENAI_API_KEY, batch: {wait: false}}

The settings, and the seam between the ledger, which knows which requests are in which batch, and the words of one API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, Field

from tasks.models.base import Completion, Request

MEGABYTE = 1_000_000


class BatchMode(BaseModel, frozen=True, extra="forbid"):
    """How a model's requests are sent in batches. Nothing here is part of a request key."""

    wait: bool = Field(
        True, description="wait for a batch; false: submit and end, and the same command fetches the answers later"
    )
    price: float = Field(0.5, ge=0, le=1, description="what a batch costs, as a share of the model's prices")
    max_lines: int | None = Field(
        None, ge=1, description="requests of one batch at most; empty: what the provider takes (50,000 or 100,000)"
    )
    max_megabytes: float | None = Field(
        None, gt=0, description="size of one batch at most; empty: what the provider takes (200 or 256)"
    )
    gather_s: float = Field(
        10.0, ge=0, description="seconds without a new request after which what is gathered is submitted"
    )
    poll_s: float = Field(60.0, gt=0, description="seconds between two looks at a batch, at most")
    settle_s: float = Field(
        60.0,
        ge=0,
        description="seconds in which a batch may still turn up at the provider after its submission broke off; only "
        "then is it submitted again",
    )


@dataclass(frozen=True, slots=True)
class BatchState:
    """How a batch stands at its provider. `status` is the provider's own word; `fault`: why all of it was refused.

    `results`: where its answers are, in the words of its API.
    """

    id: str
    status: str
    has_ended: bool = False
    was_cancelled: bool = False
    done: int = 0
    lines: int = 0
    fault: str = ""
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineResult:
    """What came of one line: an HTTP status and a body, or status 0: the batch ended before its turn."""

    key: str
    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch that is to be created. `tag`: a digest that is told to the provider; `path`: of its requests, below the
    base URL; `upload`: what the provider called the lines, where they are uploaded before; `since_s`: when it was
    prepared, seconds since 1970.
    """

    tag: str
    path: str
    lines: int
    since_s: float
    upload: str = ""


class NotYetKnown(Exception):
    """Whether a batch was created cannot be told yet: one that may be it is still under way. `batch`: its id."""

    def __init__(self, batch: str) -> None:
        super().__init__(batch)
        self.batch = batch


class BatchApi(Protocol):
    """A model's batches. `address`: what it takes to reach them again, JSON for a model's config. Each call is tried as often as the model's other requests are; then it raises PermanentError."""

    mode: BatchMode
    place: str
    address: str
    most_lines: int
    most_bytes: int

    async def prepare(self, request: Request) -> None:
        """Get ready to say a request and to read its answer. Raises PermanentError for what the API does not offer."""

    def path(self, request: Request) -> str:
        """Where a request goes, below the base URL: all lines of a batch go to the same place."""

    def fits(self, request: Request) -> bool:
        """Whether the request says what the server is known to take by now."""

    def line(self, key: str, tag: str, request: Request) -> bytes:
        """A request as a line of the batch `tag`."""

    async def upload(self, tag: str, lines: Sequence[bytes]) -> str:
        """Send the lines ahead, where the API wants it so; what the provider calls them, else ""."""

    async def create(self, submission: Submission, lines: Sequence[bytes]) -> str:
        """Create a batch; its id. Raises Fault where it is not known whether it was created."""

    async def find(self, submission: Submission) -> str | None:
        """The id of a batch that may have been created; None where there is none. Raises NotYetKnown."""

    async def look(self, batch: str) -> BatchState:
        """How a batch stands."""

    def results(self, state: BatchState) -> AsyncIterator[LineResult]:
        """What came of the lines of a batch that has ended, in any order."""

    async def cancel(self, batch: str) -> None:
        """Have the provider begin no more of its lines."""

    def read(self, body: bytes, request: Request) -> Completion:
        """The completion in the body of an answered line. Raises what a request that was sent alone would end in."""

    def words(self) -> Any:
        """In which words requests are said by now, for `judged`."""

    def judged(self, status: int, body: bytes, request: Request, words: Any) -> Exception:
        """What the error of a line means: as with a request that was sent alone.

        `words`: those in which the line was said; None where another process has said it.
        """


@runtime_checkable
class TakesBatches(Protocol):
    """A model whose requests can go in batches. `batch_mode`: whether they are to."""

    @property
    def batch_mode(self) -> BatchMode | None:
        """The user's settings; None: its requests are sent one by one."""

    def batches(self) -> BatchApi:
        """Its batches. Raises ConfigError where its provider has none: a property would raise when it is looked for."""


def batch_api_for(model: object, request: Request) -> BatchApi | None:
    """The batches that a request is to go in; None where it goes alone. Embeddings and scores do."""
    if getattr(model, "batch_mode", None) is None or not may_go_in_batch(request):
        return (
            None  # told for each request: to look whether it is a TakesBatches takes ten times as long as all the rest
        )
    return model.batches() if isinstance(model, TakesBatches) else None


def may_go_in_batch(request: Request) -> bool:
    """Whether it is a request of a kind that goes in batches."""
    return request.embed is None and request.scored_by is None


def rows_of_batch(model: object) -> int:
    """How many rows may wait for one batch of a model; 0 where its requests are sent one by one."""
    if not isinstance(model, TakesBatches) or model.batch_mode is None:
        return 0
    return model.batches().most_lines
