"""A process of its own that runs `text_generation` on a ledger that another one uses at the same time.

python -m tests.ledger.one_of_two_runs URL NAME FOLDER: waits for FOLDER/go, answers with its NAME in each text, and
writes its dataset to FOLDER/NAME.dataset, and each question, once it is asked, to FOLDER/NAME.asked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import tasks.schemas  # noqa: F401 - with pandera, before it says that it is ready: both begin at the same moment
from tasks.models.base import Request
from tasks.storage.digest import digest
from tasks.storage.tables import encoded
from tests.engine.world import world

ROWS, IN_FLIGHT = 200, 8
INSTRUCTIONS = [f"question {number}" for number in range(ROWS)]


def main(url: str, name: str, folder: Path) -> None:
    async def answer(request: Request) -> str:
        assert request.messages is not None
        question = request.messages[-1]["content"]
        with (folder / f"{name}.asked").open("a") as asked:
            asked.write(f"{question}\n")
        # each process is quick where the other is slow, so that both are first now and then
        await asyncio.sleep(0.002 if (digest(question)[0] in "01234567") == (name == "one") else 0.05)
        return f"{name} answers {question}"

    with world(url) as w:
        (folder / f"{name}.ready").touch()
        while not (folder / "go").exists():
            time.sleep(0.005)
        run = w.run(INSTRUCTIONS if name == "one" else INSTRUCTIONS[::-1], answer, in_flight=IN_FLIGHT, shard_rows=100)
    tables = (run.frame(kind).sort("row_id") for kind in ("rows", "rejects", "losses", "provenance"))
    (folder / f"{name}.dataset").write_bytes(b"".join(encoded(table) for table in tables))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
