"""Expressions that are compiled at their first use are those that `re.compile` would have made."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tasks.patterns import LazyPattern, pattern

ROOT = Path(__file__).parents[1]


def test_a_pattern_is_asked_as_any_other() -> None:
    lazy, compiled = pattern(r"(?P<word>b+)", re.IGNORECASE), re.compile(r"(?P<word>b+)", re.IGNORECASE)
    for text in ("", "abBa", "bb", "xyz"):
        for method in ("search", "match", "fullmatch", "findall"):
            found, right = getattr(lazy, method)(text), getattr(compiled, method)(text)
            assert getattr(found, "span", found.__class__)() == getattr(right, "span", right.__class__)()
        assert lazy.sub("-", text) == compiled.sub("-", text)
    assert (lazy.pattern, lazy.flags) == (compiled.pattern, compiled.flags)


@pytest.mark.parametrize("used", [False, True])
def test_a_pattern_survives_a_copy_and_a_pickle(used: bool) -> None:
    lazy = pattern("a+")
    if used:
        assert lazy.search("ba")
    for other in (copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy))):
        assert other.fullmatch("aa")
        assert not other.fullmatch("b")


def test_nothing_is_compiled_before_it_is_used() -> None:
    broken = pattern("(")
    with pytest.raises(re.error):
        broken.search("")


def test_all_patterns_can_be_compiled() -> None:
    """As modules are imported nothing says so."""
    users = [file for file in (ROOT / "tasks").rglob("*.py") if "import pattern\n" in file.read_text()]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in users]
    found = [lazy for name in names for lazy in _within(vars(import_module(name)).values())]
    assert len(found) > 100
    for lazy in found:
        assert re.compile(lazy.pattern, lazy.flags & ~re.UNICODE)


def _within(values: Any) -> Iterator[LazyPattern]:
    for value in values:
        if isinstance(value, LazyPattern):
            yield value
        elif isinstance(value, dict):
            yield from _within(value.values())
        elif isinstance(value, (list, tuple)):
            yield from _within(value)
