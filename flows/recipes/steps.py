"""What a recipe asks of whoever runs it: send tables through a technique, each on its own, or all through one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flows.nights import Night
from tasks.engine.process import Settings
from tasks.engine.table_step import TableStep
from tasks.engine.tables import Table
from tasks.engine.technique import Technique


class Steps(Protocol):
    """A run under way, as a recipe sees it."""

    @property
    def settings(self) -> Settings:
        """How the run runs."""
        ...

    @property
    def night(self) -> Night:
        """What its dataset holds already."""
        ...

    def through(self, step: Technique[Any], tables: Sequence[Any], params: Any) -> list[Any]:
        """Send tables (or futures of them) through a technique; the futures of what comes out."""
        ...

    def whole(self, step: TableStep[Any], tables: Sequence[Any], params: Any) -> list[Table]:
        """Send all tables through a table step, and wait."""
        ...

    def settled(self) -> list[Table]:
        """Wait for all that is under way; the tables of the last step, in order."""
        ...
