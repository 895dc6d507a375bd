"""What is said around an evolved instruction is taken off; and real instructions have none of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.generate.evol_instruct import EvolInstruct, evol_instruct
from tasks.models.scripted import ScriptedModel
from tasks.text.evolution import evolution_of
from tasks.text.reading.surrounding import bare_evolution, removed_from
from tests.rows import a_row, models_of

DATA = Path(__file__).parents[2] / "data"
ASKED = "Why do cats purr at night, and how would you measure it?"
EVOLUTIONS = {
    "greeting and preface": f"Sure! Here is a rewritten version:\n\n{ASKED}",
    "with its constraint": f"Certainly! Here's the rewritten instruction with one more constraint:\n\n{ASKED}",
    "bracket on a line": f"{ASKED}\n(I added one more constraint)",
    "bracket behind": f"{ASKED} (I've added a further requirement to make it harder.)",
    "starred bracket": f"{ASKED}\n\n*(Note: I have added two reasoning steps.)*",
    "both": f"Sure! Here is a rewritten version:\n\n{ASKED}\n\n(I added one more constraint)",
    "kept the words": f"{ASKED}\n\nI kept the original question and added 12 words.",
    "German": f"Gerne! Hier ist die überarbeitete Anweisung:\n\n{ASKED}\n\nIch habe eine weitere Einschränkung hinzugefügt.",
    "German, one line": f"Hier ist eine neue Version der Frage: {ASKED}",
    "French": f"Bien sûr ! Voici la version réécrite :\n\n{ASKED}\n\n(J'ai ajouté une contrainte de temps.)",
    "Spanish": f"¡Claro que sí! Aquí tienes la instrucción reescrita:\n\n{ASKED}\n(He añadido una restricción.)",
    "Chinese": f"好的，以下是改写后的指令：\n\n{ASKED}\n（我增加了一个限制条件。）",
    "Chinese, bare": f"这是更新的问题：{ASKED}",
    "Japanese": f"承知しました。以下が書き換えた指示です：\n\n{ASKED}\n（制約を一つ追加しました。）",
}
KEPT = (
    "Here is a list of numbers: 3, 1, 2. Sort it.",
    "Rewrite this note.\n\nI added salt to the water. Why does it boil later?",
    "Summarise the text (in English).",
    "Sort these words.\n(I know it is easy.)",
    "Hier ist ein Text: Die Katze schläft. Übersetze ihn.",
    "Voici un texte : Le chat dort. Traduis-le.",
    "Aquí tienes un texto: El gato duerme. Tradúcelo.",
    "以下是一段文字：猫在睡觉。请翻译成英文。",
    "以下の文章を英語に訳してください：猫が寝ている。",
    "Write a letter to my landlord.\nI have added two photos of the damage.",
)


@pytest.mark.parametrize("completion", EVOLUTIONS.values(), ids=EVOLUTIONS)
def test_what_is_said_around_an_evolution_is_taken_off(completion: str) -> None:
    assert evolution_of("Why do cats purr?", completion) == ASKED
    assert {loss.reason for loss in removed_from(completion, ASKED)} <= {"preface", "afterword"}


@pytest.mark.parametrize("instruction", KEPT)
def test_an_instruction_keeps_what_it_says_to_its_reader(instruction: str) -> None:
    assert bare_evolution(instruction) == instruction


def test_what_was_taken_off_is_a_loss_of_its_row_and_asks_for_nothing_more() -> None:
    row, model = a_row(instruction="Why do cats purr?"), ScriptedModel([EVOLUTIONS["both"]])
    params = EvolInstruct(generations=1, judge_gain=False, respond=False)
    [child] = asyncio.run(evol_instruct(row, models_of(model), params))
    assert (child["instruction"], len(model.requests)) == (ASKED, 1)
    assert [(loss.kind, loss.reason, loss.raw) for loss in row.losses] == [
        ("filtered", "preface", "Sure! Here is a rewritten version:"),
        ("filtered", "afterword", "(I added one more constraint)"),
    ]


def instructions() -> Iterator[str]:
    """Those of four real sets."""
    for file, told in (("evol_instruct/samples.jsonl", "input"), ("self_instruct/seed_tasks.jsonl", "instruction")):
        yield from (json.loads(line)[told] for line in (DATA / file).read_text().splitlines())
    for line in (DATA / "preference_pairs/dpo_en_demo.jsonl").read_text().splitlines():
        yield json.loads(line)["conversations"][-1]["value"]


def test_real_instructions_lose_a_label_at_most() -> None:
    """Of 3,056 in eight public sets 5 lost something: "Question:" or "Request:" at their beginning."""
    texts = [text.strip() for text in instructions()]
    cut = [text[: len(text) - len(bare)] for text in texts if (bare := bare_evolution(text)) != text]
    assert len(texts) > 200
    assert {label.strip().lower() for label in cut} <= {"question:"} and len(cut) <= 2
