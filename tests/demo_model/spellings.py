"""Problems about words: how many letters, how many words, opposites."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tests.demo_model.problem import Slots, near_number
from tests.demo_model.sums import chain
from tests.demo_model.words import ADVERBS, ENDINGS, OPPOSITES, SUBJECTS, VERBS, WORDS, listed, unlisted

OTHER = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}


@dataclass(frozen=True)
class Letters:
    """How many letters words have."""

    kind: ClassVar[str] = "letters"
    forms: ClassVar[tuple[str, ...]] = (
        "How many letters are in {words}?",
        "Count the letters in {words}.",
        "How many letters does it take to write {words}?",
        "Tell me how many letters {words} have in all.",
        "Find the number of letters in {words}.",
    )
    words: tuple[str, ...]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        return cls(tuple(rng.sample(WORDS, max(size - 1, 1))))

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        text = re.sub(r"^the words? ", "", slots["words"], flags=re.IGNORECASE)
        words = [word.strip("'\"") for word in unlisted(text)]
        return cls(tuple(words)) if words and all(re.fullmatch(r"[a-z]+", word) for word in words) else None

    @property
    def size(self) -> int:
        return 1 + len(self.words)

    def slots(self, rng: random.Random) -> Slots:
        return {"words": f"the word{'s' if len(self.words) > 1 else ''} {listed(list(self.words))}"}

    def working(self) -> list[str]:
        counts = [len(word) for word in self.words]
        spelled = [f"{word} is {' '.join(word)}: {len(word)}" for word in self.words]
        return spelled + chain(counts[0], tuple(("+", n) for n in counts[1:]))

    def value(self) -> str:
        return str(sum(map(len, self.words)))

    def sentence(self, value: str) -> str:
        return f"In all {value} letters."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        return replace(self, words=(*self.words, rng.choice([word for word in WORDS if word not in self.words])))


@dataclass(frozen=True)
class WordCount:
    """How many words a sentence has."""

    kind: ClassVar[str] = "words"
    forms: ClassVar[tuple[str, ...]] = (
        'How many words are in "{text}"?',
        'Count the words of "{text}".',
        'How many words does "{text}" have?',
        'Find the number of words in "{text}".',
        'Tell me how many words "{text}" has.',
    )
    text: str

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        made = cls(f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)}")
        for _ in range(size - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        return cls(slots["text"]) if re.fullmatch(r"[A-Za-z]+( [A-Za-z]+)*", slots["text"]) else None

    @property
    def size(self) -> int:
        return len(self.text.split())

    def slots(self, rng: random.Random) -> Slots:
        return {"text": self.text}

    def working(self) -> list[str]:
        return [", ".join(f"{word} {i}" for i, word in enumerate(self.text.split(), 1))]

    def value(self) -> str:
        return str(len(self.text.split()))

    def sentence(self, value: str) -> str:
        return f"There are {value} words."

    def slips(self, rng: random.Random) -> str:
        return str(max(1, len(self.text.split()) + rng.choice((-1, 1, 2))))

    def harder(self, rng: random.Random) -> Self:
        more = [part for part in (*ADVERBS, *ENDINGS) if part not in self.text]
        return replace(self, text=f"{self.text} {rng.choice(more)}")


@dataclass(frozen=True)
class Opposites:
    """The opposites of words."""

    kind: ClassVar[str] = "opposites"
    forms: ClassVar[tuple[str, ...]] = (
        "What is the opposite of {words}?",
        "Give the opposite of {words}.",
        "Name the opposite of {words}.",
        "Which word means the opposite of {words}?",
        "Tell me the opposite of {words}.",
        "Find the opposite of {words}.",
    )
    words: tuple[str, ...]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        made = cls((rng.choice(list(OTHER)),))
        for _ in range(size - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        words = tuple(re.sub(r"^of ", "", word) for word in unlisted(slots["words"].lower()))
        return cls(words) if words and all(word in OTHER for word in words) else None

    @property
    def size(self) -> int:
        return 1 + len(self.words)

    def slots(self, rng: random.Random) -> Slots:
        return {"words": listed(list(self.words))}

    def working(self) -> list[str]:
        return [f"{word} and {OTHER[word]}" for word in self.words]

    def value(self) -> str:
        return ", ".join(OTHER[word] for word in self.words)

    def sentence(self, value: str) -> str:
        return f"The opposite is {value}."

    def slips(self, rng: random.Random) -> str:
        wrong = [OTHER[word] for word in self.words]
        wrong[rng.randrange(len(wrong))] = rng.choice([word for word in OTHER if word not in wrong])
        return ", ".join(wrong)

    def harder(self, rng: random.Random) -> Self:
        return replace(self, words=(*self.words, rng.choice([word for word in OTHER if word not in self.words])))
