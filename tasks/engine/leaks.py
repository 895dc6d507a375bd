"""A prompt's own words in an answer: a small model may repeat what it was told, and that is no answer.

A template's own words are its fixed text, between variables and blocks. Six of them in a row are a leak, in any case
and with any punctuation; of a script without spaces six characters. What the variables say may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from tasks.engine.templates import fixed_texts
from tasks.errors import RowLoss, Unusable
from tasks.text.words import words

RUN = 6
Runs = frozenset[tuple[str, ...]]


def refuse_leak(answer: Any, raw: str, name: str, language: str, variables: Mapping[str, Any]) -> None:
    """Raise Unusable (prompt_leak) where an answer repeats six of the own words of `prompts/<language>/<name>.j2`.

    `answer`: what was made of the completion `raw`; what a parser has left out of it is not looked at.
    """
    own = own_runs(name, language)
    said = [run for text in texts_in(answer, raw) for run in runs_of(text) if run in own]
    if said:
        given = {run for text in texts_in(variables, "") for run in runs_of(text)}
        if leaked := next((run for run in said if run not in given), None):
            raise Unusable("prompt_leak", " ".join(leaked), raw=raw)


@cache
def own_runs(name: str, language: str) -> Runs:
    """Every six words in a row of a template's fixed text."""
    return frozenset(run for text in fixed_texts(name, language) for run in runs_of(text))


def runs_of(text: str) -> Iterable[tuple[str, ...]]:
    """Every six words in a row of a text."""
    said = words(text)
    return zip(*(said[start:] for start in range(RUN)), strict=False)


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
            if not any(isinstance(part, RowLoss) for part in value):
                for part in value:
                    yield from texts_in(part, raw)
        case _ if is_dataclass(value):
            yield from texts_in([getattr(value, field.name) for field in fields(value)], raw)
        case _:
            yield raw
