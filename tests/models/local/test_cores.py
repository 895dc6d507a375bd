"""A small model computes on one core, and leaves the others to whoever needs them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import pytest
import torch

from tasks.models.local.cores import SMALL_PARAMETERS, choose_cores


def in_a_thread(do: Callable[[], int]) -> int:
    told: list[int] = []
    thread = Thread(target=lambda: told.append(do()))
    thread.start()
    thread.join()
    return told[0]


@pytest.mark.parametrize(("most", "is_one"), [(SMALL_PARAMETERS, True), (1, False)], ids=["small", "large"])
def test_a_small_model_has_one_core_and_other_threads_what_they_had(
    monkeypatch: pytest.MonkeyPatch, most: int, is_one: bool
) -> None:
    monkeypatch.setattr("tasks.models.local.cores.SMALL_PARAMETERS", most)
    model, before = torch.nn.Linear(8, 8), torch.get_num_threads()
    torch.set_num_threads(3)
    try:

        def cores_of_its_thread() -> int:
            choose_cores(model)
            return torch.get_num_threads()

        assert in_a_thread(cores_of_its_thread) == (1 if is_one else 3)
        assert in_a_thread(torch.get_num_threads) == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
