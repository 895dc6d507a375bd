"""How varied the instructions of basic prompting are: terse prompts, full ones, and full ones with persona and style drawn;
and beside them those of recipe `personas`, whose people are the personas of basic prompting.

    python -m tests.benchmarks.variety --model Qwen/Qwen3-8B@http://127.0.0.1:8000/v1 --rows 200

As many rows each, the topics in turn, one attempt a row, no ledger. `distinct-2`: different pairs of words among all pairs,
of as many words for each (the shares fall as texts get longer). `near-duplicates`: rows with a ROUGE-L of 0.7 or more to one
before them. `same beginning`: rows whose first three words are those of one before them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from typing import Any, NamedTuple

from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.process import process
from tasks.errors import RowLoss
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting
from tasks.generate.persona_prompts import PersonaPrompts, persona_prompts
from tasks.models.config import ModelConfig
from tasks.text.prompts import DEMO, FULL, Prompts
from tasks.text.rouge import Pool
from tasks.text.words import words
from tests.rows import a_row

ALIKE = 0.7
BEGINNING = 3
NONE = ("not said",)
VARIANTS: dict[str, tuple[str, BasicPrompting | PersonaPrompts]] = {
    "terse": (DEMO, BasicPrompting()),
    "full, nobody drawn": (FULL, BasicPrompting(personas=NONE, styles=NONE)),
    "full": (FULL, BasicPrompting()),
    "personas": (FULL, PersonaPrompts(kinds={"instruction": 1})),
}


class Said(NamedTuple):
    """How many different prompts were asked with, and the instructions that came of them."""

    prompts: int
    texts: list[str]


async def instructions(model: ModelConfig, prompts: Prompts, params: Any, rows: int) -> Said:
    """What was asked for this many rows, and the instructions in their order; one that was refused is left out."""
    context = Context(prompts=prompts, max_attempts=1, asked=[])
    models: Any = process.models({"generator": [model]}, context)
    lists = prompts.lists("basic_prompting")
    technique: Any = persona_prompts if isinstance(params, PersonaPrompts) else basic_prompting
    given = (
        [{"persona": one} for one in lists["personas"]] if technique is persona_prompts else params.blank_rows(lists)
    )

    async def one(index: int, columns: dict[str, Any]) -> str | None:
        try:
            [child] = await technique(a_row(**columns, index=index), models, params)
        except RowLoss:
            return None
        return str(child["instruction"])

    said = await asyncio.gather(*(one(index, columns) for index, columns in enumerate(islice(cycle(given), rows))))
    different = {json.dumps(asked.request.messages) for asked in context.asked or ()}
    return Said(len(different), [text for text in said if text])


def cells(texts: Sequence[str], most_words: int) -> list[str]:
    """The figures of one variant; pairs are taken of the first `most_words` words."""
    spoken = [words(text) for text in texts]
    pairs = [pair for said in spoken for pair in pairwise(said)][:most_words]
    pool, alike, begun, again = Pool(), 0, set[tuple[str, ...]](), 0
    for text, said in zip(texts, spoken, strict=True):
        near = pool.most_similar(text)
        alike += near is not None and near.score >= ALIKE
        pool.add(text)
        again += tuple(said[:BEGINNING]) in begun
        begun.add(tuple(said[:BEGINNING]))
    length = sum(map(len, spoken)) / max(len(texts), 1)
    shares = (len(set(pairs)) / max(len(pairs), 1), alike / max(len(texts), 1), again / max(len(texts), 1))
    return [str(len(texts)), f"{length:.0f}", *(f"{share:.0%}" for share in shares)]


def main() -> None:
    """Ask with each variant and print the table."""
    parser = argparse.ArgumentParser(description="how varied the instructions of basic prompting are")
    parser.add_argument("--model", default="demo", help="as `stillroom sft --model` takes it")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--language", default="en", help="of the full prompts; in another than English no terse ones")
    parser.add_argument("--show", type=int, default=0, help="print so many instructions of each variant")
    options = parser.parse_args()
    model = ModelConfig(name=options.model)
    found = {}
    for name, (prompt_set, params) in VARIANTS.items():
        if prompt_set == FULL or options.language == "en":
            prompts = Prompts(prompt_set, options.language).resolved()
            found[name] = run_in_loop(instructions(model, prompts, params, options.rows))
            for text in found[name].texts[: options.show]:
                print(f"  {name}: {text!r}", flush=True)
    most = min(sum(len(words(text)) for text in said.texts) for said in found.values())
    print(f"\n{options.model}, {options.language}, {options.rows} rows asked for\n")
    print(
        "| prompts | different ones | rows | words a row | distinct-2 | near-duplicates | same beginning |\n"
        + "|---" * 7
        + "|"
    )
    for name, said in found.items():
        print(f"| {name} | {said.prompts} | " + " | ".join(cells(said.texts, most)) + " |")
    process.close()


if __name__ == "__main__":
    main()
