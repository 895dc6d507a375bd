"""One line of a benchmark: what was done, what it took, what would be ideal, and whether the bar is met."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A printed line. `ideal` is computed, or measured in the same run."""

    what: str
    figure: str
    ideal: str
    bar: str
    met: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.figure}; ideal {self.ideal}; bar {self.bar}: {'met' if self.met else 'NOT MET'}"
