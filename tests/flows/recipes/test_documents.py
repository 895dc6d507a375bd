"""Recipe `documents`: a folder of files in, questions answered with evidence out, and each file that is broken told by name."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.command.in_process import run_command
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft

FERRIES = """# Ferries

The ferry from Rohuküla takes 75 minutes on most days of the year. A car costs 9.60 euros in each direction.

# Winter

From December to March the Tiiu runs four times a day. An icebreaker goes ahead of it when the ice is thick.
"""
WORDS = [
    "boat",
    "harbour",
    "ticket",
    "captain",
    "island",
    "winter",
    "summer",
    "price",
    "engine",
    "sailor",
    "lamp",
    "rope",
    "anchor",
    "deck",
    "crew",
    "fog",
    "wind",
]
OPEN = "What does a bicycle cost"


def said(request: Request) -> str:
    return request.messages[-1]["content"] if request.messages else ""


def rule(request: Request) -> str:
    """Asks about a sentence of the passage, judges by the question, and quotes the first sentence, or none where it is open."""
    system, text = (request.messages or [{"content": ""}])[0]["content"], said(request)
    passage = re.search(r"<passage>\n(.*?)\n</passage>", text, re.DOTALL)
    assert passage is not None, text
    if "the passage leaves open" in system:
        return f"{OPEN} {' '.join(random.Random(request.seed).sample(WORDS, 4))}?"
    if system.startswith("You write questions"):
        words = random.Random(request.seed).sample(WORDS, 5)
        return f"Which {' '.join(words)}?"
    if system.startswith("You check"):
        return "Reason: looked.\nAnswerable: " + ("no" if OPEN in text else "yes")
    if OPEN in text:
        return "Answer: The price of a bicycle is not stated.\nEvidence: none"
    sentence = passage[1].split(". ")[0]
    return f'Answer: It says so: {sentence}.\nEvidence: "{sentence.upper()}"'


@pytest.fixture
def folder(home: Path) -> str:
    (home.parent / "docs").mkdir()
    (home.parent / "docs" / "ferries.md").write_text(FERRIES)
    (home.parent / "docs" / "notes.txt").write_bytes(b"caf\xe9 au lait")
    return "docs"


def run(folder: Any, **options: Any) -> dict[str, Any]:
    return sft(recipe="documents", seeds=folder, prompt_set="full", **options)


def rows(folder: str = "out") -> list[dict[str, Any]]:
    return pl.read_parquet(f"{folder}/data/train.parquet").to_dicts()


def rejects(folder: str = "out") -> list[dict[str, Any]]:
    return pl.read_parquet(f"{folder}/rejects.parquet").to_dicts()


def test_a_folder_becomes_rows_with_evidence_and_a_broken_file_is_a_reject(scripted: Scripted, folder: str) -> None:
    model = scripted(rule)
    summary = run(folder, document_questions={"questions": 4, "kinds": {"fact": 1, "why": 1, "unanswerable": 1}})
    made = rows()
    assert summary["rows"] == len(made) == 8
    assert {row["document"] for row in made} == {"ferries.md"}
    assert {tuple(row["headings"]) for row in made} == {("Ferries",), ("Winter",)}
    assert len({row["chunk_id"] for row in made}) == 2
    kinds = {row["question_kind"] for row in made}
    assert "unanswerable" in kinds and len(kinds) >= 3
    for row in made:
        question, answer = (turn["content"] for turn in row["messages"])
        assert question == row["question"] and "<passage>" not in question
        assert bool(row["evidence"]) == (row["question_kind"] != "unanswerable")
        assert row["evidence"] or "not stated" in answer
    [broken] = [one for one in rejects() if one["technique"] == "seeds"]
    assert (
        broken["reason"] == "bad_seed"
        and "notes.txt" in broken["detail"]
        and json.loads(broken["input"]) == {"document": "notes.txt"}
    )
    asked, before = len(model.requests), dataset_bytes(Path("out/data"))
    again = run(folder, document_questions={"questions": 4, "kinds": {"fact": 1, "why": 1, "unanswerable": 1}})
    assert (again["requests"], len(model.requests), dataset_bytes(Path("out/data"))) == (0, asked, before)


def test_a_document_more_adds_its_rows_and_asks_nothing_about_the_others(scripted: Scripted, folder: str) -> None:
    model = scripted(rule)
    options: dict[str, Any] = {"document_questions": {"questions": 1, "kinds": {"fact": 1}}, "incremental": True}
    run(folder, **options)
    before, asked = rows(), len(model.requests)
    Path(folder, "z.md").write_text("# Fares\n\nA child under seven travels free of charge on all boats.\n")
    run(folder, **options)
    after = rows()
    assert len(after) == len(before) + 1 and [row for row in after if row["document"] != "z.md"] == before
    assert len(model.requests) == asked + 3, "a question, its verdict and its answer"


def test_a_row_can_show_the_chunk_and_the_weights_say_which_kinds_there_are(scripted: Scripted, folder: str) -> None:
    scripted(rule)
    run(
        folder,
        document_questions={"questions": 3, "kinds": {"fact": 1}},
        document_answers={"show": "chunk_and_question"},
    )
    assert len(rows()) == 6, "prompts that share a chunk are no near duplicates"
    for row in rows():
        chunk, _, question = row["messages"][0]["content"].rpartition("\n\n")
        assert question == row["question"] and row["question_kind"] == "fact"
        assert chunk.startswith("The ferry") or chunk.startswith("From December")


def test_evidence_that_does_not_stand_there_is_a_reject_with_its_figure(scripted: Scripted, folder: str) -> None:
    def liar(request: Request) -> str:
        answer = rule(request)
        return answer.replace("75 MINUTES", "57 MINUTES") if answer.startswith("Answer:") else answer

    model = scripted(liar)
    run(folder, document_questions={"questions": 1, "kinds": {"fact": 1}}, max_attempts=2, max_reject_fraction=1)
    [lost] = [one for one in rejects() if one["technique"] == "document_answers"]
    assert (lost["kind"], lost["reason"], lost["attempts"]) == ("failed", "evidence_not_found", 2)
    assert re.match(r"9\d% of it is there: THE FERRY FROM", lost["detail"])
    assert [row["headings"] for row in rows()] == [["Winter"]]
    assert (
        sum(
            "shows where" in (request.messages or [{}])[0]["content"]
            or "show where" in (request.messages or [{}])[0]["content"]
            for request in model.requests
        )
        == 3
    )


def test_an_empty_folder_is_one_line_and_nothing_is_asked(scripted: Scripted, home: Path) -> None:
    model = scripted(rule)
    Path("empty").mkdir()
    with pytest.raises(ConfigError, match="the folder is empty: empty"):
        run("empty")
    told = run_command(
        "sft", "--recipe", "documents", "--seeds", "empty", "--model", "demo", "--set", "prompt_set=full"
    )
    assert (told.returncode, told.stderr.count("\n"), len(model.requests)) == (2, 1, 0)
    Path("broken").mkdir()
    Path("broken/a.md").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"not UTF-8: a\.md"):
        run("broken")


def test_records_with_a_context_are_taken_as_they_are(scripted: Scripted, home: Path) -> None:
    scripted(rule)
    run(
        [{"context": "The tower was built in 1871 by two brothers. It is forty metres high."}],
        document_questions={"questions": 1, "kinds": {"fact": 1}},
    )
    [row] = rows()
    assert (row["document"], row["headings"], row["chunk_id"]) == ("", [], "")
    assert row["evidence"] == ["THE TOWER WAS BUILT IN 1871 BY TWO BROTHERS"]
