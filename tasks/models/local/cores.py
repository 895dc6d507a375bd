"""How many cores a model computes on.

torch splits each product over all cores and has them meet after it. In a small model a product takes microseconds, so the
meeting is most of it; where another process holds one of the cores, all wait for it each time. Measured with the built-in
model (2.0 million parameters) on two cores beside five busy processes: 20 requests took 48 to 69 s, and 8 s on one core.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

SMALL_PARAMETERS = 20_000_000


def is_small(model: Any) -> bool:
    """Whether so little is computed for a token that other things take longer."""
    return bool(sum(one.numel() for one in model.parameters()) <= SMALL_PARAMETERS)


def choose_cores(model: Any) -> None:
    """Have the calling thread compute on one core where `model` is small and on the CPU; other threads stay as they are."""
    import torch

    if any(one.device.type != "cpu" for one in model.parameters()) or not is_small(model):
        return
    others = torch.get_num_threads()
    torch.set_num_threads(1)
    # this thread has its own number from now on; what threads begin with is set back by one that ends with it
    back = Thread(target=torch.set_num_threads, args=(others,), daemon=True)
    back.start()
    back.join()
