"""A document cut into chunks that a model can be shown: whole blocks where they fit, each chunk with the headings above it.

The cut is local: a chunk ends at the next heading once it is large enough, so that a change in one section leaves the
chunks of the others as they are, and so what was asked about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, Field

from tasks.text.documents.blocks import DocumentBlock
from tasks.text.words import is_spaceless

SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”’）]*|\n|\Z)\s*", re.DOTALL)
LEAST = 0.3  # of a chunk: a heading ends one that is at least so large
PIECE = 20  # words or characters of a sentence that is too long for a chunk, cut off at a time


class Chunking(BaseModel, frozen=True, extra="forbid"):
    """How documents are cut into chunks."""

    words: int = Field(350, ge=20, description="words of a chunk, at most, in scripts with spaces between words")
    characters: int = Field(600, ge=40, description="characters of a chunk, at most, in scripts without spaces")
    overlap: float = Field(
        0.1, ge=0, le=0.5, description="share of a chunk that the next one of the same section begins with"
    )

    def size(self, text: str) -> float:
        """How much of a chunk a text fills: 1 is all of it. A text in both kinds of script fills it by its share of each."""
        characters = words = 0
        for chunk in text.split():
            spaceless = sum(map(is_spaceless, chunk))
            characters += spaceless
            words += not spaceless
        return words / self.words + characters / self.characters


class Chunk(NamedTuple):
    """A piece of a document with the headings above it, the highest first."""

    text: str
    headings: tuple[str, ...]


def chunks_of(blocks: Iterable[DocumentBlock], chunking: Chunking) -> Iterator[Chunk]:
    """The chunks of a document, in order. None is larger than it may be, and all of the text is in one."""
    open_ = _Open(chunking)
    path: list[tuple[int, str]] = []
    for block in blocks:
        if not block.level:
            yield from open_.add(block.text)
            continue
        path = [one for one in path if one[0] < block.level] + [(block.level, block.text)]
        above = tuple(text for _, text in path)
        if open_.is_begun and open_.filled < LEAST and _shared(open_.headings, above):
            yield from open_.add(block.text)
        else:
            yield from open_.end()
            open_.headings = above
    yield from open_.end()


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two places lie below one heading, or the second one below the first."""
    return bool(one) and bool(other) and one[0] == other[0]


@dataclass
class _Open:
    """The chunk at which the cut is: what is in it, and how full it is."""

    chunking: Chunking
    headings: tuple[str, ...] = ()
    parts: list[tuple[str, float]] = field(default_factory=list)
    repeated: int = 0
    """How many of the parts stand in the chunk before."""

    @property
    def is_begun(self) -> bool:
        return len(self.parts) > self.repeated

    @property
    def filled(self) -> float:
        return sum(size for _, size in self.parts)

    def add(self, block: str) -> Iterator[Chunk]:
        """Put a block into it, sentence by sentence where it is too large for what is left; the chunks that this fills."""
        size = self.chunking.size(block)
        whole = [(f"{block}\n\n", size)]
        fits = size <= 1 and (self.filled + size <= 1 or size > 0.5)
        for text, part in whole if fits else self._pieces(f"{block}\n\n"):
            if self.filled + part > 1 + 1e-9:
                yield from self.end(overlap=part)
            self.parts.append((text, part))

    def end(self, *, overlap: float | None = None) -> Iterator[Chunk]:
        """The chunk as it is, and a new one; `overlap`: how much has to fit behind what it begins with, None for nothing."""
        if self.is_begun and (text := "".join(text for text, _ in self.parts).strip("\n").rstrip()):
            yield Chunk(text, self.headings)
        self.parts = [] if overlap is None else self._tail(1 - overlap)
        self.repeated = len(self.parts)

    def _tail(self, room: float) -> list[tuple[str, float]]:
        """The last parts of the chunk that are no more than the overlap."""
        left, tail = min(self.chunking.overlap, room), list[tuple[str, float]]()
        pieces = [piece for part, _ in self.parts for piece in self._pieces(part)]
        for text, size in reversed(pieces):
            if size > left:
                break
            left -= size
            tail.insert(0, (text, size))
        return tail

    def _pieces(self, text: str) -> Iterator[tuple[str, float]]:
        """The sentences of a text, those that are larger than a chunk in smaller pieces."""
        for sentence in SENTENCE.findall(text):
            if (size := self.chunking.size(sentence)) <= 1:
                yield sentence, size
                continue
            for piece in _cut(sentence):
                yield piece, self.chunking.size(piece)


def _cut(sentence: str) -> list[str]:
    """A sentence in pieces of a few words, or characters where there are no spaces."""
    words = re.findall(rf"\S{{1,{PIECE}}}\s*", sentence)
    spaced = [word for word in words if len(word) < PIECE or word[-1].isspace()]
    step = PIECE if len(spaced) == len(words) else 1
    return ["".join(words[at : at + step]) for at in range(0, len(words), step)]
