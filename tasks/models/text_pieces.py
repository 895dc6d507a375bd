r"""Texts as tokens, piece by piece, each piece made into tokens once: for tokenizers of which the whole is known to be its pieces.

A byte-level BPE tokenizer splits a text by a regular expression and makes tokens of each part by itself. Those of GPT-2 and
after break before each space that a letter of English follows, whatever is around, so a text cut there has the tokens of its
pieces, one after another. Natural text repeats most of its words.
A tokenizer of any other make is left to the library (`text_pieces` is None).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

BREAK = re.compile(r" (?=[A-Za-z])")
FIRST_PIECE = "\0"  # before the first piece of a text; each other one begins with a letter, and a space before it goes without saying
REMEMBERED = 1_000_000  # characters of pieces, at some 60 bytes each
TOO_FEW = 2  # pieces of an added token: none of them is one of each text that holds it
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
END = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = frozenset(
    [
        *(
            rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{n}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{END}"
            for n in (r"\p{N}", r"\p{N}{1,3}")
        ),
        rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{END}",
    ]
)
"""Patterns that break there, of Llama 3 and GPT-4, of Qwen 2 to 3, and of Qwen 3.5."""
DIGITS = frozenset([r" ?\d", r"\d", r"\p{N}", r"\p{N}{1,3}"])
"""Patterns that take digits apart and nothing else: what comes before a letter is as it was."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as tokens. `at`: where its pieces begin, in characters; `first`: which token each begins with; `starts`: where in
    a piece its tokens begin."""

    ids: list[int]
    at: Sequence[int]
    first: Sequence[int]
    starts: Sequence[Sequence[int]]

    @classmethod
    def whole(cls, ids: list[int], starts: Sequence[int]) -> Tokens:
        """The tokens of a text that is a single piece."""
        return cls(ids, (0,), (0,), (starts,))

    @classmethod
    def joined(cls, texts: Sequence[tuple[Tokens, int]]) -> Tokens:
        """The tokens of several texts behind one another. `texts`: the tokens of each by itself, and its length in characters."""
        ids, at, first, starts = list[int](), list[int](), list[int](), list[Sequence[int]]()
        character = 0
        for tokens, length in texts:
            at += [character + place for place in tokens.at]
            first += [len(ids) + token for token in tokens.first]
            starts += tokens.starts
            ids += tokens.ids
            character += length
        return cls(ids, at, first, starts)

    def from_character(self, character: int) -> int:
        """The first token that begins there or later; as many as there are where none does."""
        piece = max(bisect_left(self.at, character) - 1, 0)  # a space at the end of a piece may begin behind it
        return self.first[piece] + bisect_left(self.starts[piece], character - self.at[piece])


Piece = tuple[list[int], list[int], int]  # its ids, where each begins in it, and its length in characters


class TextPieces:
    """Texts as tokens by one tokenizer, without special tokens of its own accord. Any number of threads may ask."""

    def __init__(self, backend: Any, over_breaks: Iterable[str] = ()) -> None:
        """`over_breaks`: added tokens that go over two breaks or more. A text that holds one is made into tokens whole."""
        self._backend = backend
        self._over = tuple(over_breaks)
        self._signs = frozenset(max(BREAK.split(token)[1:-1], key=len) for token in self._over)
        self._known: dict[str, Piece] = {}
        self._characters = 0

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text."""
        cut = [self._cut(text) for text in texts]
        if self._characters > REMEMBERED:
            self._known, self._characters = {}, 0
        known = self._known  # another thread may begin anew
        new = list(set(chain.from_iterable(cut)) - known.keys())
        self._characters += sum(map(len, new))
        known.update(zip(new, self._made(new), strict=True))
        return [_joined([known[piece] for piece in pieces]) for pieces in cut]

    def _cut(self, text: str) -> list[str]:
        pieces = BREAK.split(text)
        if not self._signs.isdisjoint(pieces) and any(token in text for token in self._over):
            return [FIRST_PIECE + text]
        pieces[0] = FIRST_PIECE + pieces[0]
        return pieces

    def _made(self, pieces: Sequence[str]) -> Iterator[Piece]:
        texts = [piece[1:] if piece[0] == FIRST_PIECE else f" {piece}" for piece in pieces]
        found = self._backend.encode_batch(texts, add_special_tokens=False) if texts else ()
        for text, one in zip(texts, found, strict=True):
            yield one.ids, [start for start, _ in one.offsets], len(text)


def _joined(pieces: Sequence[Piece]) -> Tokens:
    ids, starts, lengths = zip(*pieces, strict=True)
    at, first = (list(accumulate(counts, initial=0)) for counts in (lengths, map(len, ids)))
    return Tokens(list(chain.from_iterable(ids)), at[:-1], first[:-1], starts)


def text_pieces(tokenizer: Any) -> TextPieces | None:
    """The pieces of a tokenizer of transformers, None where it is not known that a text is its pieces."""
    backend = tokenizer.backend_tokenizer
    made = json.loads(backend.to_str())
    is_known = (
        not tokenizer.split_special_tokens
        and made["truncation"] is None
        and made["padding"] is None
        and (made["normalizer"] or {"type": "NFC"}) == {"type": "NFC"}
        and made["model"]["type"] == "BPE"
        and not any(made["model"].get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
        and _breaks(_steps(made["pre_tokenizer"], "pretokenizers"))
        and all(_leaves_as_it_is(step) for step in _steps(made["post_processor"], "processors"))
        and not any(_looks_around(token) for token in made["added_tokens"])
    )
    over_breaks = [token["content"] for token in made["added_tokens"] if BREAK.search(token["content"])]
    if not is_known or any(len(BREAK.split(token)) == TOO_FEW for token in over_breaks):
        return None
    return TextPieces(backend, over_breaks)


def _steps(made: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """What is done, one after another."""
    if made is None:
        return []
    return [step for inner in made[name] for step in _steps(inner, name)] if made["type"] == "Sequence" else [made]


def _breaks(steps: Sequence[dict[str, Any]]) -> bool:
    """Whether the parts that become tokens break before each space that a letter follows."""
    splits = [step for step in steps if step["type"] == "Split"]
    plain = all(step["behavior"] == "Isolated" and not step["invert"] for step in splits)
    patterns = {step["pattern"].get("Regex", "") for step in splits}
    levels = [step for step in steps if step["type"] == "ByteLevel"]
    return (
        plain
        and patterns <= SPLITS | DIGITS
        and len(levels) == 1
        and not levels[0]["add_prefix_space"]
        and all(step["type"] in ("Split", "ByteLevel", "Digits") for step in steps)
        and (levels[0]["use_regex"] or bool(patterns & SPLITS))
    )


def _leaves_as_it_is(step: dict[str, Any]) -> bool:
    """Whether it takes nothing off the places of the first token alone."""
    if step["type"] == "ByteLevel":
        return not (step["trim_offsets"] and step["add_prefix_space"])
    return bool(step["type"] == "TemplateProcessing")


def _looks_around(token: dict[str, Any]) -> bool:
    """Whether an added token depends on what is around it."""
    return bool(token["lstrip"] or token["rstrip"] or token["single_word"])
