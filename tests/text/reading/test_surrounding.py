"""What generated text brings along: taken off an evolved instruction, counted in an answer; and real texts that have none."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.generate.evol_instruct import EvolInstruct, evol_instruct
from tasks.models.scripted import ScriptedModel
from tasks.text.evolution import evolution_of
from tasks.text.reading.surrounding import bare_evolution, brought_along, removed_from
from tests.flows.test_instruction_sft import Scripted, sft
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
ANSWERS: dict[str, tuple[str, list[str]]] = {
    "greeting": ("Sure, I'd be happy to help! Cats purr when they are content.", ["greeting"]),
    "label": ("**Answer:** They are content.", ["label"]),
    "confidence": ("They are content.\n\nConfidence: 95%", ["confidence"]),
    "in words": ("They are content.\n**Confidence level:** High", ["confidence"]),
    "all": ("Answer: Content.\nConfidence: 90%\n\nI hope this helps!", ["label", "confidence", "offer"]),
    "offer": ("They are content. Let me know if you have any other questions!", ["offer"]),
    "the instruction": (f"  {ASKED.upper()}\n", ["repeats_instruction"]),
    "German": ("Natürlich! Sie sind zufrieden.\n\nIch hoffe, das hilft!", ["greeting", "offer"]),
    "German label": ("Antwort: Sie sind zufrieden.\nKonfidenz: 95 %", ["label", "confidence"]),
    "French": ("Bien sûr ! Ils sont contents.\n\nN'hésitez pas à me poser d'autres questions.", ["greeting", "offer"]),
    "Spanish": ("¡Claro! Están contentos.\n\nEspero que esto te ayude.", ["greeting", "offer"]),
    "Chinese": ("当然！因为它们很满足。\n\n希望这对您有所帮助！", ["greeting", "offer"]),
    "Chinese label": ("答案：因为它们很满足。\n置信度：95%", ["label", "confidence"]),
    "Japanese": ("もちろんです！満足しているからです。\n\nお役に立てれば幸いです。", ["greeting", "offer"]),
    "Japanese label": ("回答：満足しているからです。\n確信度：高", ["label", "confidence"]),
    "sure of it": ("Sure enough, cats purr when they are content.", []),
    "an answer with answers": ("Three things are known:\n- Answer: 1\nA cat knows its confidence.", []),
    "certainly": ("Certainly not.", []),
    "a letter": ("Let me know if you can come.\n\nYours, Ann", []),
    "claro": ("Claro is a telephone company.", []),
}


@pytest.mark.parametrize("completion", EVOLUTIONS.values(), ids=EVOLUTIONS)
def test_what_is_said_around_an_evolution_is_taken_off(completion: str) -> None:
    assert evolution_of("Why do cats purr?", completion) == ASKED
    assert {loss.reason for loss in removed_from(completion, ASKED)} <= {"preface", "afterword"}


@pytest.mark.parametrize("instruction", KEPT)
def test_an_instruction_keeps_what_it_says_to_its_reader(instruction: str) -> None:
    assert bare_evolution(instruction) == instruction


@pytest.mark.parametrize(("answer", "found"), ANSWERS.values(), ids=ANSWERS)
def test_what_an_answer_brings_along_is_known(answer: str, found: list[str]) -> None:
    assert brought_along(ASKED, answer) == found


def test_what_was_taken_off_is_a_loss_of_its_row_and_asks_for_nothing_more() -> None:
    row, model = a_row(instruction="Why do cats purr?"), ScriptedModel([EVOLUTIONS["both"]])
    params = EvolInstruct(generations=1, judge_gain=False, respond=False)
    [child] = asyncio.run(evol_instruct(row, models_of(model), params))
    assert (child["instruction"], len(model.requests)) == (ASKED, 1)
    assert [(loss.kind, loss.reason, loss.raw) for loss in row.losses] == [
        ("filtered", "preface", "Sure! Here is a rewritten version:"),
        ("filtered", "afterword", "(I added one more constraint)"),
    ]


def test_what_answers_bring_along_is_told_and_left_in(scripted: Scripted) -> None:
    scripted(lambda request: "Answer: So.\nConfidence: 95%" if "cats" in str(request.messages) else "So it is.")
    summary = sft(recipe="respond", seeds=["Why cats?", "Why dogs?", "Why more cats?"])
    assert summary["brought_along"] == {"answers": 3, "confidence": 2, "label": 2}
    card = Path("out/README.md").read_text()
    assert "left in: of 3 answers 2 begin with a label, 2 state a confidence." in card


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


def test_these_of_real_answers_bring_something_along() -> None:
    counts = Counter[str]()
    for line in (DATA / "preference_pairs/dpo_en_demo.jsonl").read_text().splitlines():
        row = json.loads(line)
        for side in ("chosen", "rejected"):
            counts["answers"] += 1
            counts.update(brought_along(row["conversations"][-1]["value"], row[side]["value"]))
    assert counts == {"answers": 80, "greeting": 10, "offer": 4}
