"""How far our checks of constraints agree with lm-eval's IFEval checkers on published responses, kind by kind.

    python -m tests.benchmarks.ifeval_agreement labels.jsonl       # of tests/benchmarks/ifeval_labels.py

Every difference is printed with its explanation; one without an explanation ends the script with 1.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tasks.verify.constraints.table import CONSTRAINTS

Told = Mapping[str, Any]
BOUNDED = {
    "number_words": ("words", "relation", "num_words"),
    "number_sentences": ("sentences", "relation", "num_sentences"),
    "frequency": ("keyword", "relation", "frequency"),
    "letter_frequency": ("letter", "let_relation", "let_frequency"),
    "capital_word_frequency": ("capital_words", "capital_relation", "capital_frequency"),
}
CHOICES = ["My answer is yes.", "My answer is no.", "My answer is maybe."]
OTHERS: Mapping[str, tuple[str, Callable[[Told], dict[str, Any]]]] = {
    "existence": ("keywords", lambda told: {"words": told["keywords"]}),
    "forbidden_words": ("forbidden_words", lambda told: {"words": told["forbidden_words"]}),
    "response_language": ("response_language", lambda told: {"code": told["language"]}),
    "number_paragraphs": ("paragraphs", lambda told: {"count": told["num_paragraphs"]}),
    "nth_paragraph_first_word": (
        "nth_paragraph_first_word",
        lambda told: {"count": told["num_paragraphs"], "nth": told["nth_paragraph"], "word": told["first_word"]},
    ),
    "number_placeholders": ("placeholders", lambda told: {"count": told["num_placeholders"]}),
    "postscript": ("postscript", lambda told: {"marker": told["postscript_marker"]}),
    "number_bullet_lists": ("bullets", lambda told: {"count": told["num_bullets"]}),
    "constrained_response": ("choice", lambda _: {"options": CHOICES}),
    "number_highlighted_sections": ("highlights", lambda told: {"count": told["num_highlights"]}),
    "multiple_sections": ("sections", lambda told: {"name": told["section_spliter"], "count": told["num_sections"]}),
    "json_format": ("json", lambda _: {}),
    "title": ("title", lambda _: {}),
    "two_responses": ("two_responses", lambda _: {}),
    "repeat_prompt": ("repeat_prompt", lambda told: {"text": told["prompt_to_repeat"]}),
    "end_checker": ("end_phrase", lambda told: {"text": told["end_phrase"]}),
    "english_capital": ("upper_case", lambda _: {}),
    "english_lowercase": ("lower_case", lambda _: {}),
    "no_comma": ("no_comma", lambda _: {}),
    "quotation": ("quotation", lambda _: {"left": '"', "right": '"'}),
}
PART_OF_A_WORD = "lm-eval finds the keyword inside longer words too; we ask for whole words"
NOT_ENGLISH = (
    "lm-eval asks langdetect as well, which takes this text for another language than English; the case is right"
)
NO_LETTER = "lm-eval counts a letter that it draws in place of this sign, which is none: its label is chance"
DIFFERENCES = {
    (1122, "letter_frequency"): NO_LETTER,
    (1129, "letter_frequency"): NO_LETTER,
    (1203, "frequency"): PART_OF_A_WORD,
    (1219, "frequency"): PART_OF_A_WORD,
    (3345, "frequency"): PART_OF_A_WORD,
    (1508, "existence"): PART_OF_A_WORD,
    (1779, "existence"): PART_OF_A_WORD,
    (202, "english_lowercase"): NOT_ENGLISH,
    (1843, "english_lowercase"): NOT_ENGLISH,
    (2341, "english_capital"): NOT_ENGLISH,
    (2571, "english_capital"): NOT_ENGLISH,
    (3456, "english_capital"): NOT_ENGLISH,
    (1954, "nth_paragraph_first_word"): "lm-eval takes the colon of `Summary:` for a part of the word",
    (3112, "response_language"): "our identifier says nothing of Gujarati; langdetect names it",
}
"""Why we say something else, by the key of the prompt and the kind."""


class Compared(NamedTuple):
    """One constraint on one response: IFEval's label, and what we find."""

    key: int
    kind: str
    label: bool
    passed: bool
    figure: str


def ours_of(ifeval: str, told: Told) -> tuple[str, dict[str, Any]]:
    """Our kind and its parameters for one of IFEval's. "less than 3" is "at most 2"."""
    name = ifeval.split(":")[1]
    if name not in BOUNDED:
        kind, parameters = OTHERS[name]
        return kind, parameters(told)
    what, relation, count = BOUNDED[name]
    above = told[relation] == "at least"
    more = {one: told[one] for one in ("letter",) if one in told} | (
        {"word": told["keyword"]} if what == "keyword" else {}
    )
    return f"{what}_{'at_least' if above else 'at_most'}", more | {"count": told[count] - (not above)}


def compared(lines: Iterator[str]) -> Iterator[Compared]:
    """Every constraint of every response."""
    for line in lines:
        row = json.loads(line)
        for ifeval, told, label in zip(row["kinds"], row["kwargs"], row["labels"], strict=True):
            kind, parameters = ours_of(ifeval, told)
            found = CONSTRAINTS[kind].check(row["response"], parameters, "en")
            yield Compared(row["key"], ifeval.split(":")[1], label, found.passed, found.figure)


def main(labels: str) -> int:
    """Print the agreement; 1 where a difference has no explanation."""
    with Path(labels).open(encoding="utf-8") as file:
        every = list(compared(file))
    differ = [one for one in every if one.passed != one.label]
    for kind, count in sorted(Counter(one.kind for one in every).items()):
        same = count - sum(one.kind == kind for one in differ)
        print(f"{kind:28} {same:3} of {count:3}")
    for one in differ:
        why = DIFFERENCES.get((one.key, one.kind), "NOT EXPLAINED")
        print(f"{one.key} {one.kind}: lm-eval {one.label}, ours {one.passed} ({one.figure[:60]}): {why}")
    unexplained = [one for one in differ if (one.key, one.kind) not in DIFFERENCES]
    print(
        f"{len(every) - len(differ)} of {len(every)} agree, {len(differ) - len(unexplained)} differences explained, {len(unexplained)} not"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
