"""How good `demo-2` is at what it was trained for, on questions not seen in training.

    python -m tests.benchmarks.demo_2_eval [--rows 200] [--model tasks/models/demo/second] [--show 10]

The techniques of the recipes `constrained`, `reasoning`, `verified` and `dialogue` run as they are, with one attempt an ask; the demo's
own checker says which answers are right. `--show`: so many rows of each to read.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.curate.pair import Pair, pair
from tasks.curate.verified_scores import VerifiedScores, verified_scores
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.engine.technique import Technique
from tasks.errors import RowLoss
from tasks.generate.constraints import Constraints, constraints
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.generate.rejection_sampling import RejectionSampling, rejection_sampling
from tasks.generate.talks.carry_on import CarryOn, carry_on
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.generate.verified_generation import VerifiedGeneration, verified_generation
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tasks.models.open import BUILT_IN
from tasks.text.final_answers.asking import SOLUTION
from tasks.text.prompts import FULL, Prompts
from tasks.text.templates import render
from tests.benchmarks.demo_eval import FREE, GREEDY, LONGEST, share, through
from tests.demo_model.checker import is_right, question_of
from tests.demo_model.questions import UNSEEN, held_out
from tests.rows import a_row


@dataclass(frozen=True)
class Evaluation:
    """What is measured: the models, rows of each part, and how many of these are shown."""

    models: Models
    rows: int
    shown: int

    def questions(self, part: int) -> list[Row]:
        """Questions of a part, with their right answers."""
        return [
            a_row(instruction=one.text, reference=one.problem.value()) for one in held_out(self.rows, UNSEEN + part)
        ]

    async def of(self, technique: Technique[Any], rows: Sequence[Row], params: Any) -> list[Row]:
        """What comes out of a technique; the reasons of all others are printed."""
        out = await through(technique, list(rows), self.models, params)
        lost = Counter(one.reason for one in out if isinstance(one, RowLoss))
        kept = [child for one in out if not isinstance(one, RowLoss) for child in one]
        if lost:
            print(f"  {technique.name}: {', '.join(f'{reason} {n}' for reason, n in lost.most_common())}")
        return kept

    def show(self, rows: Sequence[Row], *columns: str) -> None:
        """Some rows to read."""
        for row in rows[: self.shown]:
            print("\n".join(f"    {name}: {row.get(name)!r}" for name in columns), end="\n\n")


def say(what: str, figure: float) -> None:
    print(f"{what:<60} {figure:6.1f}", flush=True)


def right_of(pairs: Sequence[tuple[str, str]]) -> float:
    """The share of right answers among those to questions that the checker knows."""
    return share(found for question, answer in pairs if (found := is_right(question, answer)) is not None)


async def answering(test: Evaluation) -> None:
    """Plain questions, as `demo` is asked them."""
    for name, sampling in (("0", GREEDY), ("1", FREE)):
        rows = await test.of(text_generation, test.questions(1), TextGeneration(sampling=sampling))
        say(f"right answers at temperature {name}", right_of([(r["instruction"], r["response"]) for r in rows]))


async def constrained(test: Evaluation) -> None:
    """Instructions with 1 to 3 constraints, and one attempt to keep them."""
    for number in (1, 2, 3):
        drawn = await test.of(constraints, test.questions(1 + number), Constraints(least=number, most=number))
        rows = await test.of(verified_generation, drawn, VerifiedGeneration())
        say(f"constrained: keeps {number} constraints at the first attempt", 100 * len(rows) / max(len(drawn), 1))
        said = right_of([(row["plain_instruction"], row["response"]) for row in rows])
        say("    right answers of these", said)
        test.show(rows, "instruction", "response")


async def reasoning(test: Evaluation) -> None:
    """Problems solved with the answer in a box: one sample at temperature 0, then four at the technique's own."""
    rows = test.questions(5)
    solved = await test.of(rejection_sampling, rows, RejectionSampling(samples=1, sampling=GREEDY))
    say("reasoning: right at temperature 0", 100 * len(solved) / test.rows)
    solved = await test.of(rejection_sampling, rows, RejectionSampling())
    say("reasoning: one of four samples is right", 100 * len(solved) / test.rows)
    test.show(solved, "instruction", "response", "ground_truth")


async def verified(test: Evaluation) -> None:
    """Pools of four answers, of which some pass the verifier and some do not."""
    drawn = await test.of(constraints, test.questions(6), Constraints())
    *_, asked = render(test.models.prompts.template(SOLUTION), {"problem": "{{ instruction }}"})
    boxed = {asked["content"]: 1.0}
    for verifier, rows, turns in (("constraints", drawn, {}), ("answer", test.questions(7), boxed)):
        pools = await test.of(model_pool, rows, ModelPool(responses=4, templates=turns))
        scored = await test.of(verified_scores, pools, VerifiedScores(verifier=verifier))
        pairs = await test.of(pair, scored, Pair())
        say(f"verified, by {verifier}: pairs", 100 * len(pairs) / test.rows)
        test.show(pairs, "prompt", "chosen", "rejected")


async def dialogue(test: Evaluation) -> None:
    """Answers carried on to three turns of the user."""
    first = await test.of(text_generation, test.questions(8), TextGeneration())
    rows = await test.of(carry_on, first, CarryOn(draw_turns=False))
    say("dialogue: rows", 100 * len(rows) / test.rows)
    say("    of three turns of the user", share(row["stopped"] == "turns" for row in rows))
    print(f"  stopped: {dict(Counter(row['stopped'] for row in rows))}")
    talks = [_turns(row) for row in rows]
    later = [two for talk in talks for two in talk[1:]]
    say("    later turns of the user that ask a new question", share(_asks(text) is not None for text, _ in later))
    say("    right answers to first questions", right_of([talk[0] for talk in talks]))
    say("    right answers to new questions of the user", right_of([(_asks(q) or "", a) for q, a in later]))
    test.show(rows, "messages", "response")


def _turns(row: Row) -> list[tuple[str, str]]:
    """The user's turns of a conversation, each with its answer."""
    texts = [*(turn["content"] for turn in row["messages"]), row["response"]]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _asks(turn: str) -> str | None:
    """The question in a user's turn, which may follow a few words; None where there is none."""
    return next((text for text in (turn, turn.partition(": ")[2]) if question_of(text)), None)


async def evaluate(rows: int, folder: Path, shown: int) -> None:
    model = load_local(ModelConfig(name=str(folder)), name="demo-2")
    member = Member(model, ModelConfig(max_new_tokens=LONGEST))
    models = Models({"generator": [member]}, replace(Context(max_attempts=1), prompts=Prompts(FULL, "en")))
    test, began = Evaluation(models, rows, shown), time.perf_counter()
    print(f"{rows} rows each, one attempt, {folder}; figures in per cent")
    for part in (answering, constrained, reasoning, verified, dialogue):
        await part(test)
    print(f"in {time.perf_counter() - began:.0f} s")
    await model.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=200)
    options.add_argument("--model", type=Path, default=BUILT_IN["demo-2"])
    options.add_argument("--show", type=int, default=0)
    told = options.parse_args()
    asyncio.run(evaluate(told.rows, told.model, told.show))


if __name__ == "__main__":
    main()
