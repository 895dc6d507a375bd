"""An answer that keeps given constraints, found by a small search: the proof that they do not contradict each other.

The words mean nothing: only what the checks look at is built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from tasks.verify.constraints.constraint import finding_of

FILLER = {"en": "tone", "vi": "ân", "zh": "山", "ja": "ぬ"}
STARTS = {
    "en": [
        "roses",
        "otters",
        "knives",
        "sets",
        "fire",
        "tins",
        "bikes",
        "nine",
        "rents",
        "ties",
        "ovens",
        "inks",
        "brisk",
        "onions",
        "ribs",
        "fern",
        "stones",
        "robins",
        "kites",
        "votes",
    ],
    "vi": [
        "in",
        "ơn",
        "oan",
        "kín",
        "xin",
        "ưa",
        "ruộn",
        "nổi",
        "rõn",
        "kiên",
        "quên",
        "nón",
        "xon",
        "riên",
        "unk",
        "kỉn",
        "onk",
        "xéo",
        "rịn",
        "noan",
    ],
    "zh": list("木水火土云石田禾竹马牛羊鱼鸟虫贝玉皮革"),
    "ja": list("にのねてとちけこせそまみむめらりるれろ"),
}


def witness(constraints: Sequence[Mapping[str, Any]], language: str) -> str | None:
    """An answer that keeps all of them; None where the search finds none."""
    told = {one["kind"]: json.loads(one["parameters"]) for one in constraints}
    for sentences, words in product((4, 2, 3, 1, 5, 6, 8, 10, 12, 15, 20, 30), (4, 2, 6, 12, 22, 40, 70)):
        answer = Writer(told, language, sentences, words).answer()
        if all(finding_of(one, answer).passed for one in constraints):
            return answer
    return None


class Writer:
    """Builds one answer of so many sentences of so many words."""

    def __init__(self, told: Mapping[str, Any], language: str, sentences: int, words: int) -> None:
        self.told, self.language, self.count, self.words = told, language, sentences, words
        self.spaced = language in ("en", "vi")
        self.space, self.stop, self.ask = (" ", ".", "?") if self.spaced else ("", "。", "？")

    def answer(self) -> str:
        """The answer."""
        text = self._framed(self._laid_out(self._sentences()))
        if "upper_case" in self.told:
            return text.upper()
        return text.lower() if "lower_case" in self.told else text

    def _sentences(self) -> list[str]:
        grows = "increasing_sentences" in self.told
        said = [self._bare(at, self.words + at if grows else self.words) for at in range(self.count)]
        for at, insert in enumerate(self._inserts()):
            place = len(said) - 1 if grows or self._in_order else at % len(said)
            said[place] += self.space + insert + ("" if self.spaced else FILLER[self.language])
        if "keyword_in_first_sentence" in self.told:
            said[0] += self.space + self.told["keyword_in_first_sentence"]["word"]
        if phrase := self.told.get("start_phrase"):
            said[0] = phrase["text"] + self.space + said[0]
        asked = self.told.get("questions", {"count": 0})["count"]
        ends = [self.ask if at < asked else self.stop for at in range(len(said))]
        return [text + end for text, end in zip(said, ends, strict=True)]

    @property
    def _in_order(self) -> bool:
        return "keyword_order" in self.told

    def _bare(self, at: int, words: int) -> str:
        starts = STARTS[self.language]
        return self.space.join([starts[at % len(starts)], *[FILLER[self.language]] * (words - 1)])

    def _inserts(self) -> Iterator[str]:
        word, told = FILLER[self.language], self.told
        for kind in ("keywords", "keyword_order"):
            yield from told.get(kind, {"words": ()})["words"]
        if "keyword_at_least" in told:
            yield from [told["keyword_at_least"]["word"]] * told["keyword_at_least"]["count"]
        for kind, form in (("placeholders", "[{}]"), ("highlights", "*{}*"), ("parentheses", "({})")):
            yield from [form.format(word)] * told.get(kind, {"count": 0})["count"]
        yield from map(str, range(11, 11 + told.get("numbers_at_least", {"count": 0})["count"]))
        yield from ["NET"] * told.get("capital_words_at_least", {"count": 0})["count"]
        if "letter_at_least" in told:
            yield told["letter_at_least"]["letter"] * told["letter_at_least"]["count"]
        if "title" in told:
            yield f"<<{word}>>"

    def _laid_out(self, said: list[str]) -> str:
        word, body = FILLER[self.language], self.space.join(said)
        for kind, told in self.told.items():
            count = told.get("count", 0)
            if kind in ("bullets", "numbered_list", "headings", "sections"):
                marks = {
                    "bullets": "* ",
                    "numbered_list": "{}. ",
                    "headings": "## ",
                    "sections": f"{told.get('name')} {{}} ",
                }
                return "\n".join([body, *(marks[kind].format(at + 1) + word for at in range(count)), word])
            if kind == "table":
                row = "|" + f" {word} |" * told["columns"]
                rule = "|" + " --- |" * told["columns"]
                return "\n".join([body, "", row, rule, *[row] * told["rows"], word])
            if kind == "two_responses":
                return f"{body}\n******\n{word}"
            if kind == "paragraphs":
                return "\n***\n".join([body, *[word] * (count - 1)])
            if kind == "nth_paragraph_first_word":
                parts = [body, *[word] * (count - 1)]
                parts[told["nth"] - 1] = f"{told['word']} {parts[told['nth'] - 1]}"
                return "\n\n".join(parts)
            if kind == "paragraph_sentences":
                parts = [said[at : at + count] for at in range(0, len(said) - count + 1, count)]
                return "\n\n".join(self.space.join(part) for part in parts)
            if kind == "line_characters_at_most":
                return "\n".join(said).replace(f"{word} {word} {word} {word} ", f"{word} {word} {word} {word}\n")
            if kind == "acrostic":
                lines = [f"{letter}{self.space}{word}" for letter in told["word"]]
                return "\n".join([*lines[:-1], f"{lines[-1]}{self.space}{body}"])
            if kind == "closing_line":
                return f"{word}\n{body}\n{word}"
            if kind == "json":
                return json.dumps({word: body}, ensure_ascii=False)
        return body

    def _framed(self, text: str) -> str:
        told = self.told
        if "repeat_prompt" in told:
            text = f"{told['repeat_prompt']['text']}\n{text}"
        if "postscript" in told:
            text = f"{text}\n{told['postscript']['marker']} {FILLER[self.language]}"
        if "end_phrase" in told:
            text = f"{text}{' ' if self.spaced else ''}{told['end_phrase']['text']}"
        if "quotation" in told:
            text = f"{told['quotation']['left']}{text}{told['quotation']['right']}"
        return text
