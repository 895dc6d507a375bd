"""Answers by hand that are no good, good ones that look like them, and faults put into real answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from tasks.text.prompts import FULL, Prompts

DATA = Path(__file__).parents[2] / "data"
LANGUAGES = ("en", "vi", "zh", "ja")
TIMES = re.compile(r"\{((?:[^{}|]|\n)+)\|(\d+)\}")


class Case(NamedTuple):
    """`name`: the reason that the answer goes for, or why it could look bad."""

    language: str
    name: str
    asked: str
    answer: str

    @property
    def row(self) -> dict[str, str]:
        return {"instruction": self.asked, "response": self.answer}


@cache
def by_hand(side: str) -> list[Case]:
    """The cases of one side, "bad" or "good"."""
    found = []
    for language in LANGUAGES:
        listed = yaml.safe_load((DATA / "answers" / f"{language}.yaml").read_text(encoding="utf-8"))[side]
        found += [Case(language, name, asked, _written_out(answer)) for name, asked, answer in listed]
    return found


def _written_out(answer: str) -> str:
    """An answer with what is repeated in it, or with the words of one of our prompts."""
    if answer.startswith("LEAK:"):
        prompts = Prompts(FULL, answer.removeprefix("LEAK:"))
        return " ".join(prompts.fixed_texts("evol_instruct/deepen"))[:300]
    return TIMES.sub(lambda found: found[1] * int(found[2]), answer)


@cache
def real() -> dict[str, list[Case]]:
    """Real answers by where they are from: human ones, and what models wrote."""
    human = [
        Case("en", "", f"{task['instruction']}\n\n{one['input']}".strip(), one["output"])
        for task in _lines("self_instruct/seed_tasks.jsonl")
        for one in task["instances"]
    ]
    pairs = [
        Case("en", "", row["conversations"][-1]["value"], row["chosen"]["value"])
        for row in _lines("preference_pairs/dpo_en_demo.jsonl")
    ]
    evolved = [Case("en", "", row["input"], row["output"]) for row in _lines("evol_instruct/samples.jsonl")]
    passages = [
        Case(language, "", TELL[language], row["context"])
        for language in TELL
        for row in _lines(f"passages/{language}.jsonl")
    ]
    return {"human": human, "passages": passages, "pairs": pairs, "evolved": [one for one in evolved if one.answer]}


TELL = {"vi": "Hãy kể cho tôi nghe.", "zh": "请给我讲一讲。", "ja": "くわしく教えてください。"}


def _lines(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _half(text: str) -> str:
    return text[: len(text) // 2]


FAULTS: dict[str, Callable[[Case], str]] = {
    "control_token": lambda case: f"{case.answer}<|im_end|>\n<|im_start|>user\n{case.asked}",
    "turn_label": lambda case: f"### Response:\n{case.answer}",
    "unreadable": lambda case: f"{_half(case.answer)}\ufffd{case.answer[len(case.answer) // 2 + 1 :]}",
    "loop": lambda case: case.answer + f"\n{_tail(case.answer)}" * 8,
    "copies_instruction": lambda case: case.asked,
    "foreign_script": lambda case: f"{case.answer}\n{FOREIGN[case.language]}",
    "unfinished": lambda case: f"{case.answer}\n{BREAKS_OFF[case.language]}",
}
"""By the reason that the answer has to go for: what is done to a good one."""
FOREIGN = {
    "en": "In the end the 结果 matters more than the way.",
    "vi": "Sau cùng thì 结果 quan trọng hơn cách làm.",
    "zh": "最后，результат 比过程更重要。",
    "ja": "結局、результат のほうが過程より大切です。",
}
BREAKS_OFF = {
    "en": "After this the rest of the work can be done by hand, and",
    "vi": "Sau đó phần việc còn lại có thể làm bằng tay và",
    "zh": "在这之后剩下的工作可以用手来完成，但是",
    "ja": "そのあとの残りの作業は手で行うことができます。作業の順番を",
}


def _tail(text: str) -> str:
    """The last words of a text, as a loop has them: seven, or thirty characters where there are no spaces."""
    said = text.split()
    return " ".join(said[-7:]) if len(said) >= 7 else (text * 8)[-30:]
