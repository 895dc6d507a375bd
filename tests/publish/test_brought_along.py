"""What answers bring along that is no part of them is counted and left in; and real answers have little of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tasks.publish.brought_along import counted, of_answers
from tests.flows.test_instruction_sft import Scripted, sft

DATA = Path(__file__).parents[1] / "data"
ASKED = "Why do cats purr at night, and how would you measure it?"
SIDES = ("chosen", "rejected")
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


def brought_along(asked: str, answer: str) -> list[str]:
    """What one answer brings along."""
    [found] = of_answers(pl.DataFrame({"asked": [asked], "answer": [answer]})).rows(named=True)
    return [name for name, there in found.items() if there]


@pytest.mark.parametrize(("answer", "found"), ANSWERS.values(), ids=ANSWERS)
def test_what_an_answer_brings_along_is_known(answer: str, found: list[str]) -> None:
    assert brought_along(ASKED, answer) == found


def test_what_answers_bring_along_is_told_and_left_in(scripted: Scripted) -> None:
    scripted(lambda request: "Answer: So.\nConfidence: 95%" if "cats" in str(request.messages) else "So it is.")
    summary = sft(recipe="respond", seeds=["Why cats?", "Why dogs?", "Why more cats?"])
    assert summary["brought_along"] == {"answers": 3, "confidence": 2, "label": 2}
    card = Path("out/README.md").read_text()
    assert "left in: of 3 answers 2 begin with a label, 2 state a confidence." in card


def test_these_of_real_answers_bring_something_along() -> None:
    rows = [json.loads(line) for line in (DATA / "preference_pairs/dpo_en_demo.jsonl").read_text().splitlines()]
    pairs = pl.DataFrame(
        [
            {
                side: [*({"content": t["value"]} for t in row["conversations"]), {"content": row[side]["value"]}]
                for side in SIDES
            }
            for row in rows
        ]
    )
    counts = Counter[str]()
    assert [frame.height for frame in counted([pairs], counts)] == [40]
    assert counts == {"answers": 80, "greeting": 10, "offer": 4}
