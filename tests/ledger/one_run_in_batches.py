"""A process of its own that asks in batches, and is killed by its provider: see test_batch_kills.

python -m tests.ledger.one_run_in_batches URL LEDGER PROVIDER WAIT: answers on the ledger at a URL, prints what it came to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.ledger.batches import following
from tests.engine.served import run_served

QUESTIONS = [f"question {number}" for number in range(6)]
QUICK = {"gather_s": 0.05, "poll_s": 0.05, "settle_s": 0.05}


def main(url: str, ledger: str, provider: str, wait: str) -> None:
    following.LINES_AT_ONCE = 1  # so that a file is committed in several parts
    run = run_served(
        url, Path(), QUESTIONS, provider=provider, batch=QUICK | {"wait": wait == "wait"}, ledger_url=ledger
    )
    pending = run.outcome.pending if run.outcome else None
    print(
        json.dumps(
            {"error": str(run.error or ""), "pending": pending, "responses": run.responses if run.outcome else []}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
