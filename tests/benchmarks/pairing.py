"""Pairing 50,000 instructions with four judged responses each through the engine: seconds and peak memory.

python -m tests.benchmarks.pairing [INSTRUCTIONS]     # bar: 10 s and 2 GB
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from tasks.curate.pair import Pair, pair
from tasks.engine.admission import Admission
from tasks.engine.context import Context
from tasks.engine.shard import run_shard
from tasks.storage.digest import digest
from tasks.storage.tables import write_table
from tasks.text.responses import make_response
from tests.rows import models_of

SHARD, RESPONSES = 1000, 4


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    admission, models = Admission(1024), models_of([])
    seconds, pairs = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, count, SHARD):
            frame = judged(range(start, min(start + SHARD, count)))
            began = time.perf_counter()
            outcome = run_shard(pair, frame, models, Pair(), Context(), admission=admission)
            write_table(Path(folder) / f"{start}.parquet", "pair", outcome.rows, {"provenance": outcome.provenance})
            seconds += time.perf_counter() - began
            pairs += outcome.rows.height
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"pairing: {count} instructions x {RESPONSES}, {pairs} pairs in {seconds:.1f} s (bar 10), peak {peak_mb:.0f} MB (bar 2000)"
    )


def judged(indices: range) -> pl.DataFrame:
    """A shard of judged pools."""
    from tasks.column_types import RESPONSE

    rating = {"judge": "judge", "aspect": "overall", "rationale": "It says what it says.", "order": 0}
    pools = [
        [
            make_response(
                f"answer {i} {j} " * 20,
                model=f"model-{j}",
                origin="pool",
                score=float(score),
                ratings=[rating | {"rating": float(score)}],
            )
            for j in range(RESPONSES)
            for score in (1 + (i * 7 + j * 3) % 5,)
        ]
        for i in indices
    ]
    columns = {"row_id": [digest("bench", i) for i in indices], "instruction": [f"question {i}" for i in indices]}
    return pl.DataFrame(columns).with_columns(pl.Series("responses", pools, dtype=pl.List(RESPONSE)))


if __name__ == "__main__":
    main()
