"""Scripted models for benchmarks and tests that start the command: name them scripted:tests/benchmarks/rules.py:NAME."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections import Counter

from tasks.models.base import Completion, Request


def at_once(request: Request) -> Completion:
    """A free model."""
    return Completion("It is four, because two and two make four.", prompt_tokens=12, completion_tokens=10)


MEAN_S, SIGMA = 0.25, 1.0
_asked: Counter[int] = Counter()


def latency_s(chain: int, number: int) -> float:
    """How long request `number` of a chain takes: log-normal with mean MEAN_S."""
    return random.Random(f"{chain}/{number}").lognormvariate(math.log(MEAN_S) - SIGMA**2 / 2, SIGMA)


async def lingering(request: Request) -> Completion:
    """Plays every role of recipe `evolved`; each request of the chain that began with seed N takes as long as `latency_s` says."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    chain = int(re.findall(r"galaxy (\d+)", text)[-1])
    number, _asked[chain] = _asked[chain], _asked[chain] + 1
    await asyncio.sleep(latency_s(chain, number))
    if "equal or different" in text:
        answer = "different"
    elif "One request per line" in text:
        answer = f"Count the stars of galaxy {chain}"
    elif "Reply with the" in text:
        answer = f"Work out in {number} steps how old galaxy {chain} is"
    else:
        answer = "It is four, because two and two make four."
    return Completion(answer, prompt_tokens=60, completion_tokens=20)
