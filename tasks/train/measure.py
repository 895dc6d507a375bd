"""What a student makes of lessons that it was not taught: a figure of each, so that two students are compared item by item.

- `loss` (SFT): the mean negative log likelihood of the answer's tokens, in nats; lower is better.
- `preference` (DPO): 1 where the chosen answer is likelier than the rejected one by the mean of its tokens, else 0. By the
  sum a longer answer would lose whatever it says.
- `choices`: 1 where the right option of a question is the likeliest, likewise by the mean of its tokens.
- `forgetting`: the loss of texts that have nothing to do with what is taught; lower is better.

The end of the answer's turn counts: a student that does not stop is worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.models.local.checkpoint import find_checkpoint, load_weights
from tasks.models.target import Target, TemplateRefusal, open_target
from tasks.publish.trainers.seen import common_prefix
from tasks.train.lessons import Lesson

AT_ONCE, TOKENS_AT_ONCE = 16, 4096  # answers of a batch, and their tokens with padding: each has a logit for every word


def losses(student: Path | str, lessons: Sequence[Lesson]) -> list[float]:
    """The loss of each lesson's first answer."""
    return _losses(student, [(lesson, lesson.answers[0]) for lesson in lessons])


def preferences(student: Path | str, lessons: Sequence[Lesson]) -> list[float]:
    """Of each pair whether the chosen answer is the likelier one."""
    return [float(chosen < rejected) for chosen, rejected in answer_losses(student, lessons)]


def answer_losses(student: Path | str, lessons: Sequence[Lesson]) -> list[list[float]]:
    """The loss of each answer of each lesson."""
    found = iter(_losses(student, [(lesson, answer) for lesson in lessons for answer in lesson.answers]))
    return [list(islice(found, len(lesson.answers))) for lesson in lessons]


def _losses(student: Path | str, said: Sequence[tuple[Lesson, str]]) -> list[float]:
    target = open_target(str(student))
    return _losses_of(student, [written_tokens(target, lesson, answer) for lesson, answer in said])


def _losses_of(student: Path | str, sequences: Sequence[tuple[list[int], int]]) -> list[float]:
    """The mean loss of each sequence's tokens from a place on. Always in float32: figures of two students are compared."""
    import torch

    model = load_weights(find_checkpoint(str(student)), "auto", "float32")
    order = sorted(range(len(sequences)), key=lambda at: len(sequences[at][0]))  # little padding
    found = [0.0] * len(sequences)
    with torch.inference_mode():
        for places in _batches(order, [len(ids) for ids, _ in sequences]):
            for place, loss in zip(places, _batch(model, [sequences[at] for at in places]), strict=True):
                found[place] = loss
    return found


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[Sequence[int]]:
    """The places in batches, the shorter sequences first as they come: a batch has a row at least."""
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and end - start < AT_ONCE and (end - start + 1) * lengths[order[end]] <= TOKENS_AT_ONCE:
            end += 1
        yield order[start:end]
        start = end


def check_template(target: Target, lessons: Iterable[Lesson]) -> None:
    """Raise ConfigError where the chat template refuses a lesson, or where the loss could not be put on answers alone.

    A trainer takes the prompt's tokens off the front of the whole. A template that writes the prompt in another way once it
    is answered would have it learn the wrong tokens.
    """
    for lesson in lessons:
        for answer in lesson.answers:
            before, whole = _written(target, lesson, answer)
            if not whole.startswith(before):
                fix = "give a base whose template writes the same before and after the answer"
                raise ConfigError(
                    "the chat template cannot be trained on: an answer changes its prompt", target.name, fix
                )


def _written(target: Target, lesson: Lesson, answer: str) -> tuple[str, str]:
    """The prompt, and the whole. Raises ConfigError where the template refuses it."""
    try:
        before = target.text(lesson.prompt, tools=lesson.tools, to_answer=True)
        whole = target.text([*lesson.prompt, {"role": "assistant", "content": answer}], tools=lesson.tools)
    except TemplateRefusal as refusal:
        fix = "stillroom fit tells of each such row"
        raise ConfigError(f"the chat template of {target.name} refuses a row", refusal, fix) from refusal
    return before, whole


def written_tokens(target: Target, lesson: Lesson, answer: str) -> tuple[list[int], int]:
    """The tokens of a lesson with this answer, and where the answer begins. Raises ConfigError where the template refuses it."""
    prompt, shown = target.tokens(_written(target, lesson, answer))
    return shown.ids, common_prefix(shown.ids, prompt.ids)


def _batch(model: Any, sequences: Sequence[tuple[list[int], int]]) -> Iterator[float]:
    import torch

    longest = max(len(ids) for ids, _ in sequences)
    ids = torch.zeros((len(sequences), longest), dtype=torch.long)
    seen = torch.zeros_like(ids)
    for at, (tokens, _) in enumerate(sequences):
        ids[at, : len(tokens)], seen[at, : len(tokens)] = torch.tensor(tokens), 1
    logits = model(input_ids=ids.to(model.device), attention_mask=seen.to(model.device)).logits
    for at, (tokens, begins) in enumerate(sequences):
        said = logits[at, begins - 1 : len(tokens) - 1].float().cpu()
        yield float(torch.nn.functional.cross_entropy(said, ids[at, begins : len(tokens)]))


def text_losses(student: Path | str, texts: Sequence[str], max_length: int) -> list[float]:
    """The loss of each text as it stands, in nats a token; of a longer one, of its first `max_length` tokens."""
    target = open_target(str(student))
    return _losses_of(student, [(one.ids[:max_length], 1) for one in target.tokens(texts)])
