"""Self-Instruct's second half: a task in, worked examples of it out, each an input and its output.

Wang et al. 2022 (arXiv:2212.10560), section 2.2: first whether it is a classification task. If so the labels come
first, so that a model does not write inputs of one label only; else the input comes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.answers.families import KNOWN
from tasks.models.base import Sampling
from tasks.text.languages import either
from tasks.text.languages.en import EN
from tasks.text.verdicts.yes_no import said_yes
from tasks.text.words import nfc, words

FIELD = re.compile(
    rf"^[ \t*#>-]*+({EN.input}|{EN.output}|{EN.label}|{EN.example})\b[ \t]*+\d{{0,2}}[*\s]*+[:：][*]*[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
FIELD_ELSEWHERE = re.compile(  # the same in the other languages; a heading needs no colon
    rf"^[ \t*#>・【-]*+(?:(?P<input>{either('input')})|(?P<output>{either('output')})|(?P<label>{either('label')})|(?P<example>{either('example')}))"
    r"[ \t]*+\d{0,2}(?:[*_】]*+[ \t]*+[:：][*_]*|】|[*_ \t]*$)[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
NO_INPUT_ELSEWHERE = re.compile(rf"\W*(?:{either('no_input')})\W*", re.IGNORECASE)
MARKS = str.maketrans("", "", "*#>-")
LABELS = frozenset({"classification", "reply", "answer", "the", "final", "is", "verdict"})
NO_INPUT = frozenset(
    {"none", "n a", "no input", "not needed", "not applicable", "no input needed", "no input required"}
)


class SelfInstructInstances(Params):
    """How examples of a task are asked for."""

    instances: int = Field(5, ge=1, description="examples of a task to keep at most, a row each")
    check_sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=64), description="how the classification check is sampled"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=1024, stop=("\nTask:",)), description="how examples are sampled"
    )


class Instance(NamedTuple):
    """An example of a task. `input` is "" where it needs none."""

    input: str
    output: str


@technique(reads="Instructions", writes="Instances")
async def self_instruct_instances(row: Row, models: Models, params: SelfInstructInstances) -> list[Row]:
    """Ask whether the task is a classification, then for examples of it; a row for each that is kept.

    Writes `is_classification`, `input` and `output`. A dropped example is a loss with its reason. Raises Unusable
    where no answer could be read, Filtered where all examples were dropped.
    """
    instruction = row["instruction"]
    is_classification = await models.ask(
        "self_instruct_instances/classification",
        instruction=instruction,
        sampling=params.check_sampling,
        parse=is_yes,
    )
    instances = await models.ask(
        f"self_instruct_instances/{'output_first' if is_classification else 'input_first'}",
        instruction=instruction,
        sampling=params.sampling,
        parse=instances_of,
    )
    kept, dropped = sifted(instances, params.instances)
    for refusal in dropped if kept else dropped[:-1]:
        row.lose(refusal)
    if not kept:
        raise dropped[-1]
    return [row.child(is_classification=is_classification, **one._asdict()) for one in kept]


def is_yes(text: str) -> bool:
    """The answer to a yes-or-no question: its first word, or the one after a label. Raises Unusable for anything else."""
    text = KNOWN.parse(text).text
    said = words(text)
    while said and said[0] in LABELS:
        said.pop(0)
    if said and said[0] in (EN.yes, EN.no):
        return said[0] == EN.yes
    if text.isascii() or (yes := said_yes(text)) is None:
        raise Unusable("no_verdict")
    return yes


def instances_of(text: str) -> list[Instance]:
    """The examples in a completion, of either order: "Input: ... Output: ..." or "Label: ... Input: ...".

    An output without an input before it has none. Raises Unusable where there is no example.
    """
    marks = [(mark[1].lower(), mark) for mark in FIELD.finditer(text)]
    is_english = bool(marks)
    if not marks:
        text = nfc(text)
        marks = [(mark.lastgroup or "", mark) for mark in FIELD_ELSEWHERE.finditer(text)]
    ends = [*(mark.start() for _, mark in marks[1:]), len(text)]
    said = [(name, text[mark.end() : end]) for (name, mark), end in zip(marks, ends, strict=False)]
    fields = [(name, _without_rules(one) if is_english else one.strip()) for name, one in said[:-1]]
    fields += [(name, one.strip()) for name, one in said[-1:]]
    fields = [(name, content) for name, content in fields if name not in ("task", "example")]
    found: list[Instance] = []
    waiting: str | None = None  # an input before its output, or a label before its input
    labels_first = bool(fields) and fields[0][0] == "label"
    for name, content in fields:
        if (name == "label") if labels_first else (name == "input"):
            waiting = content
        elif labels_first and waiting is not None:
            found.append(Instance(_input(content), waiting))
            waiting = None
        elif not labels_first and name == "output":
            found.append(Instance(_input(waiting or ""), content))
            waiting = None
    if not found:
        raise Unusable("no_instance")
    return found


def _without_rules(text: str) -> str:
    """What a field holds, without the marks that stand on lines of their own before the next one."""
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].translate(MARKS).strip():
        lines.pop()
    return "\n".join(lines).strip()


def _input(text: str) -> str:
    return "" if " ".join(words(text)) in NO_INPUT or NO_INPUT_ELSEWHERE.fullmatch(nfc(text)) else text


def sifted(instances: Sequence[Instance], limit: int) -> tuple[list[Instance], list[Filtered]]:
    """The examples to keep, once each, and why the others are dropped.

    Dropped: no output, output the same as the input, either one ending with ":"; all of them where one input has two
    outputs.
    """
    firsts: dict[tuple[str, str], Instance] = {}
    for one in instances:
        firsts.setdefault((nfc(one.input), nfc(one.output)), one)
    distinct = list(firsts.values())
    dropped = [_drop(one, fault) for one in distinct if (fault := _fault(one))]
    sound = [one for one in distinct if not _fault(one)]
    if len({nfc(one.input) for one in sound}) < len(sound):
        return [], dropped + [_drop(one, "contradiction") for one in sound]
    return sound[:limit], dropped + [_drop(one, "surplus") for one in sound[limit:]]


def _drop(one: Instance, reason: str) -> Filtered:
    return Filtered(reason, raw=f"{one.input}\n{one.output}")


def _fault(one: Instance) -> str | None:
    if not one.output:
        return "empty_output"
    if nfc(one.input) == nfc(one.output):
        return "output_is_input"
    if one.input.endswith(":") or one.output.endswith(":"):
        return "ends_with_colon"
    return None
