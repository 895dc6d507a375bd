"""Each test's studios end with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.studio.asked import OPENED


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the workers of the tries; none is started before a try is asked for, since most tests ask for none."""
    monkeypatch.setattr("flows.studio.trials.desk.Desk.warm", lambda _: None)
    yield
    while OPENED:
        OPENED.pop().close()
