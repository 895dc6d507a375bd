"""What a judge is worth as a gate: of the built-in model's own answers, how many are right before and after.

    python -m tests.benchmarks.judges [--rows 300]

The demo answers questions that training never had at temperature 1, rates its answers (`curate.rate`), and its own checker says
which are right. A row of the table for each threshold: the share of right answers among those kept and those removed.
"""

from __future__ import annotations

import argparse
import asyncio

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import RowLoss
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.judge.rate import Rate, rate
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tests.benchmarks.demo_eval import FREE, LONGEST, share, through
from tests.demo_model.checker import verdict
from tests.demo_model.questions import held_out
from tests.demo_model.train import WEIGHTS
from tests.rows import a_row


async def gate(count: int) -> None:
    """Answers, ratings, and the table."""
    config = ModelConfig(name=str(WEIGHTS), max_new_tokens=LONGEST)
    model = load_local(config, name="demo")
    models = Models({"generator": [Member(model, config)]}, Context())
    try:
        rows = [a_row(instruction=question.text) for question in held_out(count)]
        made = await through(text_generation, rows, models, TextGeneration(sampling=FREE))
        answered = [children[0] for children in made if not isinstance(children, RowLoss)]
        rated = await through(rate, answered, models, Rate(threshold=1))
    finally:
        await model.close()
    judged = [
        (kept[0]["score"], verdict(row["instruction"], row["response"]) == "right")
        for row, kept in zip(answered, rated, strict=True)
        if not isinstance(kept, RowLoss)
    ]
    right = share(good for _, good in judged)
    print(f"{count} questions, {len(answered)} answers, {len(judged)} rated; right: {right:.1f} %")
    print(f"{'threshold':<12}{'kept':>6}{'right, %':>10}{'removed':>10}{'right, %':>10}")
    for threshold in (2, 3, 4, 5):
        kept = [good for score, good in judged if score >= threshold]
        removed = [good for score, good in judged if score < threshold]
        print(f"{threshold:<12}{len(kept):>6}{share(kept):>10.1f}{len(removed):>10}{share(removed):>10.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=300)
    asyncio.run(gate(options.parse_args().rows))


if __name__ == "__main__":
    main()
