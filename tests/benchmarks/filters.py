"""What the filters take out: of good answers nearly nothing, of bad ones nearly all; and how fast.

    python -m tests.benchmarks.filters [--data DIR] [--demo 2000]

`--data`: a folder of JSONL files of rows (instruction and response, or messages) that are good; each is a line of the first
table. `--demo`: so many questions to the built-in model, whose own checker says which answers are right: of those that each part of
curation alone keeps and takes, duplicates and selection too (a judge: `tests.benchmarks.judges`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from tasks.curate.deduplicate import WRITTEN, Deduplicate
from tasks.curate.diversify import TIMES
from tasks.curate.filters import CHECKS, Filters
from tasks.curate.row_texts import trained_on
from tasks.curate.selection.calibration import calibrated
from tasks.curate.selection.diverse import diverse
from tasks.curate.selection.drawn import drawn
from tasks.curate.selection.pool import SelectionPool
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.errors import RowLoss
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.config import ModelConfig
from tasks.models.embed.ngrams import ngram_vectors
from tasks.models.local.local import load_local
from tasks.text.filters.answer import answers_of
from tasks.text.filters.unfinished import Unfinished, unfinished
from tests.benchmarks.demo_eval import FREE, LONGEST, share, through
from tests.demo_model.checker import verdict
from tests.demo_model.questions import UNSEEN, held_out
from tests.demo_model.train import WEIGHTS
from tests.rows import a_row
from tests.text.filters.answers import FAULTS, LANGUAGES, by_hand, real

Rows = Sequence[Mapping[str, Any]]
STRICT = "unfinished, sentence_end"
ON = {name: settings for name in CHECKS if (settings := getattr(Filters(), name)) is not None}


def refusals_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The reason that each check alone has against a row."""
    answers = answers_of(row)
    found = {name: next((said for one in answers if (said := CHECKS[name](one, ON[name]))), None) for name in ON}
    return {name: said[0] for name, said in found.items() if said}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path)
    options.add_argument("--demo", type=int, default=0)
    chosen = options.parse_args()
    good_rows(chosen.data)
    by_kind()
    speed()
    if chosen.demo:
        asyncio.run(demo(chosen.demo))


def good_rows(folder: Path | None) -> None:
    """The share of good rows that each filter takes."""
    sources: dict[str, Rows] = {name: [case.row for case in cases] for name, cases in real().items()}
    sources["by hand, looking bad"] = [case.row for case in by_hand("good")]
    for file in sorted(folder.glob("*.jsonl")) if folder else ():
        sources[file.stem] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    print(f"{'good rows taken, in %':<28}{'rows':>6}{'any':>7}" + "".join(f"{name:>12}" for name in ON))
    for name, rows in sources.items():
        taken = [refusals_of(row) for row in rows]
        each = Counter(check for one in taken for check in one)
        figures = [sum(map(bool, taken)), *(each[check] for check in ON)]
        print(f"{name:<28}{len(rows):>6}{100 * figures[0] / len(rows):>7.2f}", end="")
        print("".join(f"{100 * figure / len(rows):>12.2f}" for figure in figures[1:]))


def by_kind() -> None:
    """The share of bad answers that go for their reason: those by hand in each language, and faults put into good ones."""
    print(
        f"\n{'bad rows found':<28}"
        + "".join(f"{language:>9}" for language in LANGUAGES)
        + f"{'put into good ones':>22}"
    )
    good = [case for source in real().values() for case in source if min(len(case.asked), len(case.answer)) > 40]
    for reason in dict.fromkeys(case.name for case in by_hand("bad")):
        print(f"{reason:<28}", end="")
        for language in LANGUAGES:
            cases = [case for case in by_hand("bad") if (case.language, case.name) == (language, reason)]
            print(f"{sum(reason in refusals_of(case.row).values() for case in cases):>6}/{len(cases):<2}", end="")
        if fault := FAULTS.get(reason):
            rows = [{"instruction": case.asked, "response": fault(case)} for case in good]
            print(f"{share(reason in refusals_of(row).values() for row in rows):>14.1f} % of {len(rows)}", end="")
        print()


def speed() -> None:
    """Rows a second of one core, over the real answers."""
    rows = [case.row for cases in real().values() for case in cases] * 5
    began = time.process_time()
    for row in rows:
        refusals_of(row)
    took = time.process_time() - began
    size = sum(len(row["response"]) for row in rows) / len(rows)
    print(f"\n{len(rows) / took:.0f} rows/s on one core, {size:.0f} characters each")


async def demo(count: int, temperatures: Sequence[float] = (1.0, 1.5)) -> None:
    """Right answers of the built-in model among the rows that each filter keeps, and among those that it takes."""
    model = load_local(ModelConfig(name=str(WEIGHTS)), name="demo")
    models = Models({"generator": [Member(model, ModelConfig(max_new_tokens=LONGEST))]}, Context(max_attempts=1))
    rows = [a_row(i, instruction=question.text) for i, question in enumerate(held_out(count, UNSEEN + 5))]
    for temperature in temperatures:
        params = TextGeneration(sampling=FREE.but(temperature=temperature))
        made = await through(text_generation, rows, models, params)
        kept_and_taken([one[0] for one in made if not isinstance(one, RowLoss)], temperature)
    await model.close()


def kept_and_taken(answered: Sequence[Row], temperature: float) -> None:
    """A line a filter."""
    right = [verdict(row["instruction"], row["response"]) == "right" for row in answered]
    print(f"\ndemo model at temperature {temperature:g}: {len(answered)} answers, {share(right):.1f} % right")
    compared = {name: part(answered) for name, part in COMPARING.items()}
    taken = [set(refusals_of(row)) | _strict(row) for row in answered]
    for name in (*ON, "all of these", STRICT, *COMPARING):
        goes = [bool(one - {STRICT}) if name == "all of these" else name in one for one in taken]
        goes = [row.row_id in compared[name] for row in answered] if name in COMPARING else goes
        kept = share(is_right for is_right, gone in zip(right, goes, strict=True) if not gone)
        out = [is_right for is_right, gone in zip(right, goes, strict=True) if gone]
        print(
            f"{name:<26} keeps {kept:6.2f} % right, takes {len(out):>4} rows"
            + (f", {share(out):.1f} % right" if out else "")
        )


def duplicates(rows: Sequence[Row]) -> Collection[str]:
    """The rows that `deduplicate` takes where a model has written the prompts."""
    with TemporaryDirectory() as folder:
        sieve = Deduplicate(threshold=WRITTEN).open(Path(folder))
        gone = sieve.sift(pl.DataFrame([{"row_id": row.row_id, **row} for row in rows], infer_schema_length=None))
        sieve.close()
    return set(gone)


def not_longest(rows: Sequence[Row]) -> Collection[str]:
    """The rows that are not among the third that is chosen by the length of answers, compared by n-grams."""
    lengths = np.array([len(row["response"]) for row in rows], np.float64)
    pool = SelectionPool.of([row.row_id for row in rows], lengths, ngram_vectors([*map(trained_on, rows)])[0])
    found = calibrated(pool, 0)
    return set(diverse(found.threshold if found else 1)(pool, len(rows) // TIMES).gone)


def not_drawn(rows: Sequence[Row]) -> Collection[str]:
    """The rows that are not among the third that is drawn."""
    return set(drawn(0)(SelectionPool.of([row.row_id for row in rows]), len(rows) // TIMES).gone)


COMPARING: dict[str, Callable[[Sequence[Row]], Collection[str]]] = {
    "deduplicate": duplicates,
    "diversify, by longest": not_longest,
    "diversify, by random": not_drawn,
}


def _strict(row: Mapping[str, Any]) -> set[str]:
    [answer] = answers_of(row)
    return {STRICT} if unfinished(answer, Unfinished(sentence_end=True, min_words=1)) else set()


if __name__ == "__main__":
    main()
