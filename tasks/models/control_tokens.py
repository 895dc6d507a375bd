"""What a user says reaches a model as text, though it looks like a control token of the chat template (`<|im_end|>`).

    control = ControlTokens(tokenizer)
    if control.spelled_in(messages):
        text = render(control.hidden(messages))     # the user's spellings stand aside while the template works
        tokens = control.tokens(text)               # the template's tokens are tokens, the user's are letters
        text = control.shown(text)

The letters are the tokenizer's own: a copy of it knows its control tokens by secret names, which the template's are given.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

from tasks.errors import RequestRefused
from tasks.models.answers.families import KNOWN

T = TypeVar("T")
SECRET = secrets.token_hex(8)  # nobody can have written it into a text; the token ids do not depend on it
REASONING_TAGS = {
    tag for block in KNOWN.blocks if block.closing not in KNOWN.ends for tag in (block.opening, block.closing)
}
STAND_IN = re.compile(rf"s{SECRET}u(\d+)s")


class ControlTokens:
    """The control tokens of a tokenizer, and texts that spell them."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._names = control_tokens(tokenizer)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._spelled = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._secret = {name: f"s{SECRET}t{number}s" for number, name in enumerate(self._names)}
        self._aside = {name: f"s{SECRET}u{number}s" for number, name in enumerate(self._names)}

    def spelled_in(self, said: Any) -> bool:
        """Whether a text in messages, in a call of a tool or in tools would become a control token."""
        return any(self._spelled.search(self._normalised(text)) for text in _texts(said))

    def hidden(self, said: T) -> T:
        """Messages, or tools, with stand-ins for what they spell: no template takes them for tokens either."""
        return cast(T, _changed(said, self._put_aside))

    def _put_aside(self, text: str) -> str:
        return self._spelled.sub(lambda found: self._aside[found[0]], text)

    def shown(self, text: str) -> str:
        """A rendered text without the stand-ins."""
        return STAND_IN.sub(lambda found: self._names[int(found[1])], text)

    def tokens(self, text: str) -> list[int]:
        """The token ids of a text that was rendered with the stand-ins. Raises RequestRefused (control_token)."""
        copy, ids = self._copy
        named = self.shown(self._spelled.sub(lambda found: self._secret[found[0]], text))
        return [ids.get(token, token) for token in copy.encode(named, add_special_tokens=False).ids]

    def _normalised(self, text: str) -> str:
        """The text, and after it how a tokenizer sees it that looks for its tokens after a normalisation."""
        return text if self._normaliser is None else f"{text}\0{self._normaliser.normalize_str(text)}"

    @cached_property
    def _normaliser(self) -> Any:
        added = self._tokenizer.added_tokens_decoder.values()
        if not any(token.normalized and token.content in self._secret for token in added):
            return None
        return getattr(getattr(self._tokenizer, "backend_tokenizer", None), "normalizer", None)

    @cached_property
    def _copy(self) -> tuple[Any, dict[int, int]]:
        """The tokenizer with secret names for its control tokens, and its own ids of the tokens that have others there."""
        from tokenizers import Tokenizer

        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise RequestRefused(
                "control_token", "the text spells one, and this tokenizer has no way to keep it a text"
            )
        copy: Any = Tokenizer.from_str(json.dumps(_renamed(json.loads(backend.to_str()), self._secret)))
        known = self._tokenizer.added_tokens_decoder.items()
        ids = {copy.token_to_id(self._secret.get(token.content, token.content)): number for number, token in known}
        return copy, ids


def _texts(said: Any) -> Iterator[str]:
    """Every text in a value that JSON can hold, the keys of objects too."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for key, value in said.items():
            yield key
            yield from _texts(value)
    elif isinstance(said, Sequence):
        for value in said:
            yield from _texts(value)


def _changed(said: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed."""
    if isinstance(said, str):
        return change(said)
    if isinstance(said, Mapping):
        return {change(key): _changed(value, change) for key, value in said.items()}
    return [_changed(value, change) for value in said] if isinstance(said, Sequence) else said


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """The tokens that steer a model: the special ones, and those that its chat template writes.

    A tag of reasoning that is not special is none: people and models write it, and templates look for it.
    """
    templates = tokenizer.chat_template
    written = "".join(templates.values()) if isinstance(templates, Mapping) else str(templates or "")
    added = [token for token in tokenizer.added_tokens_decoder.values() if token.content.strip()]
    return tuple(
        token.content
        for token in added
        if token.special or (token.content in written and token.content not in REASONING_TAGS)
    )


def _renamed(state: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A tokenizer's JSON with other names for some tokens, as added tokens, in the vocabulary, as the unknown token.

    Without padding and truncation, and without merges that would spell such a token out of letters.
    """
    model = state["model"]
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): number for piece, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if merges:
        model["merges"] = [merge for merge in merges if not _makes(merge, names)]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    added = [{**token, "content": names.get(token["content"], token["content"])} for token in state["added_tokens"]]
    return {**state, "added_tokens": added, "padding": None, "truncation": None}


def _makes(merge: str | Sequence[str], names: Mapping[str, str]) -> bool:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    return "".join(parts) in names or any(part in names for part in parts)
