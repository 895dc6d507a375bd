"""How long `--preview 5` takes beyond its model: on the demo model, and on an endpoint of this machine (bar: 3 s).

    python -m tests.benchmarks.preview

Whole commands in processes of their own, each with a fresh home, medians of five. Of the demo model, importing torch and
loading the weights are the model's time; they are measured by themselves, in the same way.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.lines import Line
from tests.benchmarks.sleeper import sleeping

ROOT = Path(__file__).parents[2]
TIMES = 5
BAR_S = 3.0
LATENCY_S = 0.2
LOAD = """
import asyncio, time
started = time.perf_counter()
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.open import open_model
imported, begun = time.perf_counter(), []
model = open_model(ModelConfig())
asyncio.run(model.complete(Request(Sampling(max_new_tokens=1), 0, ({"role": "user", "content": "hello"},), admit=lambda: begun.append(time.perf_counter()))))
print(begun[0] - imported)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seeds.jsonl").write_text(
            "".join(json.dumps({"instruction": f"What is {n}?"}) + "\n" for n in range(8))
        )
        print(on_the_demo_model(folder), of_answers_on_record(folder), on_an_endpoint(folder), sep="\n")


def on_the_demo_model(folder: Path) -> Line:
    loads = [float(_python(folder, "-c", LOAD)) for _ in range(TIMES)]
    beyond = [seconds - model_s for seconds, model_s in (_preview(folder) for _ in range(TIMES))]
    load_s = statistics.median(loads)
    return _line("sft --preview 5, demo model", [seconds - load_s for seconds in beyond], f"{load_s:.1f} s to load it")


def of_answers_on_record(folder: Path) -> Line:
    home = folder / "kept"
    _preview(folder, home=home)
    return _line("the same, answers on record", [_preview(folder, home=home)[0] for _ in range(TIMES)])


def on_an_endpoint(folder: Path) -> Line:
    with sleeping(LATENCY_S) as url:
        options = ["--recipe", "respond", "--seeds", "seeds.jsonl", "--model", f"bench@{url}"]
        took = [_preview(folder, *options) for _ in range(TIMES)]
    return _line("sft --preview 5, endpoint", [seconds - model_s for seconds, model_s in took], "0.2 s a request")


def _line(what: str, seconds: list[float], aside: str = "") -> Line:
    median = statistics.median(seconds)
    aside = f" (and {aside})" if aside else ""
    return Line(what, f"{median:.2f} s beyond the model{aside}", "0", f"{BAR_S:g} s", median < BAR_S)


def _preview(folder: Path, *options: str, home: Path | None = None) -> tuple[float, float]:
    """Seconds of a whole command, and those of them that its model had a request."""
    with tempfile.TemporaryDirectory() as fresh:
        started = time.perf_counter()
        told = _python(
            folder, "-m", "flows.command.main", "sft", *options, "--preview", "5", "--json", home=home or Path(fresh)
        )
        return time.perf_counter() - started, float(json.loads(told)["model_seconds"])


def _python(folder: Path, *arguments: str, home: Path | None = None) -> str:
    environment = os.environ | {"STILLROOM_HOME": str(home or folder / "home"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
