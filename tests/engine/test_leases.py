"""Law 2 across processes, as a property of the engine: nothing is paid for twice by two runs at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.models.base import Request
from tests.engine.test_laws import asked, echo, instruction_lists, laws
from tests.engine.world import world


@settings(laws, max_examples=8)
@example(instructions=[f"question {i}" for i in range(20)], cuts=(0, 0), shards=(50, 50))
@given(
    instructions=instruction_lists,
    cuts=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    shards=st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_two_processes_at_once_pay_once_for_what_both_ask(
    instructions: list[str], cuts: tuple[int, int], shards: tuple[int, int]
) -> None:
    begun: set[str] = set()

    async def together(request: Request) -> str:
        if (text := asked(request)) in own:
            begun.add(text)
        while len(begun) < len(own):  # nobody is answered before both have begun
            await asyncio.sleep(0.01)
        return echo(request)

    own = ("asked by one alone", "asked by the other alone")
    asks = ([own[0], *instructions[cuts[0] :]], [own[1], *instructions[: len(instructions) - cuts[1]]])
    with TemporaryDirectory() as folder, world(Path(folder)) as one, world(Path(folder)) as other:
        with ThreadPoolExecutor(2) as pool:  # two ledgers know nothing of each other, as in two processes
            first, second = pool.map(lambda w, i, s: w.run(i, together, shard_rows=s), (one, other), asks, shards)
        assert first.requests + second.requests == len({*asks[0], *asks[1]})
        assert (first.frame().height, second.frame().height) == (len(asks[0]), len(asks[1]))
