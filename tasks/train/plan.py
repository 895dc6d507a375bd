"""What a proof will do, all of it known before anything is trained: the students, and the items that they are measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tasks.errors import ConfigError
from tasks.models.config import ModelConfig
from tasks.models.local.checkpoint import find_checkpoint
from tasks.models.open import open_model
from tasks.models.target import open_target
from tasks.seeds.sources import first_record, reader_of
from tasks.storage.digest import digest
from tasks.train.answering import REFUSALS, RIGHT, WORDS, figures_of_answers
from tasks.train.arms import Arm, ArmsAsked, arms_of
from tasks.train.choices import choices_of, right_choice
from tasks.train.contaminated import unseen
from tasks.train.lessons import LessonKind, Lessons, lessons_of
from tasks.train.measure import answer_losses, check_template, losses, preferences, text_losses
from tasks.train.proof import NEEDED_ITEMS
from tasks.train.questions import check_of, items_as_questions, questions_of
from tasks.train.settings import ProofSettings, Training
from tasks.train.slices import FEWEST_IN_SLICE, largest_slices
from tasks.train.student import Student, check_trl, size_of_base

VERSION = "2"  # of the measures: it rises with each change of what they tell
LOSS, PREFERENCE, FORGETTING = "loss", "preference", "forgetting"
CHOICES = "choices"
WINS = "wins"
OF_ANSWERS = (RIGHT, REFUSALS, WORDS)


@dataclass(frozen=True)
class Items:
    """What students are measured by. `contaminated`: how many are left out, since a student is taught them."""

    held_out: Lessons
    questions: Lessons | None
    choices: Lessons | None
    texts: Sequence[str]
    contaminated: int


@dataclass(frozen=True)
class Plan:
    """`arms`: by seed. `trainings`: by the kind of lessons."""

    settings: ProofSettings
    base: str
    trainings: Mapping[str, Training]
    arms: Sequence[Sequence[Arm]]
    items: Items

    @property
    def kind(self) -> LessonKind:
        """`sft` or `dpo`."""
        return self.items.held_out.kind

    @property
    def measures(self) -> Sequence[str]:
        """What is measured."""
        answered = [RIGHT] if self.settings.check else []
        answered += [REFUSALS, WORDS] if self.items.questions else []
        return [
            LOSS if self.kind == "sft" else PREFERENCE,
            *answered,
            *([WINS] if self.settings.judge else []),
            *([CHOICES] if self.items.choices else []),
            *([FORGETTING] if self.items.texts else []),
        ]

    @property
    def kinds(self) -> Sequence[LessonKind]:
        """What students are taught, in its order."""
        return ("sft", "dpo") if self.settings.after else (self.kind,)

    @property
    def size(self) -> int:
        """How many students are trained; those that others begin with are among them."""
        return sum(arm.lessons is not None for of_seed in self.arms for arm in of_seed)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many answers each student is taught, or pairs."""
        return {arm.name: len(arm.lessons.taught) for arm in self.arms[0] if arm.lessons}

    def student(self, arm: Arm, seed: int) -> Student | None:
        """Who is to be trained; None where the base is measured as it is."""
        if arm.lessons is None:
            return None
        first = Student(self.base, arm.after, self.trainings["sft"], seed) if arm.after else None
        return Student(self.base, arm.lessons, self.trainings[arm.lessons.kind], seed, first)

    def key_of(self, measure: str) -> str:
        """A digest of what is measured by."""
        if measure in (*OF_ANSWERS, WINS):
            assert self.items.questions is not None
            judged: list[str | int] = [str(self.settings.judge), self.settings.judged] if measure == WINS else []
            return digest(VERSION, self.items.questions.key, self.settings.max_new_tokens, *judged)
        if measure == CHOICES:
            assert self.items.choices is not None
            return digest(VERSION, self.items.choices.key)
        if measure == FORGETTING:
            return digest(VERSION, *self.items.texts, self.trainings[self.kind].max_length)
        return self._held_out_key

    @cached_property
    def _held_out_key(self) -> str:
        return digest(VERSION, self.items.held_out.key)

    def figures(self, measure: str, weights: str) -> list[float | None]:
        """A figure of each item for the student in a folder."""
        if measure == FORGETTING:
            return list(text_losses(weights, self.items.texts, self.trainings[self.kind].max_length))
        if measure == CHOICES:
            assert self.items.choices is not None
            asked = self.items.choices.taught
            return [right_choice(*one) for one in zip(asked, answer_losses(weights, asked), strict=True)]
        return list((losses if measure == LOSS else preferences)(weights, self.items.held_out.taught))

    def figures_of(self, measure: str, answers: Sequence[str]) -> list[float | None]:
        """A figure of each answer to the questions."""
        assert self.items.questions is not None
        check = check_of(self.settings.check) if self.settings.check else None
        return figures_of_answers(measure, self.items.questions.taught, answers, check)


def check_proof(settings: ProofSettings) -> None:
    """Raise ConfigError for what can be told at a glance; what takes reading the dataset, `plan_proof` tells."""
    folder_of(settings)
    check_trl()
    find_checkpoint(open_target(settings.base).source)
    if settings.check:
        check_of(settings.check)
    if settings.judge:
        open_model(ModelConfig(name=settings.judge))
    for spec in (settings.dataset, *settings.against, settings.held_out, settings.after):
        if spec is not None:
            first_record(spec)


def plan_proof(settings: ProofSettings) -> Plan:
    """The plan. Raises ConfigError for whatever would end it later."""
    target = open_target(settings.base)
    base = target.source
    find_checkpoint(base)
    taught, items = _parted(settings)
    asked = _asked(settings, taught)
    for lessons in (taught, items, *asked.others, *([asked.after] if asked.after else [])):
        check_template(target, lessons.taught)
    arms = [arms_of(taught, asked, settings.rows, target, seed) for seed in range(settings.seeds)]
    _check_budget(arms, settings)
    texts = [one for of_seed in arms for arm in of_seed for one in (arm.lessons, arm.after) if one]
    left = unseen(items.taught, [one.taught for one in texts])
    _check_enough(len(left), items, settings)
    questions, seen = _questions(settings, items.of(left), texts)
    choices, seen_too = _choices(settings, texts)
    size = size_of_base(base)
    first = settings.training if taught.kind == "sft" else settings.training_before or settings.training.before_pairs()
    trainings = {"sft": first.for_size(size, "sft"), "dpo": settings.training.for_size(size, "dpo")}
    contaminated = len(items.taught) - len(left) + seen + seen_too
    found = Items(items.of(left), questions, choices, _texts(settings), contaminated)
    return Plan(settings, base, trainings, arms, found)


def folder_of(settings: ProofSettings) -> Path:
    """Where the proof is written. Raises ConfigError where nobody has said."""
    if settings.out:
        return Path(settings.out)
    if Path(settings.dataset).is_dir():
        return Path(settings.dataset)
    raise ConfigError("the dataset is no folder, so the proof has no place", settings.dataset, "give --out DIR")


def _parted(settings: ProofSettings) -> tuple[Lessons, Lessons]:
    """What is taught, and what is measured by."""
    whole = lessons_of(settings.dataset, settings.split, settings.slices)
    if settings.held_out is None:
        return whole.held_out(settings.held_out_share)
    return whole, _alike(lessons_of(settings.held_out, settings.held_out_split), whole)


def _asked(settings: ProofSettings, taught: Lessons) -> ArmsAsked:
    """The students beside the three of every proof; what is held out of the dataset is taught to none of them."""
    others = [_alike(lessons_of(other, None), taught) for other in settings.against]
    after = lessons_of(settings.after, None) if settings.after else None
    if after is not None and (after.kind, taught.kind) != ("sft", "dpo"):
        fix = "give pairs as the dataset, and answers as --after"
        raise ConfigError(
            "only pairs are taught after answers", f"{taught.name}: {taught.kind}, {after.name}: {after.kind}", fix
        )
    if settings.held_out is None:
        others = [other.held_out(settings.held_out_share)[0] for other in others]
        after = after.held_out(settings.held_out_share)[0] if after else None
    slices = largest_slices([one.part for one in taught.taught]) if settings.slices else []
    if settings.slices and len(slices) < 2:
        fix = f"name a column with two values or more of which {FEWEST_IN_SLICE} rows have each"
        raise ConfigError("there are no slices to tell apart", settings.slices, fix)
    return ArmsAsked(others, after, settings.curve, slices)


def _questions(settings: ProofSettings, items: Lessons, taught: Sequence[Lessons]) -> tuple[Lessons | None, int]:
    """What students answer themselves, and how many of the questions are left out since one is taught them."""
    if settings.questions is None:
        if settings.check == "constraints":
            raise ConfigError("constraints are checked on questions that have some", "check", "give --questions")
        return (items_as_questions(items) if settings.check or settings.judge else None), 0
    return _untaught(questions_of(settings.questions, settings.questions_split), taught)


def _choices(settings: ProofSettings, taught: Sequence[Lessons]) -> tuple[Lessons | None, int]:
    """The questions with choices, and how many of them are left out since one is taught them."""
    if settings.choices is None:
        return None, 0
    return _untaught(choices_of(settings.choices, settings.choices_split), taught)


def _untaught(given: Lessons, taught: Sequence[Lessons]) -> tuple[Lessons, int]:
    """The questions that no student is taught, and how many the others are. Raises ConfigError for too few."""
    left = unseen(given.taught, [lessons.taught for lessons in taught])
    if len(left) < NEEDED_ITEMS:
        told = f"{given.name}: {len(left)} of {len(given.taught)} that no student is taught"
        raise ConfigError("too few questions to measure by", told, f"{NEEDED_ITEMS} are needed to show anything")
    return given.of(left), len(given.taught) - len(left)


def _texts(settings: ProofSettings) -> list[str]:
    """The texts by which forgetting is measured."""
    if settings.reference_text is None:
        return []
    reader = reader_of(settings.reference_text, None, as_text=True)
    texts = [record.get("text") for _, record in reader.records(0, ("text",)) if isinstance(record, dict)]
    found = [text for text in texts if isinstance(text, str) and len(text.split()) > 1]
    if len(found) < NEEDED_ITEMS:
        fix = f"{NEEDED_ITEMS} rows with a text are needed; a .txt file has one on each line"
        raise ConfigError("too few texts to measure forgetting by", f"{reader.name}: {len(found)}", fix)
    return found


def _alike(other: Lessons, taught: Lessons) -> Lessons:
    if other.kind != taught.kind:
        fix = "give answers beside answers, and pairs beside pairs"
        raise ConfigError(
            "the datasets are of two kinds", f"{taught.name}: {taught.kind}, {other.name}: {other.kind}", fix
        )
    return other


def _check_budget(arms: Sequence[Sequence[Arm]], settings: ProofSettings) -> None:
    """Refuse a proof that trains more students than it may."""
    count = sum(arm.lessons is not None for of_seed in arms for arm in of_seed)
    if count > settings.max_students:
        fix = "fewer --seeds, no --slices or no --curve, or a larger --max-students"
        raise ConfigError("the proof would train too many students", f"{count}, at most {settings.max_students}", fix)


def _check_enough(left: int, items: Lessons, settings: ProofSettings) -> None:
    if left >= NEEDED_ITEMS:
        return
    seen = (
        f"{left} of {len(items.taught)}, the others stand in what is taught" if left < len(items.taught) else str(left)
    )
    more = f"some {round(NEEDED_ITEMS / settings.held_out_share)} rows, a larger --held-out-share, or"
    fix = f"{NEEDED_ITEMS} are needed to show anything: {'' if settings.held_out else more} other rows as --held-out"
    raise ConfigError("too few items to measure by", f"{items.name}: {seen}", " ".join(fix.split()))
