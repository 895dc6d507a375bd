"""What the house costs when the model costs nothing: rows/s and peak memory of recipe `respond` (bar: DESIGN.md's issue).

    python -m tests.benchmarks.overhead [ROWS ...]     # default: 100000 1000000

Each size runs in a process of its own with a fresh home; the clock starts once Prefect has started. The bar is older than
curation: it is for the engine, tables, ledger, Prefect and publishing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULE = f"scripted:{Path(__file__).with_name('rules.py')}:at_once"


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000]
    bare = _measured(sizes[0], curated=False)
    print(f"overhead: {sizes[0]} rows without curation, {bare['rows_per_s']:.0f} rows/s (bar 5000)")
    figures = [_measured(size, curated=True) for size in sizes]
    for size, figure in zip(sizes, figures, strict=True):
        print(
            f"overhead: {size} rows, filters and duplicates as by default, {figure['rows_per_s']:.0f} rows/s, peak {figure['peak_mb']:.0f} MB, "
            f"bare loop of the same asks {figure['bare_rows_per_s']:.0f} rows/s"
        )
    if len(sizes) > 1:
        print(
            f"overhead: memory at {sizes[-1]} rows is {figures[-1]['peak_mb'] / figures[0]['peak_mb']:.2f} x that at {sizes[0]} (bar 1.2)"
        )


def _measured(size: int, *, curated: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STILLROOM_HOME": f"{folder}/home"}
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.overhead",
            "--one",
            str(size),
            folder,
            *(["curated"] if curated else []),
        ]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures


def _one(size: int, folder: Path, *, curated: bool) -> None:
    from tasks.storage.home import keep_prefect_off_the_terminal

    keep_prefect_off_the_terminal()
    seeds = folder / "seeds.jsonl"
    with seeds.open("w") as file:
        for i in range(size):
            file.write(json.dumps({"instruction": f"What is {i} plus two, and why is that so?"}) + "\n")
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    curate = {} if curated else {"filters": None, "deduplicate": None}

    def run(source: str | list[str], out: str) -> None:
        model = {"name": RULE, "max_in_flight": 256}
        instruction_sft(InstructionSFT(recipe="respond", seeds=source, out=out, model=model, curate=curate))

    run(["Warm up."], f"{folder}/warm")  # starts Prefect's server
    started = time.perf_counter()
    run(str(seeds), f"{folder}/out")
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows_per_s": size / seconds, "peak_mb": peak_mb, "bare_rows_per_s": _bare(min(size, 50_000))}))


def _bare(size: int) -> float:
    """The same asks without ledger, validation, Parquet and Prefect: what Python's event loop alone allows."""
    import asyncio

    from tasks.generate.text_generation import TextGeneration, text_generation
    from tests.benchmarks.rules import at_once
    from tests.rows import a_row, models_of

    models, params = models_of(at_once), TextGeneration()

    async def ask() -> None:
        for start in range(0, size, 1000):
            rows = [a_row(instruction=f"What is {i} plus two?") for i in range(start, start + 1000)]
            await asyncio.gather(*(text_generation(row, models, params) for row in rows))

    started = time.perf_counter()
    asyncio.run(ask())
    return size / (time.perf_counter() - started)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(int(sys.argv[2]), Path(sys.argv[3]), curated="curated" in sys.argv[4:])
    else:
        main()
