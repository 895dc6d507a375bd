"""A base for students that is made in no time, and one thread to train them on: its sums come in one order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.models.tiny import one_thread, save_tiny_model


@pytest.fixture
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_model(tmp_path_factory.mktemp("base")))
