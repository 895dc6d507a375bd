"""Regular expressions that are compiled when they are first used.

The words of all languages make long ones: compiled while modules are imported, they took a tenth of a command's start.
"""

from __future__ import annotations

import re
from typing import Any, cast


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return what `re.compile` would, compiled at its first use: for its own methods, not to be handed to functions of `re`."""
    return cast("re.Pattern[str]", LazyPattern(text, flags))


class LazyPattern:
    """Stands for a compiled pattern. What is asked of it once is its own attribute from then on, as quick as the pattern's."""

    def __init__(self, text: str, flags: int) -> None:
        self._told = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of pickle and copy
            raise AttributeError(name)
        if name == "_compiled":
            value: Any = re.compile(*self._told)
        else:
            value = getattr(self._compiled, name)
        self.__dict__[name] = value
        return value
