"""What a run tells its user beside its results: one line each, through the logger "stillroom".

tell("the server does not take `temperature`: left out")
with heard(print): ...          # the command prints the lines, the Prefect UI has them in the run's log
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("stillroom")


def tell(line: str) -> None:
    """Tell one line. Whoever tells it takes care to tell it once."""
    LOGGER.warning("%s", line)


class _Listener(logging.Handler):
    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line on."""
        self._hear(record.getMessage())


@contextmanager
def heard(hear: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, `hear` gets every line that is told."""
    listener = _Listener(hear)
    LOGGER.addHandler(listener)
    try:
        yield
    finally:
        LOGGER.removeHandler(listener)
