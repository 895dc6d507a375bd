"""Answers that keep the constraints of `constrained`, whatever these are; each is checked before it is taught.

kept_answer(question, constraints, rng)    # None where they cannot be kept by what is known here
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tasks.text.words import words
from tasks.verify.constraints.constraint import Constraint, finding_of
from tasks.verify.constraints.parts import first_word
from tests.demo_model.answers import CHECKS, answered
from tests.demo_model.domain import Question
from tests.demo_model.recipes.fillers import (
    ASKED_BACK,
    BY_LETTER,
    CAPITALS,
    COUNTED,
    FILLERS,
    HEADINGS,
    HEADS,
    IN_MIND,
    LONGEST_FILLER,
    MARKED,
    PLACES,
    REMARKS,
    TITLES,
)
from tests.demo_model.words import SPOKEN

Told = Mapping[str, Mapping[str, Any]]
"""The parameters of the constraints, by their kinds."""
Layout = Callable[[list[str], Mapping[str, Any], Iterator[str]], str]
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
TRIES = 5
FILLED = ("sentences_at_least", "words_at_least", "words_between", "letter_at_least")
MOST_FILLED = 36  # sentences: a longer answer does not fit the model's context
BRIEF = 0.4  # of the answers have no working
FLUENT = 0.4  # of the others say something more, so that answers to one question differ


def kept_answer(
    question: Question, constraints: Sequence[Constraint], rng: random.Random, *, right: bool = True
) -> str | None:
    """An answer that keeps all constraints; None where a few tries find none."""
    for tried in range(TRIES):
        text = draft(question, constraints, rng, right=right, brief=tried > 1 or rng.random() < BRIEF)
        if all(finding_of(one, text).passed for one in constraints):
            return text
    return None


def draft(
    question: Question, constraints: Sequence[Constraint], rng: random.Random, *, right: bool, brief: bool
) -> str:
    """An answer that is written to keep the constraints."""
    told: Told = {one["kind"]: json.loads(one["parameters"]) for one in constraints}
    more = fillers(told, rng)
    said = [*_mentioned(told, rng), *_added(told), *_worked(question, rng, right=right, brief=brief)]
    said = _in_first(said, told)
    if not brief and rng.random() < FLUENT:
        said.append(next(more))
    for one in constraints:
        if one["kind"] in FILLED:
            while len(said) < MOST_FILLED and not finding_of(one, " ".join(said)).passed:
                said.append(next(more))
    text = _laid_out(said, told, more)
    if "json" in told:
        text = json.dumps({"note": " ".join(said[:-1]), "answer": question.problem.value()})
    else:
        text = _framed(text, told, rng, more)
    return _spelled(text, told)


def fillers(told: Told, rng: random.Random) -> Iterator[str]:
    """Filling sentences without end, without words that are forbidden."""
    unwanted = [*told.get("forbidden_words", {}).get("words", ())]
    fit = [one for one in FILLERS if not any(word in one.lower() for word in unwanted)]
    while True:
        yield from rng.sample(fit, len(fit))


def _worked(question: Question, rng: random.Random, *, right: bool, brief: bool) -> list[str]:
    """The answer to the question itself, a sentence an item."""
    text = answered(question, "short" if brief else "full", rng, right=right).text
    *working, last = text.removesuffix(".").split(". ")
    said = [f"{line}." for line in (*working, last)]
    if not brief and rng.random() < 0.15:
        said.append(rng.choice(CHECKS))
    return said


def _mentioned(told: Told, rng: random.Random) -> list[str]:
    """A first sentence with the words that have to be there."""
    wanted = [*told.get("keywords", {}).get("words", ()), *told.get("keyword_order", {}).get("words", ())]
    if often := told.get("keyword_at_least"):
        wanted += [often["word"]] * often["count"]
    return [rng.choice(IN_MIND).format(words=" and ".join(wanted))] if wanted else []


def _in_first(said: list[str], told: Told) -> list[str]:
    if one := told.get("keyword_in_first_sentence"):
        return [f"With {one['word']} in mind: {said[0]}", *said[1:]]
    return said


def _added(told: Told) -> list[str]:
    """Sentences that hold what is to be counted."""
    said = []
    if one := told.get("highlights"):
        said.append(f"Mark {' and '.join(f'*{word}*' for word in MARKED[: one['count']])}.")
    if one := told.get("parentheses"):
        said.append(f"Notes: {' '.join(f'({remark})' for remark in REMARKS[: one['count']])}.")
    if one := told.get("placeholders"):
        said.append(f"Write down {' and '.join(f'[{place}]' for place in PLACES[: one['count']])}.")
    if one := told.get("capital_words_at_least"):
        said.append(f"{' '.join(CAPITALS[: one['count']])}.")
    if one := told.get("numbers_at_least"):
        said.append(f"Count {' '.join(COUNTED[: one['count']])}.")
    if one := told.get("questions"):
        said += ASKED_BACK[: one["count"]]
    return said


def _padded(said: list[str], count: int, more: Iterator[str]) -> list[str]:
    """At least so many sentences."""
    return said + [next(more) for _ in range(count - len(said))]


def _grouped(said: list[str], count: int, more: Iterator[str]) -> list[str]:
    """Exactly so many texts: a sentence each, all others in the last."""
    said = _padded(said, count, more)
    return [*said[: count - 1], " ".join(said[count - 1 :])]


def _paragraphs(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    return "\n***\n".join(_grouped(said, told["count"], more))


def _nth_paragraph(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    parts = _grouped(said, told["count"], more)
    parts[told["nth"] - 1] = f"{told['word'].capitalize()}: {parts[told['nth'] - 1]}"
    return "\n\n".join(parts)


def _even_paragraphs(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    each = told["count"]
    said = _padded(said, 2 * each, more)
    return "\n\n".join((" ".join(said[:each]), " ".join(said[each:])))


def _growing(said: list[str], _: Mapping[str, Any], __: Iterator[str]) -> str:
    return " ".join(sorted({"Look.", *said, LONGEST_FILLER}, key=lambda one: (len(words(one)), one)))


def _lines(said: list[str], _: Mapping[str, Any], __: Iterator[str]) -> str:
    return "\n".join(said)


def _bullets(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    return "\n".join(f"* {one}" for one in _grouped(said, told["count"], more))


def _numbered(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    return "\n".join(f"{at}. {one}" for at, one in enumerate(_grouped(said, told["count"], more), 1))


def _sections(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    parts = enumerate(_grouped(said, told["count"], more), 1)
    return "\n".join(f"{told['name']} {at}\n{one}" for at, one in parts)


def _headings(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    parts = zip(HEADINGS, _grouped(said, told["count"], more), strict=False)
    return "\n".join(f"## {head}\n{one}" for head, one in parts)


def _table(said: list[str], told: Mapping[str, Any], _: Iterator[str]) -> str:
    columns, rows = told["columns"], told["rows"]
    lines = [
        HEADS[:columns],
        ["---"] * columns,
        *([letter, "look", "fine", "yes"][:columns] for letter in "abcde"[:rows]),
    ]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), " ".join(said)])


def _two(said: list[str], _: Mapping[str, Any], more: Iterator[str]) -> str:
    return f"{' '.join(said)}\n******\n{said[-1]} {next(more)}"


def _acrostic(said: list[str], told: Mapping[str, Any], more: Iterator[str]) -> str:
    parts = _grouped(said, len(told["word"]), more)
    return "\n".join(f"{BY_LETTER[letter]}: {one}" for letter, one in zip(told["word"], parts, strict=True))


def _closing(said: list[str], _: Mapping[str, Any], more: Iterator[str]) -> str:
    return "\n".join([said[-1], *(said[:-1] or [next(more)]), said[-1]])


def _unlike_starts(said: list[str], _: Mapping[str, Any], more: Iterator[str]) -> str:
    starts = {first_word(one): one for one in _padded(said, 2, more)}
    return (
        " ".join(one for one in said if starts.get(first_word(one)) == one)
        if len(said) > 1
        else " ".join(starts.values())
    )


def _flowing(said: list[str], _: Mapping[str, Any], __: Iterator[str]) -> str:
    return " ".join(said)


LAYOUTS: Mapping[str, Layout] = {
    "paragraphs": _paragraphs,
    "nth_paragraph_first_word": _nth_paragraph,
    "paragraph_sentences": _even_paragraphs,
    "increasing_sentences": _growing,
    "line_characters_at_most": _lines,
    "bullets": _bullets,
    "numbered_list": _numbered,
    "sections": _sections,
    "headings": _headings,
    "table": _table,
    "two_responses": _two,
    "acrostic": _acrostic,
    "closing_line": _closing,
    "unique_sentence_starts": _unlike_starts,
}
BY_LINES = frozenset({"line_characters_at_most", "bullets", "numbered_list", "sections", "headings", "table"})


def in_words(number: int) -> str:
    """A number below 100 in words; a larger one as it is."""
    tens, ones = divmod(number, 10)
    if number <= 20 or number >= 100:
        return SPOKEN[number] if number <= 20 else str(number)
    return f"{TENS[tens - 2]}-{SPOKEN[ones]}" if ones else TENS[tens - 2]


def _laid_out(said: list[str], told: Told, more: Iterator[str]) -> str:
    kind = next((kind for kind in LAYOUTS if kind in told), "")
    return LAYOUTS.get(kind, _flowing)(said, told.get(kind, {}), more)


def _framed(text: str, told: Told, rng: random.Random, more: Iterator[str]) -> str:
    """The text with what stands before and after it."""
    gap = "\n" if told.keys() & BY_LINES else " "
    if "title" in told:
        title = f"<<{rng.choice(TITLES)}>>"
        first = not told.keys() & {"start_phrase", "nth_paragraph_first_word", "repeat_prompt"}
        text = f"{title}\n{text}" if first else f"{text}\n{title}"
    if one := told.get("start_phrase"):
        text = f"{one['text']}:{gap}{text}"
    if one := told.get("repeat_prompt"):
        text = f"{one['text']}\n{text}"
    if one := told.get("end_phrase"):
        text = f"{text}{gap}{one['text']}"
    if one := told.get("postscript"):
        text = f"{text}\n{one['marker']} {next(more)}"
    if one := told.get("quotation"):
        text = f"\n{text}\n" if told.keys() & BY_LINES else text
        text = f"{one['left']}{text}{one['right']}"
    return text


def _spelled(text: str, told: Told) -> str:
    """The text in the signs that are wanted: its case, its commas, its figures."""
    if "no_digits" in told:
        text = re.sub(r"\d+", lambda found: in_words(int(found[0])), text)
    if "no_comma" in told:
        text = text.replace(", ", " and ").replace(",", "")
    if "upper_case" in told:
        return text.upper()
    return text.lower() if "lower_case" in told else text
