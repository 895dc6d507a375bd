"""A process of its own that runs `text_generation` on a ledger that another one uses at the same time.

python -m tests.engine.one_of_two_runs URL NAME FOLDER: waits for FOLDER/go, answers with its NAME in each text, and
writes its dataset to FOLDER/NAME.dataset and what it was asked to FOLDER/NAME.asked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tasks.engine.digest import digest
from tasks.engine.tables import encoded
from tasks.models.base import Request
from tests.engine.world import world

ROWS, IN_FLIGHT = 200, 16
INSTRUCTIONS = [f"question {number}" for number in range(ROWS)]


def main(url: str, name: str, folder: Path) -> None:
    other = "other" if name == "one" else "one"

    async def answer(request: Request) -> str:
        assert request.messages is not None
        question = request.messages[-1]["content"]
        first, second = (character in "01234567" for character in digest(question)[:2])
        if first:  # half of the questions both ask in the same instant ...
            (folder / f"{name} {question}").touch()
            deadline = time.monotonic() + 5
            while not (folder / f"{other} {question}").exists() and time.monotonic() < deadline:
                await asyncio.sleep(0.005)
        # ... and each process is quick where the other is slow, so that both are first now and then
        await asyncio.sleep(0.002 if second == (name == "one") else 0.05)
        return f"{name} answers {question}"

    with world(url) as w:
        (folder / f"{name}.ready").touch()
        while not (folder / "go").exists():
            time.sleep(0.005)
        run = w.run(INSTRUCTIONS, answer, in_flight=IN_FLIGHT, shard_rows=100)
    asked = [request.messages[-1]["content"] for request in run.model.requests if request.messages]
    (folder / f"{name}.asked").write_text("\n".join(asked))
    tables = (run.frame(kind) for kind in ("rows", "rejects", "losses", "provenance"))
    (folder / f"{name}.dataset").write_bytes(b"".join(encoded(table) for table in tables))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
