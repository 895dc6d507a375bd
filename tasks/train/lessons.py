"""What students are taught: each answer of a dataset with what was said before it, or both answers of a pair.

    lessons_of("datasets/sft", None)            # [Lesson(prompt=[...], answers=([...],), key="..."), ...]

A conversation gives a lesson for each of its answers that is trained on, so that every trainer and every chat template can
put the loss on answers alone. What no student can be taught by its chat template (a bare text) is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from tasks.errors import ConfigError, did_you_mean
from tasks.publish.trainers.example import Example, Part, Shape, TurnFields, example_of, example_shape
from tasks.publish.trainers.seen import common_prefix
from tasks.seeds.readers import BadRecord
from tasks.seeds.sources import reader_of
from tasks.storage.digest import canonical, digest, uniform
from tasks.text.responses import normalised
from tasks.train.slices import parts_of

LessonKind = Literal["sft", "dpo"]
KINDS: Mapping[Shape, LessonKind] = {"messages": "sft", "prompt_completion": "sft", "preference": "dpo"}


@dataclass(frozen=True)
class Lesson:
    """One prompt with its answer, or with the chosen and the rejected one. `tools` go to the chat template.

    `row`: of a question that no answer is known of, what a verifier reads beside it. `part`: of the
    dataset that it belongs to, where parts are asked for.
    """

    prompt: Sequence[TurnFields]
    answers: Sequence[str]
    tools: Sequence[Any] | None = None
    row: Mapping[str, Any] | None = None
    part: str = ""

    @cached_property
    def asked(self) -> str:
        """What the user said first: lessons that share it are never parted."""
        return next((str(turn["content"] or "") for turn in self.prompt if turn["role"] == "user"), "")

    @cached_property
    def last_asked(self) -> str:
        """What the user said last."""
        return next((str(turn["content"] or "") for turn in reversed(self.prompt) if turn["role"] == "user"), "")

    @cached_property
    def key(self) -> str:
        """A digest of all that is in it."""
        return digest(canonical([self.prompt, self.answers, self.tools, *([self.row] if self.row else [])]))


@dataclass(frozen=True)
class Lessons:
    """All of a dataset, in its order. `kind`: whether they teach answers or preferences."""

    name: str
    kind: LessonKind
    taught: Sequence[Lesson]

    @cached_property
    def key(self) -> str:
        """A digest of all lessons, in their order."""
        return digest(self.kind, *(lesson.key for lesson in self.taught))

    def of(self, taught: Sequence[Lesson], name: str | None = None) -> Lessons:
        """The same kind with other lessons."""
        return Lessons(name or self.name, self.kind, taught)

    def held_out(self, share: float) -> tuple[Lessons, Lessons]:
        """Those to teach, and those to measure by: drawn by what the user says first, from nothing else."""
        apart = [uniform("proof", normalised(one.asked).encode(errors="surrogatepass")) < share for one in self.taught]
        parts = list(zip(self.taught, apart, strict=True))
        return self.of([one for one, is_out in parts if not is_out]), self.of([one for one, is_out in parts if is_out])


def lessons_of(spec: str, split: str | None, column: str | None = None) -> Lessons:
    """The lessons of a folder, a file or `hf:NAME`. `column`: whose value says which part of the dataset each belongs to.

    Raises ConfigError where it is not there, or teaches nothing, or has no such column.
    """
    reader = reader_of(spec, split, as_text=True)
    shape: Shape | None = None
    taught, bad = list[Lesson](), list[str]()
    values = list[Any]()
    for place, record in reader.records(0, None):
        if isinstance(record, BadRecord):
            bad.append(str(record.error))
            continue
        if shape is None:
            shape = _teachable(example_shape(list(record), reader.name), reader.name)
        try:
            taught += _lessons(example_of(str(place), record, shape))
            if column is not None:
                _check_column(column, record, reader.name)
                values += [record[column]] * (len(taught) - len(values))
        except ValueError as error:
            bad.append(f"row {place + 1}: {error}")
    if shape is None or not taught:
        raise ConfigError("there is nothing to teach in it", reader.name, bad[0] if bad else "give at least one row")
    if bad:
        raise ConfigError(
            f"{len(bad)} rows cannot be taught", f"{reader.name}, {bad[0]}", "stillroom fit tells of each"
        )
    if column is not None:
        taught = [replace(one, part=part) for one, part in zip(taught, parts_of(values), strict=True)]
    return Lessons(spec, KINDS[shape], taught)


def _check_column(column: str, record: Mapping[str, Any], name: str) -> None:
    if column not in record:
        fix = did_you_mean(column, list(record), f"it has {', '.join(record)}")
        raise ConfigError("there is no such column to slice by", f"{column} in {name}", fix)


def _teachable(shape: Shape, name: str) -> Shape:
    if shape not in KINDS:
        fix = "export it as messages, prompt_completion or dpo"
        raise ConfigError("a student is not taught this kind of row", f"{name}: {shape}", fix)
    return shape


def _lessons(example: Example) -> Iterator[Lesson]:
    """Of a pair one; of a conversation one for each answer that is trained on."""
    if example.shape == "preference":
        yield _pair(example)
        return
    if example.shape == "prompt_completion":
        prompt, answer = _turns(example.parts["prompt"], "user"), _turns(example.parts["completion"], "assistant")
        turns, begins = [*prompt, *answer], len(prompt)
    else:
        turns, begins = _turns(example.parts["messages"], "user"), 0
    for at, turn in enumerate(turns[begins:], begins):
        if turn["role"] == "assistant" and turn.get("train") is not False and str(turn.get("content") or "").strip():
            yield Lesson([_plain(one) for one in turns[:at]], (str(turn["content"]),), example.tools)


def _pair(example: Example) -> Lesson:
    sides = [_turns(example.parts[side], "assistant") for side in ("chosen", "rejected")]
    if "prompt" in example.parts:
        prompt = _turns(example.parts["prompt"], "user")
    else:
        shared = common_prefix(sides[0], sides[1])
        prompt, sides = sides[0][:shared], [side[shared:] for side in sides]
    answers = [str(side[-1].get("content") or "") if len(side) == 1 else "" for side in sides]
    if not all(answer.strip() for answer in answers):
        raise ValueError("a side is not one answer with text in it")
    return Lesson([_plain(turn) for turn in prompt], tuple(answers), example.tools)


def _turns(part: Part, role: str) -> list[TurnFields]:
    return [{"role": role, "content": part}] if isinstance(part, str) else list(part)


def _plain(turn: TurnFields) -> dict[str, Any]:
    """A turn as the chat template takes it: without our marks and without empty keys."""
    return {name: value for name, value in turn.items() if name != "train" and value is not None}
