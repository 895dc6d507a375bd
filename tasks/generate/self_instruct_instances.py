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
from tasks.models.base import Sampling
from tasks.schemas import Instances, Instructions
from tasks.text.words import words

FIELD = re.compile(
    r"^[\s*#>-]*(input|output|label|task|example)\b[ \t]*\d{0,2}[*\s]*[:：][*]*[ \t]*", re.IGNORECASE | re.MULTILINE
)
NONE = frozenset({"none", "n a", "no input", "not needed", "not applicable", "no input needed", "no input required"})


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


@technique(reads=Instructions, writes=Instances)
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
    """The answer to a yes-or-no question: its first word. Raises Unusable for anything else."""
    first = next(iter(words(text)), "")
    if first not in ("yes", "no"):
        raise Unusable("no_verdict")
    return first == "yes"


def instances_of(text: str) -> list[Instance]:
    """The examples in a completion, of either order: "Input: ... Output: ..." or "Label: ... Input: ...".

    An output without an input before it has none. Raises Unusable where there is no example.
    """
    marks = list(FIELD.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    fields = [(mark[1].lower(), text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=False)]
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


def _input(text: str) -> str:
    return "" if " ".join(words(text)) in NONE else text


def sifted(instances: Sequence[Instance], limit: int) -> tuple[list[Instance], list[Filtered]]:
    """The examples to keep, once each, and why the others are dropped.

    Dropped: no output, output the same as the input, either one ending with ":"; all of them where one input has two
    outputs.
    """
    distinct = list(dict.fromkeys(instances))
    dropped = [_drop(one, fault) for one in distinct if (fault := _fault(one))]
    sound = [one for one in distinct if not _fault(one)]
    if len({one.input for one in sound}) < len(sound):
        return [], dropped + [_drop(one, "contradiction") for one in sound]
    return sound[:limit], dropped + [_drop(one, "surplus") for one in sound[limit:]]


def _drop(one: Instance, reason: str) -> Filtered:
    return Filtered(reason, raw=f"{one.input}\n{one.output}")


def _fault(one: Instance) -> str | None:
    if not one.output:
        return "empty_output"
    if one.input == one.output:
        return "output_is_input"
    if one.input.endswith(":") or one.output.endswith(":"):
        return "ends_with_colon"
    return None
