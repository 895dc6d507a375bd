"""The Vietnamese prompts: Vietnamese in every line, which they ask of the model too; and the Vietnamese test seeds."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from tasks.generate.self_instruct_instances import instances_of, sifted
from tasks.text.leaks import own_runs, runs_of
from tasks.text.prompts import FULL, PROMPTS, Prompts
from tests.text.test_full_prompts import NAMES, said

DATA = Path(__file__).parents[2] / "data"
VI = Prompts(FULL, "vi")
ONE_WORD = (
    "evol_instruct/equal",
    "self_instruct_instances/classification",
    "deita_complexity/rank",
    "deita_quality/rank",
    "deita_complexity/score",
    "deita_quality/score",
    "magpie_tags/category",
    "code_tasks/tests",
)
READ = re.compile(
    r"^(?:Response 1$|Reason:|Rating:|Errors:|Merits:|Task:|Input:|Output:|Label:|Classification:)|</?[a-z]+(?: \d)?>",
    re.MULTILINE,
)
"""Labels that parsers read, and the marks around texts."""
ENGLISH = re.compile(r"\b(?:the|of|that|this|which|are|was|you|your|what|must|should|each|its|it)\b", re.IGNORECASE)
LETTER = re.compile(r"[^\W\d_a-z]", re.IGNORECASE)
NEW_STYLE = re.compile(r"o[àáảãạ]\b|o[èéẻẽẹ]\b|(?<!q)u[ỳýỷỹỵ]\b", re.IGNORECASE)
"""Tone marks as in hoà and thuý; the prompts write hòa and thúy."""


def foreign(text: str) -> list[str]:
    """The lines of six words and more where fewer than a quarter of the words have a letter that English lacks."""
    lines = [line.split() for line in text.splitlines() if not line.startswith("    ")]
    return [
        " ".join(line) for line in lines if len(line) > 5 and sum(map(bool, map(LETTER.search, line))) < len(line) / 4
    ]


def vietnamese(text: str) -> bool:
    """Whether a text is Vietnamese in every line, in composed letters, with the tone marks where we put them."""
    faults = [*foreign(text), *ENGLISH.findall(text), *NEW_STYLE.findall(text)]
    return not faults and unicodedata.normalize("NFC", text) == text


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_vietnamese_and_keeps_the_labels_and_marks_that_are_read(name: str) -> None:
    theirs, ours = said(name, "vi"), said(name)
    assert all(vietnamese(message["content"]) for message in theirs)
    assert [message["role"] for message in theirs] == [message["role"] for message in ours]
    for other, english in zip(theirs, ours, strict=True):
        if other["role"] != "assistant":
            assert set(READ.findall(other["content"])) == set(READ.findall(english["content"]))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ONE_WORD])
def test_a_prompt_asks_for_vietnamese(name: str) -> None:
    assert "tiếng Việt" in said(name, "vi")[0]["content"]


def test_what_is_drawn_from_is_vietnamese() -> None:
    texts = (PROMPTS / FULL / "vi" / "basic_prompting" / "lists.yaml").read_text(encoding="utf-8")
    assert vietnamese(texts)


@pytest.mark.parametrize("name", ["input_first", "output_first"])
def test_none_of_the_worked_examples_would_be_dropped(name: str) -> None:
    parts = said(f"self_instruct_instances/{name}", "vi")[0]["content"].split("\n\n")
    worked = [instances_of(part) for part in parts if part.startswith("Task:")]
    assert len(worked) >= 4 and not [one for one in worked if sifted(one, 5)[1]]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ultrafeedback/")])
def test_what_people_usually_ask_and_say_is_no_leak(name: str) -> None:
    texts = (DATA / "usual" / "vi.txt").read_text(encoding="utf-8").splitlines()
    own = own_runs(name, VI)
    assert len(texts) >= 30 and own and not [run for text in texts for run in runs_of(text) if run in own]


def test_there_are_three_passages_of_80_to_150_words() -> None:
    lines = (DATA / "passages" / "vi.jsonl").read_text(encoding="utf-8").splitlines()
    passages = [json.loads(line) for line in lines]
    assert [list(passage) for passage in passages] == [["context"]] * 3
    assert all(80 <= len(passage["context"].split()) <= 150 and vietnamese(passage["context"]) for passage in passages)
