"""Argilla 2: the records that `dataset.records.to_json` writes and `from_json` reads, and settings for `rg.Settings.from_json`.

    settings = rg.Settings.from_json("reviews.settings.json")
    dataset = rg.Dataset(name="reviews", settings=settings); dataset.create(); dataset.records.from_json("reviews.json")

A reviewer is there a user, known by a UUID: ours are made of the name, and the names stand in the metadata.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tasks.errors import ConfigError
from tasks.reviews.exchange.shared import (
    DECISION,
    DECISIONS,
    IS_BLIND,
    NOTE,
    PREFERENCES,
    PREFERRED,
    RATING,
    SHOWN_SIDES,
    Answers,
    AskedRow,
    edit_questions,
)

REVIEWERS = "reviewers"
CONVERSATION = "conversation"


def argilla_records(asked: Iterable[AskedRow]) -> list[dict[str, Any]]:
    """The records, with what reviewers answered as responses."""
    return [_record(one) for one in asked]


def _record(one: AskedRow) -> dict[str, Any]:
    fields: dict[str, Any] = {CONVERSATION: one.conversation or [{"role": "user", "content": ""}]}
    fields |= one.shown_sides
    responses: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, answers in one.answers.items():
        for question, value in answers.items():
            responses[question].append({"value": value, "user_id": str(user_id(name))})
    names = [f"{user_id(name)} {name}" for name in one.answers]
    return {
        "id": one.row_id,
        "fields": fields,
        "metadata": {REVIEWERS: "\n".join(names)} if names else {},
        "suggestions": {},
        "responses": dict(responses),
        "vectors": {},
        "status": "completed" if one.answers else "pending",
        "_server_id": None,
    }


def argilla_settings(*, pairs: bool) -> dict[str, Any]:
    """Fields and questions of a dataset there."""
    kinds = {CONVERSATION: "chat"} | dict.fromkeys(SHOWN_SIDES if pairs else (), "text")
    reviewers = {"visible_for_annotators": True, "settings": {"type": "terms", "values": None}}
    return {
        "guidelines": "Decide whether each row is good enough to train on.",
        "fields": [
            {"name": name, "title": name, "required": True, "settings": {"type": kind, "use_markdown": True}}
            for name, kind in kinds.items()
        ],
        "questions": _questions(pairs=pairs),
        "metadata": [{"name": REVIEWERS, "title": REVIEWERS, **reviewers}],
        "vectors": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }


def _questions(*, pairs: bool) -> list[dict[str, Any]]:
    """What reviewers are asked about a row."""
    text = {"type": "text", "use_markdown": False}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        *([(PREFERRED, "Which answer is better?", _labels(PREFERENCES))] if pairs else []),
        (DECISION, "Is it good enough to train on?", _labels(DECISIONS)),
        (RATING, "How good is it?", {"type": "rating", "options": [{"value": grade} for grade in range(1, 6)]}),
        *((name, title, text) for name, title in edit_questions(pairs=pairs)),
        (NOTE, "Anything else", text),
    ]
    return [
        {"name": name, "title": title, "description": None, "required": False, "settings": told}
        for name, title, told in asked
    ]


def _labels(values: Iterable[str]) -> dict[str, Any]:
    options = [{"value": one, "text": one} for one in values]
    return {"type": "label_selection", "options": options, "visible_options": 3}


def user_id(name: str) -> Any:
    """The UUID of a reviewer."""
    return uuid5(NAMESPACE_URL, f"stillroom:reviewer:{name}")


def from_argilla(records: Any) -> Iterator[tuple[str, str, Answers]]:
    """The id of a row, a reviewer, and their answers. Raises ConfigError for what are no records of Argilla's."""
    if not isinstance(records, list) or not all(isinstance(one, Mapping) and "responses" in one for one in records):
        raise ConfigError("not what Argilla writes", None, "give the JSON file of dataset.records.to_json")
    for record in records:
        told = str((record.get("metadata") or {}).get(REVIEWERS) or "")
        names = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
        answers: defaultdict[str, Answers] = defaultdict(dict)
        for question, given in (record["responses"] or {}).items():
            for one in given:
                user = str(one["user_id"])
                answers[names.get(user, f"argilla {user[:8]}")][question] = one["value"]
        is_blind = {IS_BLIND: True} if SHOWN_SIDES[0] in (record.get("fields") or {}) else {}
        for reviewer, some in answers.items():
            yield str(record["id"]), reviewer, some | is_blind
