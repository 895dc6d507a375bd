"""Label Studio: a list of tasks with annotations, as it imports and exports them (JSON), and the labelling config for them.

The id of our row is `data.row_id`. A reviewer is there a user with an e-mail or a number; our names stand in `data.reviewers`,
in the order of the annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tasks.errors import ConfigError
from tasks.reviews.exchange.shared import (
    DECISION,
    DECISIONS,
    EDITED,
    EDITED_SIDES,
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

TO = "conversation"
CHOICES, GRADES, TEXTS = "choices", "rating", "textarea"
TYPE_OF = {DECISION: CHOICES, PREFERRED: CHOICES, RATING: GRADES, **dict.fromkeys((EDITED, *EDITED_SIDES, NOTE), TEXTS)}
KEY_OF = {CHOICES: "choices", GRADES: "rating", TEXTS: "text"}


def label_studio_tasks(asked: Iterable[AskedRow]) -> list[dict[str, Any]]:
    """The tasks, with what reviewers answered as annotations."""
    return [_task(number, one) for number, one in enumerate(asked, 1)]


def _task(number: int, one: AskedRow) -> dict[str, Any]:
    data: dict[str, Any] = {"row_id": one.row_id, TO: one.conversation, "reviewers": list(one.answers)}
    data |= one.shown_sides
    annotations = [
        {
            "result": [_result(question, value) for question, value in answers.items()],
            "was_cancelled": answers.get(DECISION) == "skip",
        }
        for answers in one.answers.values()
    ]
    return {"id": number, "data": data, "annotations": annotations, "predictions": []}


def _result(question: str, value: Any) -> dict[str, Any]:
    kind = TYPE_OF[question]
    held = value if kind == GRADES else [value]
    return {"id": question, "from_name": question, "to_name": TO, "type": kind, "value": {KEY_OF[kind]: held}}


def label_studio_config(*, pairs: bool) -> str:
    """What a project there has to be set up with."""

    def choices(name: str, values: Iterable[str]) -> str:
        inner = "".join(f'<Choice value="{one}"/>' for one in values)
        return f'<Choices name="{name}" toName="{TO}" choice="single">{inner}</Choices>'

    sides = (
        "".join(f'<Header value="{side}"/><Text name="{side}" value="${side}"/>' for side in SHOWN_SIDES)
        if pairs
        else ""
    )
    return "\n".join(
        [
            "<View>",
            f'<Paragraphs name="{TO}" value="${TO}" layout="dialogue" nameKey="role" textKey="content"/>',
            *([sides, choices(PREFERRED, PREFERENCES)] if pairs else []),
            choices(DECISION, DECISIONS),
            f'<Rating name="{RATING}" toName="{TO}" maxRating="5"/>',
            *(
                f'<TextArea name="{name}" toName="{TO}" placeholder="{hint}" maxSubmissions="1"/>'
                for name, hint in edit_questions(pairs=pairs)
            ),
            f'<TextArea name="{NOTE}" toName="{TO}" placeholder="Anything else" maxSubmissions="1"/>',
            "</View>\n",
        ]
    )


def from_label_studio(tasks: Any) -> Iterator[tuple[str, str, Answers]]:
    """The id of a row, a reviewer, and their answers. Raises ConfigError for what are no tasks of Label Studio's."""
    if not isinstance(tasks, list) or not all(_is_ours(task) for task in tasks):
        raise ConfigError("not what Label Studio writes", None, "give a JSON export of tasks that have data.row_id")
    for task in tasks:
        names = task["data"].get("reviewers") or []
        for at, annotation in enumerate(task.get("annotations") or ()):
            answers: Answers = {}
            for result in annotation.get("result") or ():
                question, value = result.get("from_name"), result.get("value") or {}
                held = value.get(KEY_OF.get(result.get("type"), ""))
                if question in TYPE_OF and held not in (None, [], ""):
                    answers[question] = held[0] if isinstance(held, list) else held
            if annotation.get("was_cancelled") and not answers:
                answers[DECISION] = "skip"
            if SHOWN_SIDES[0] in task["data"]:
                answers[IS_BLIND] = True
            yield task["data"]["row_id"], _reviewer(annotation.get("completed_by"), names, at), answers


def _is_ours(task: Any) -> bool:
    return (
        isinstance(task, Mapping)
        and isinstance(task.get("data"), Mapping)
        and isinstance(task["data"].get("row_id"), str)
    )


def _reviewer(told: Any, names: list[str], at: int) -> str:
    """Who made an annotation: as Label Studio says it, else as we did."""
    if isinstance(told, Mapping):
        told = told.get("email") or told.get("id")
    if told is not None:
        return told if isinstance(told, str) else f"label studio {told}"
    return names[at] if at < len(names) else "label studio"
