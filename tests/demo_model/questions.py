"""Questions of the demo's domain that its model was never trained to answer, as a file.

    python -m tests.demo_model.questions datasets/proof/questions.jsonl --rows 400

`make proof` measures students by them, with `checker.py:is_right`. What `demo-2` begins with where a run names no seeds:

    python -m tests.demo_model.questions tasks/models/demo/problems.jsonl --rows 60 --seed 2 --references
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from tests.demo_model.corpus import is_held_out
from tests.demo_model.domain import Question, a_question

UNSEEN = 10_000_019  # the seed: far from those of the corpus


def held_out(rows: int, seed: int = UNSEEN, *, asked: bool = False) -> list[Question]:
    """Different questions that training never asked to have answered; `asked`: such as it did ask."""
    rng, found = random.Random(seed), dict[str, Question]()
    while len(found) < rows:
        question = a_question(rng)
        if is_held_out(question.text) != asked:
            found[question.text] = question
    return list(found.values())


def problems(rows: int, seed: int, *, references: bool, asked: bool = False) -> list[dict[str, str]]:
    """The questions as seeds."""
    return [
        {"instruction": one.text, **({"reference": one.problem.value()} if references else {})}
        for one in held_out(rows, seed, asked=asked)
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--rows", type=int, default=400)
    options.add_argument("--seed", type=int, default=UNSEEN)
    options.add_argument("--references", action="store_true", help="each with its right answer")
    options.add_argument("--asked", action="store_true", help="of the others, which are never measured by")
    told = options.parse_args()
    told.file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(line) for line in problems(told.rows, told.seed, references=told.references, asked=told.asked)]
    told.file.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
