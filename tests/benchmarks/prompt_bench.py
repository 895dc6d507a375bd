"""How well a model follows each prompt: every technique on 50 fixed inputs, a line a prompt.

    make prompt-bench MODEL=Qwen/Qwen3-8B@http://127.0.0.1:8000/v1
    python -m tests.benchmarks.prompt_bench --model MODEL --set full --set demo [--language vi] [--prompts DIR] [--judge MODEL]

One attempt an ask, no ledger. The share of answers that are used (`parsed`), that have six words in a row of the prompt's own
(`leaked`, whether or not the parser cut these off or refused the answer for another reason; a judge may have them), that say
again what they were to work on (`copied`: ROUGE-L of 0.9 or more), that speak of it (`on topic`: they share a word of five
letters, or two characters where there are no spaces), that are in the language (`language`, by their letters); different pairs
of words among all pairs (`distinct`), and with a judge the rewrites that it calls harder whichever stands first (`harder`).
Compare two versions of a prompt by the same model: change it in a folder of your own and name that (`--prompts`).
`--answers` writes down all that was said, to be read: a share says how often, and not whether it is any good.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.process import process
from tasks.engine.requests.trace import Asked
from tasks.engine.row import Row
from tasks.errors import RowLoss
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.generate.evol_instruct import OPERATIONS, EvolInstruct, evol_instruct
from tasks.generate.evol_quality import EvolQuality, evol_quality
from tasks.generate.self_instruct import SelfInstruct, self_instruct
from tasks.generate.self_instruct_instances import SelfInstructInstances, self_instruct_instances
from tasks.judge.critique import Critique, critique
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.notices import tell
from tasks.text.leaks import own_runs, runs_of
from tasks.text.prompts import Prompts
from tasks.text.responses import make_response
from tasks.text.rouge import rouge_l
from tasks.text.words import is_spaceless, words
from tests.rows import a_row

DATA = Path(__file__).parents[1] / "data"
INPUTS = 50
COPIED = 0.9
LONG_WORD = 5
VERDICTS = ("ultrafeedback/", "critique/critique", "evol_instruct/equal", "self_instruct_instances/classification")
"""What asks for a verdict: its answer is no text of its own."""
REWRITES = ("evol_quality/", "critique/rewrite")
"""What makes a response anew."""
HARDER = "Here are two requests.\n\nA: {a}\n\nB: {b}\n\nWhich one takes more knowledge or more thought to answer well? Answer with the letter A or B alone."
MARKED = re.compile(r"<(\w[\w ]*)>\n(.*?)\n</\1>", re.DOTALL)
"""What stands between the marks of a prompt: the texts that it is about."""
VIETNAMESE = frozenset("ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ")


@dataclass
class Score:
    """What became of the answers to one prompt. Shares are of those asked."""

    asked: int = 0
    about: int = 0
    parsed: int = 0
    leaked: int = 0
    copied: int = 0
    on_topic: int = 0
    in_language: int = 0
    pairs: list[tuple[str, str]] = field(default_factory=list)
    rewrites: list[tuple[str, str]] = field(default_factory=list)
    answers: list[dict[str, str]] = field(default_factory=list)

    def add(self, asked: Asked, given: str, prompts: Prompts) -> None:
        """Count one answer to a prompt about `given`, "" where it is about nothing in particular."""
        said = said_in(asked)
        self.asked += 1
        self.about += bool(given)
        self.parsed += not asked.refused
        self.leaked += is_leak(said, asked, prompts)
        self.copied += rouge_l(said, given) >= COPIED
        self.on_topic += bool(content(given) & content(said))
        self.in_language += language_of(said) == prompts.language
        self.answers.append({"given": given, "said": said, "refused": asked.refused})
        spoken = words(said)
        self.pairs += pairwise(spoken)
        if not asked.refused:
            self.rewrites.append((given, said))

    def cells(self, template: str) -> list[str]:
        """The figures as a line of the table."""
        verdict = template.startswith(VERDICTS)
        of_text = ["-"] * 3 if verdict else [share(self.copied, self.about), share(self.on_topic, self.about)]
        of_text += [] if verdict else [share(len(set(self.pairs)), len(self.pairs))]
        return [
            str(self.asked),
            share(self.parsed, self.asked),
            share(self.leaked, self.asked),
            *of_text,
            share(self.in_language, self.asked),
        ]


def said_in(asked: Asked) -> str:
    """What was answered; "" where nothing was."""
    return "" if asked.completion is None else asked.completion.text


def is_leak(said: str, asked: Asked, prompts: Prompts) -> bool:
    """Whether an answer has six words of the prompt's own fixed text that what it was to work on does not have."""
    own = own_runs(asked.template, prompts)
    given = str(asked.request.messages[-1]["content"]) if asked.request.messages else ""
    marked = {run for _, text in MARKED.findall(given) for run in runs_of(text)}
    return any(run in own and run not in marked for run in runs_of(said))


def share(part: int, whole: int) -> str:
    """A share in percent."""
    return f"{part / whole:.0%}" if whole else "-"


def content(text: str) -> set[str]:
    """The words that say what a text is about: long ones, and pairs of characters where there are no spaces."""
    said = words(text)
    pairs = {a + b for a, b in pairwise(said) if is_spaceless(a[0]) and is_spaceless(b[0])}
    return pairs | {word for word in said if len(word) >= LONG_WORD}


def language_of(text: str) -> str:
    """The language among ours that the letters of a text speak for: kana, Han, Vietnamese letters, else English."""
    letters = [character for character in text.lower() if character.isalpha()]
    if any("\u3040" <= letter <= "\u30ff" for letter in letters):
        return "ja"
    if sum("\u4e00" <= letter <= "\u9fff" for letter in letters) * 2 > len(letters):
        return "zh"
    return "vi" if sum(letter in VIETNAMESE for letter in letters) * 20 > len(letters) else "en"


def english_inputs() -> list[dict[str, str]]:
    """Requests that need no input, each with an answer written by a person."""
    lines = (DATA / "self_instruct/seed_tasks.jsonl").read_text().splitlines()
    tasks = [json.loads(line) for line in lines]
    whole = [task for task in tasks if not task["instances"][0]["input"]]
    return [{"instruction": task["instruction"], "response": task["instances"][0]["output"]} for task in whole][:INPUTS]


def inputs_from(file: Path | None, language: str) -> list[dict[str, str]]:
    """The inputs: `instruction` and `response` of a .jsonl of the user's, else English ones for English prompts."""
    if file is None:
        if language != "en":
            sys.exit(
                f"prompts in {language} are not asked about English texts: give --inputs, a .jsonl with instruction and response"
            )
        return english_inputs()
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()][:INPUTS]


def works(inputs: Sequence[Mapping[str, str]]) -> list[tuple[Any, list[Row], Any]]:
    """Each technique with its rows and parameters, so that each of its prompts is asked with."""
    plain = [a_row(instruction=one["instruction"]) for one in inputs]
    answered = [
        a_row(
            instruction=one["instruction"], responses=[make_response(one["response"], model="person", origin="given")]
        )
        for one in inputs
    ]
    judged = [
        a_row(
            instruction=one["instruction"],
            responses=[
                make_response(text, model="person", origin="given") for text in (one["response"], other["response"])
            ],
        )
        for one, other in zip(inputs, [*inputs[1:], *inputs[:1]], strict=True)
    ]
    contexts = [a_row(context=one["response"]) for one in inputs]
    topics = [a_row(topic=one["instruction"]) for one in inputs]
    evolved = [
        (evol_instruct, plain, EvolInstruct(generations=1, operations=(operation,), respond=False))
        for operation in OPERATIONS
    ]
    return [
        (self_instruct, contexts, SelfInstruct()),
        (basic_prompting, topics, BasicPrompting()),
        *evolved,
        (evol_quality, answered, EvolQuality(generations=5)),
        (critique, answered, Critique()),
        (ultrafeedback, judged, UltraFeedback(aspects="paper")),
        (ultrafeedback, judged, UltraFeedback(aspects="overall")),
        (self_instruct_instances, plain, SelfInstructInstances()),
    ]


async def run(technique: Any, rows: Iterable[Row], models: Models, params: Any) -> None:
    """Send rows through a technique; what comes of them is in the context's trace."""

    async def one(row: Row) -> None:
        with suppress(RowLoss):  # counted by what the trace says of its answer
            await technique(row, models, params)

    await asyncio.gather(*map(one, rows))


def bench(model: ModelConfig, prompts: Prompts, inputs: Sequence[Mapping[str, str]]) -> dict[str, Score]:
    """The score of each prompt of a set."""
    scores: dict[str, Score] = defaultdict(Score)
    for technique, rows, params in works(inputs):
        tell(f"{prompts.set}: {technique.name}, {len(rows)} rows")
        context = Context(prompts=prompts, max_attempts=1, asked=[])
        run_in_loop(run(technique, rows, process.models({"generator": [model]}, context), params))
        count(context, {row.row_id: row for row in rows}, prompts, scores)
    context = Context(prompts=prompts, max_attempts=1, asked=[])
    tasks = [a_row(instruction=one["instruction"]) for one in inputs]
    tell(f"{prompts.set}: {bootstrap.name}")
    once = Bootstrap(max_rounds=1, prompts_per_round=len(tasks), english=False)
    run_in_loop(bootstrap(tasks, process.models({"generator": [model]}, context), once))
    count(context, {}, prompts, scores)
    return dict(scores)


def given_of(row: Row | None, template: str) -> str:
    """The text that a prompt is to work on: a response to be rewritten, else what its row is about; "" for no row."""
    if row is None:
        return ""
    if template.startswith(REWRITES):
        return str(row["responses"][0]["text"])
    return str(next(row[column] for column in ("context", "topic", "instruction") if row.get(column)))


def count(context: Context, rows: Mapping[str, Row], prompts: Prompts, scores: dict[str, Score]) -> None:
    """Add what was asked to the scores."""
    for asked in context.asked or ():
        scores[asked.template].add(asked, given_of(rows.get(asked.row_id), asked.template), prompts)


def lines_of(prompt_set: str, template: str, score: Score) -> list[str]:
    """What was said to one prompt, as lines of a file."""
    about = {"set": prompt_set, "prompt": template}
    return [json.dumps(about | answer, ensure_ascii=False) + "\n" for answer in score.answers]


async def harder(judge: Any, rewrites: Sequence[tuple[str, str]]) -> int:
    """How many rewrites a judge calls harder than what they were made of, whichever stands first."""

    async def says(a: str, b: str) -> str:
        words_ = HARDER.format(a=a, b=b)
        asked = Request(Sampling(temperature=0, max_new_tokens=4), 0, ({"role": "user", "content": words_},))
        return str((await judge.complete(asked)).text).strip().strip("*").upper()[:1]

    async def is_harder(before: str, after: str) -> bool:
        return await says(before, after) == "B" and await says(after, before) == "A"

    return sum(await asyncio.gather(*(is_harder(before, after) for before, after in rewrites)))


def main() -> None:
    """Run the bench and print a table a set."""
    parser = argparse.ArgumentParser(description="how well a model follows each prompt")
    parser.add_argument("--model", default="demo", help="as `stillroom sft --model` takes it")
    parser.add_argument("--set", action="append", default=[], choices=["full", "demo"], help="default: both")
    parser.add_argument("--language", default="en")
    parser.add_argument("--prompts", help="a folder of your own, laid over the sets")
    parser.add_argument("--inputs", type=Path, help="a .jsonl with instruction and response; default: 50 in English")
    parser.add_argument("--rows", type=int, default=INPUTS, help="take no more inputs than this")
    parser.add_argument("--judge", help="a model that says which of two requests is harder")
    parser.add_argument("--max-new-tokens", type=int, help="of each answer; default: what each technique asks for")
    parser.add_argument("--answers", type=Path, help="write what was said into this .jsonl, a line an answer")
    options = parser.parse_args()
    model = ModelConfig(name=options.model, max_new_tokens=options.max_new_tokens)
    inputs = inputs_from(options.inputs, options.language)[: options.rows]
    for one in options.set or ["full", "demo"]:
        scores = bench(model, Prompts(one, options.language, options.prompts).resolved(), inputs)
        if options.answers:
            with options.answers.open("a") as file:
                file.writelines(
                    line for template in sorted(scores) for line in lines_of(one, template, scores[template])
                )
        head = ["prompt", "asked", "parsed", "leaked", "copied", "on topic", "distinct", "language"]
        print(f"\nset {one}, {options.language}, {options.model}, {len(inputs)} inputs\n")
        print("| " + " | ".join([*head, *(["harder"] if options.judge else [])]) + " |")
        print("|---" * (len(head) + bool(options.judge)) + "|")
        for template, score in sorted(scores.items()):
            cells = [template, *score.cells(template)]
            if options.judge:
                is_rewrite = template.removeprefix("evol_instruct/") in OPERATIONS
                judge = process.model(ModelConfig(name=options.judge)) if is_rewrite else None
                won = run_in_loop(harder(judge, score.rewrites)) if judge else 0
                cells.append(share(won, len(score.rewrites)) if judge else "-")
            print("| " + " | ".join(cells) + " |", flush=True)
    process.close()


if __name__ == "__main__":
    main()
