"""Recipes `summarise`, `rewrite`, `personas` and `attributes`, from config to dataset, on scripted models."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft

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
    "tide",
    "net",
    "sail",
]


def some_words(request: Request, count: int) -> str:
    return " ".join(random.Random(request.seed).sample(WORDS, count))


def rule(request: Request) -> str:
    """Plays every role: writes, sums up, rewrites, thinks of people and topics, and answers."""
    system = (request.messages or [{"content": ""}])[0]["content"]
    text = request.messages[-1]["content"] if request.messages else ""
    shown = re.search(r"<text>\n(.*?)\n</text>", text, re.DOTALL)
    if system.startswith(("You write e-mails", "You write posts", "You write reports")):
        return " ".join(f"On that day we saw {some_words(request, 6)} and {n} more." for n in range(6))
    if system.startswith("You sum up") or "summary" in system:
        return "On that day we saw 2 more."
    if system.startswith("You rewrite"):
        assert shown is not None
        kept = shown[1].replace(" and ", " & ")
        if "list of points" in system:
            return "\n".join(f"- {one}" for one in re.split(r"(?<=\.) ", kept))
        return kept.replace("On that day we saw", "We saw") if "shorter" in system else kept
    if system.startswith("You think of people"):
        return f"A person who works with {some_words(request, 3)}."
    if system.startswith("You divide"):
        return "\n".join(f"{n}. {some_words(request, 2)} {n}" for n in range(1, 9))
    if system.startswith("You write messages"):
        return f"How would {some_words(request, 6)} do?"
    return f"An answer about {some_words(request, 3)}."


def run(recipe: str, **options: Any) -> list[dict[str, Any]]:
    summary = sft(recipe=recipe, prompt_set="full", **options)
    made = pl.read_parquet("out/data/train.parquet").to_dicts()
    assert summary["rows"] == len(made)
    return made


TEXT = "On that day we saw a boat and a crew. They paid 9 euros each. It rained and nobody came home before dark, which was at 8. The captain said that 2 more boats would come, and a lamp was lit at the end of the pier so that they could find it."


def test_texts_that_are_given_are_summed_up(scripted: Scripted) -> None:
    model = scripted(rule)
    [row] = run("summarise", seeds=[{"text": TEXT}])
    assert (
        row["messages"][0]["content"].endswith(f"\n\n{TEXT}")
        and row["messages"][1]["content"] == "On that day we saw 2 more."
    )
    assert (row["text_kind"], row["document"], len(model.requests)) == ("given", "", 1)


@pytest.mark.parametrize("recipe", ["summarise", "rewrite"])
def test_without_seeds_texts_are_written_for_it(recipe: str, scripted: Scripted) -> None:
    model = scripted(rule)
    options: dict[str, Any] = {"rows": 12, "curate": None, "summarising": {"sentences": [3]}}
    made = run(recipe, **options)
    assert len(made) == 12 and {row["text_kind"] for row in made} == {"email", "post", "news"}
    if recipe == "rewrite":
        assert len({row["variant"] for row in made}) >= 3
    asked, before = len(model.requests), dataset_bytes(Path("out/data"))
    assert run(recipe, **options) == made
    assert (len(model.requests), dataset_bytes(Path("out/data"))) == (asked, before)


def test_without_seeds_or_a_number_of_rows_it_is_one_line(scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match="needs to know how many rows to make"):
        sft(recipe="summarise", prompt_set="full")
    assert not model.requests


def test_people_come_of_texts_of_others_or_are_given(scripted: Scripted) -> None:
    scripted(rule)
    seeds = [{"text": f"{TEXT} {n}"} for n in range(3)]
    made = run("personas", seeds=seeds, text_personas={"personas": 2, "related": 1}, persona_prompts={"messages": 2})
    people = Counter(row["persona"] for row in made)
    assert len(people) == 12 and {*people.values()} <= {1, 2} and len(made) > 20
    assert {row["prompt_kind"] for row in made} == {"instruction", "maths", "knowledge", "tool"}
    given = [{"persona": "a pilot of a ferry"}, {"persona": "a nurse"}]
    made = run("personas", seeds=given, persona_prompts={"kinds": {"maths": 1}})
    assert {(row["persona"], row["prompt_kind"]) for row in made} == {
        ("a pilot of a ferry", "maths"),
        ("a nurse", "maths"),
    }


LIBRARY: dict[str, Any] = {
    "description": "an assistant for a library",
    "attributes": [
        {"name": "field", "values": {"lending": 1, "events": 1, "research": 2}},
        {"name": "level", "values": {"easy": 0.3, "hard": 0.7}},
        {"name": "medium", "values": {"book": 3, "film": 1}, "when": {"field": ["lending", "events"]}},
    ],
}


def test_the_rows_have_the_shares_that_were_asked_for_whatever_is_thrown_away(scripted: Scripted) -> None:
    def moody(request: Request) -> str:
        """Refuses hard ones more often than easy ones."""
        text = request.messages[-1]["content"] if request.messages else ""
        return "" if "level: hard" in text and request.seed % 3 else rule(request)

    model = scripted(moody)
    made = run("attributes", rows=40, attributed_prompts=LIBRARY, max_attempts=1, max_reject_fraction=1)
    values = Counter((one["name"], one["value"]) for row in made for one in row["attributes"])
    assert values == {
        ("field", "lending"): 10,
        ("field", "events"): 10,
        ("field", "research"): 20,
        ("level", "easy"): 12,
        ("level", "hard"): 28,
        ("medium", "book"): 15,
        ("medium", "film"): 5,
    }
    card = Path("out/README.md").read_text()
    assert "| level | easy | 30.0% | 30.0% | 12 |" in card and "| medium | film | 25.0% | 25.0% | 5 |" in card
    rejects = pl.read_parquet("out/rejects.parquet")
    full = rejects.filter(pl.col("reason") == "quota_full")
    assert full.height and full["detail"].str.contains(r"^\w+ \w+: \d+ rows have it$").all()
    trees = [one for one in model.requests if one.messages and one.messages[0]["content"].startswith("You divide")]
    assert len(trees) == 9, "one request for the tree and one for each of its eight branches"
    leaves = Counter(row["topic"] for row in made)
    assert len(leaves) > 30 and all(topic.count(" > ") == 1 for topic in leaves)
    provenance = pl.read_parquet("out/provenance.parquet").filter(pl.col("template") == "topic_tree/branches")
    assert provenance.height <= 9


def test_the_language_of_a_row_can_be_an_attribute(scripted: Scripted) -> None:
    scripted(rule)
    told = {
        "description": "a library",
        "topic_levels": 0,
        "attributes": [{"name": "language", "values": {"en": 1, "vi": 3}}],
    }
    made = run("attributes", rows=8, attributed_prompts=told, language=["en", "vi"], curate=None)
    assert Counter(row["language"] for row in made) == {"en": 2, "vi": 6}
    with pytest.raises(
        ConfigError, match=r"an attribute names a language that the run does not have: vi \(give --set language=en,vi\)"
    ):
        run("attributes", rows=8, attributed_prompts=told)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({}, "recipe attributes has to be told what the dataset is for"),
        (
            {**LIBRARY, "attributes": LIBRARY["attributes"][::-1]},
            "medium depends on an attribute that does not stand before it",
        ),
    ],
)
def test_attributes_that_cannot_be_are_one_line(told: dict[str, Any], error: str, scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match=error):
        run("attributes", rows=8, attributed_prompts=told)
    assert not model.requests
