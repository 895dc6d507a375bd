"""What `stillroom fit` takes for a large file of conversations: seconds, those of all its processes, and the peak memory of one.

    python -m tests.benchmarks.fit [ROWS]                 # default: 100,000
    python -m tests.benchmarks.fit 100000 MODEL           # a name or folder; turns of real texts, none of which comes twice

Real texts are those of tests/data (Evol-Instruct, IFEval, preference pairs, Self-Instruct), of which each turn is another piece, with one word
of twenty changed to one that is nowhere else. A hundredth of the rows is looked at first, by a command of its own: what it takes to start is told beside.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.lines import Line
from tests.publish.trainers.rows import messages

DATA = Path(__file__).parents[1] / "data"
REAL = (
    "evol_instruct/samples.jsonl",
    "ifeval/labelled.jsonl",
    "preference_pairs/dpo_en_demo.jsonl",
    "self_instruct/seed_tasks.jsonl",
)
LONG = 40  # characters
ROWS, PIECE = 100_000, 5_000  # rows; conversations that differ
BAR_S, CORES, BAR_MB = 60, 2, 1500


def main() -> None:
    """Both figures, a line each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    model = sys.argv[2] if len(sys.argv) > 2 else "demo"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STILLROOM_HOME"] = f"{folder}/home"
        print(fitted(Path(folder), max(1, rows // 100), model), flush=True)
        print(fitted(Path(folder), rows, model), flush=True)


def written(file: Path, rows: int, *, real: bool) -> None:
    """So many conversations: of real texts, or of a few words, up to nine turns of some 74 tokens, PIECE of them different."""
    if real:
        words = [word for text in real_texts() for word in text.split(" ")]
        made = (json.dumps(of_words(random.Random(at), words)) + "\n" for at in range(rows))
    else:
        pieces = [json.dumps(messages(random.Random(at))) + "\n" for at in range(min(rows, PIECE))]
        made = (pieces[at % PIECE] for at in range(rows))
    with file.open("w") as out:
        out.writelines(made)


def real_texts() -> Iterator[str]:
    """Every text of some length in the files of people's and models' words."""
    for name in REAL:
        for line in (DATA / name).read_text().splitlines():
            yield from (text for text in values(json.loads(line)) if len(text) > LONG)


def values(of: Any) -> Iterator[str]:
    """The texts anywhere in a record."""
    if isinstance(of, str):
        yield of
    elif isinstance(of, dict | list):
        for one in of.values() if isinstance(of, dict) else of:
            yield from values(one)


def of_words(draw: random.Random, words: Sequence[str]) -> dict[str, Any]:
    """Two to six turns, the user's 10 to 80 words and the assistant's 40 to 200 that stand together, one of twenty changed."""
    turns = list[dict[str, str]]()
    for _ in range(draw.randint(1, 3)):
        for role, least, most in (("user", 10, 80), ("assistant", 40, 200)):
            start, count = draw.randrange(len(words) - most), draw.randint(least, most)
            said = list(words[start : start + count])
            for at in draw.sample(range(count), count // 20):
                said[at] = said[at] + "".join(draw.choices("aeinorst", k=4))
            turns.append({"role": role, "content": " ".join(said)})
    return {"messages": turns}


def fitted(folder: Path, rows: int, model: str) -> Line:
    """One command on so many conversations."""
    file = folder / f"{rows}.jsonl"
    written(file, rows, real=model != "demo")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "flows.command.main", "fit", str(file), "--model", model, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == rows
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_mb = after.ru_maxrss / 1024
    figure = f"{wall_s:.1f} s, {cpu_s:.1f} s of all cores, peak of one process {peak_mb:,.0f} MB"
    met = cpu_s <= BAR_S * CORES and peak_mb <= BAR_MB
    bar = f"{BAR_S} s on {CORES} cores, {BAR_MB:,} MB"
    return Line(f"fit, {rows:,} conversations", figure, "-", bar, met)


if __name__ == "__main__":
    main()
