"""A prompt's own words in an answer: a small model may repeat what it was told, and that is no answer.

A template's own words are its fixed text, between variables and blocks. Six of them in a row are a leak, in any case
and with any punctuation. A character of a script without spaces counts as half a word: six of them are an everyday phrase
("explain in one sentence" in Chinese), twelve are not. What the variables say may be repeated. Of a list only the items that
leak are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from tasks.errors import Filtered, RowLoss, Unusable
from tasks.text.prompts import Prompts
from tasks.text.words import is_spaceless, words

RUN = 6
Runs = frozenset[tuple[str, ...]]


def refuse_leak(answer: Any, raw: str, name: str, prompts: Prompts, variables: Mapping[str, Any]) -> None:
    """Raise Unusable (prompt_leak) where an answer repeats six of the own words of the prompt `name`.

    `answer`: what was made of the completion `raw`; what a parser has left out of it is not looked at.
    """
    own = own_runs(name, prompts)
    said = [run for text in texts_in(answer, raw) for run in runs_of(text) if run in own]
    if said:
        given = {run for text in texts_in(variables, "") for run in runs_of(text)}
        if leaked := next((run for run in said if run not in given), None):
            raise Unusable("prompt_leak", " ".join(leaked), raw=raw)


def without_leaks(
    answer: Any, raw: str, name: str, prompts: Prompts, variables: Mapping[str, Any]
) -> tuple[Any, list[Filtered]]:
    """The answer, of a list without the items that leak, and a refusal for each of these.

    Raises Unusable (prompt_leak) where no item is left, and for an answer that is no list.
    """
    if type(answer) is not list:
        refuse_leak(answer, raw, name, prompts, variables)
        return answer, []
    kept, refused = [], []
    for item in answer:
        try:
            refuse_leak(item, raw, name, prompts, variables)
        except Unusable as leak:
            refused.append(Filtered(leak.reason, leak.detail, raw="\n".join(texts_in(item, raw))))
        else:
            kept.append(item)
    if refused and all(_is_refused(item) for item in kept):
        raise Unusable(refused[0].reason, refused[0].detail, raw=raw)
    return kept, refused


def _is_refused(item: Any) -> bool:
    """Whether a parser has refused an item itself."""
    return isinstance(item, list | tuple) and any(isinstance(part, RowLoss) for part in item)


@cache
def own_runs(name: str, prompts: Prompts) -> Runs:
    """Every six words in a row of a template's fixed text."""
    return frozenset(run for text in prompts.fixed_texts(name) for run in runs_of(text))


def runs_of(text: str) -> Iterable[tuple[str, ...]]:
    """Every six words in a row of a text, characters of a script without spaces counted as half a word each."""
    return runs_in(words(text))


def runs_in(said: list[str]) -> Iterable[tuple[str, ...]]:
    """Every six words in a row of a list of words; a character of a script without spaces counts as half a word."""
    halves = [] if "".join(said).isascii() else [is_spaceless(word[0]) for word in said]
    if True not in halves:
        return zip(*(said[start:] for start in range(RUN)), strict=False)
    return _runs_of_halves(said, halves)


def _runs_of_halves(said: list[str], halves: list[bool]) -> Iterator[tuple[str, ...]]:
    end, length = 0, 0  # of the run from `start` on, in half words
    for start in range(len(said)):
        while length < 2 * RUN and end < len(said):
            length += 1 if halves[end] else 2
            end += 1
        if length < 2 * RUN:
            return
        yield tuple(said[start:end])
        length -= 1 if halves[start] else 2


def texts_in(value: Any, raw: str) -> Iterator[str]:
    """The texts of a value, however deep; `raw` for a value that cannot be looked into.

    A list or tuple with a refusal in it was refused by its parser already, so nothing is looked for there.
    """
    match value:
        case str():
            yield value
        case None | bool() | int() | float():
            return
        case Mapping():
            yield from texts_in(list(value.values()), raw)
        case BaseModel():
            yield from texts_in([getattr(value, field) for field in type(value).model_fields], raw)
        case list() | tuple() | set() | frozenset():
            if not _is_refused(value):
                for part in value:
                    yield from texts_in(part, raw)
        case _ if is_dataclass(value):
            yield from texts_in([getattr(value, field.name) for field in fields(value)], raw)
        case _:
            yield raw
