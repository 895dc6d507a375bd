"""Multiple choice by likelihood: questions with options, of which a student finds one the likeliest.

    choices_of("arc.jsonl", None)      # lessons whose answers are the options; row={"right": 2}

Read are the columns of MMLU (`question`, `choices`, `answer`), of ARC, OpenBookQA and CommonsenseQA (`choices` as
`text` and `label`, `answerKey`) and of HellaSwag (`ctx`, `endings`, `label`). The right option is told by its place,
its label or its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from tasks.errors import ConfigError
from tasks.seeds.readers import BadRecord
from tasks.seeds.sources import reader_of
from tasks.train.lessons import Lesson, Lessons

ASKED = ("instruction", "question", "question_stem", "ctx")
OPTIONS = ("choices", "options", "endings")
RIGHT_OPTION = ("answer", "answerKey", "label")


def choices_of(spec: str, split: str | None) -> Lessons:
    """The questions of a folder, a file or `hf:NAME`; the first turn asks, the answers are the options.

    Raises ConfigError for a row without question, options or the right one.
    """
    reader = reader_of(spec, split, as_text=True)
    found = list[Lesson]()
    for place, record in reader.records(0, None):
        try:
            if isinstance(record, BadRecord):
                raise ValueError(str(record.error))
            found.append(_choice(record))
        except ValueError as error:
            fix = (
                f"a row has {', '.join(ASKED[:2])} or {ASKED[-1]}; {' or '.join(OPTIONS)}; {' or '.join(RIGHT_OPTION)}"
            )
            raise ConfigError("this is no question with choices", f"{reader.name}, {place}: {error}", fix) from error
    return Lessons(spec, "sft", found)


def right_choice(lesson: Lesson, losses: Sequence[float]) -> float:
    """1 where the right option has the lowest loss, by the mean of its tokens; of equal ones the first counts."""
    assert lesson.row is not None
    return float(min(range(len(losses)), key=losses.__getitem__) == lesson.row["right"])


def _choice(record: Mapping[str, Any]) -> Lesson:
    asked, options, told = (_first(record, names) for names in (ASKED, OPTIONS, RIGHT_OPTION))
    labels, texts = _labelled(options)
    if len(texts) < 2 or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("two options or more are needed, each a text")
    return Lesson([{"role": "user", "content": str(asked)}], tuple(texts), None, {"right": _place(told, texts, labels)})


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if record.get(name) is not None:
            return record[name]
    raise ValueError(f"no {' or '.join(names)}")


def _labelled(options: Any) -> tuple[list[str], list[Any]]:
    """Labels and texts of a list, of {"label": [...], "text": [...]} or of {"A": ..., "B": ...}."""
    if isinstance(options, Mapping) and {"label", "text"} <= options.keys():
        return [str(label) for label in options["label"]], list(options["text"])
    if isinstance(options, Mapping):
        return list(options), list(options.values())
    texts = list(options) if isinstance(options, Sequence) and not isinstance(options, str) else []
    return list(ascii_uppercase[: len(texts)]), texts


def _place(told: Any, texts: Sequence[str], labels: Sequence[str]) -> int:
    """Where the right option stands: a number is its place; a text its label, else itself, else its place."""
    places = [str(at) for at in range(len(texts))]
    for known in (places,) if isinstance(told, int) else (labels, texts, places):
        if str(told) in known:
            return list(known).index(str(told))
    raise ValueError(f"no option is {told!r}")
