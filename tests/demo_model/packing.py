"""Examples packed into the rows of a batch, blind to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Example = tuple[list[int], list[int]]
"""Token ids, and the same where they are learned."""
ROWS = (160, 400)  # tokens of a packed row: for short and for long examples
MISSED = 6  # examples that may have to wait before a batch is used as it is
UNLEARNED = -100


def batches(source: Iterator[Example], tokens: int) -> Iterator[list[list[Example]]]:
    """Batches of rows, each row a list of examples that fit into it. Short and long examples have rows of their own."""
    filling: dict[int, Packing] = {length: Packing(length, tokens // length) for length in ROWS}
    for example in source:
        packing = filling[next(length for length in ROWS if len(example[0]) <= length)]
        packing.take(example)
        if len(packing.missed) > MISSED:
            yield packing.rows
            packing.clear()


class Packing:
    """A batch that is being filled: the first row with room takes an example."""

    def __init__(self, length: int, count: int) -> None:
        self.length, self.count = length, count
        self.clear()

    def clear(self) -> None:
        """Begin a new batch, with what did not fit into the last."""
        self.rows: list[list[Example]] = [[] for _ in range(self.count)]
        self._room = [self.length] * self.count
        waiting, self.missed = getattr(self, "missed", []), list[Example]()
        for example in waiting:
            self.take(example)

    def take(self, example: Example) -> None:
        """Add the example, or keep it for the next batch."""
        place = next((i for i in range(self.count) if self._room[i] >= len(example[0])), None)
        if place is None:
            self.missed.append(example)
        else:
            self.rows[place].append(example)
            self._room[place] -= len(example[0])


def tensors(batch: list[list[Example]], device: str) -> dict[str, torch.Tensor]:
    """The model's inputs for a packed batch: ids, labels, positions and who may look at whom."""
    import torch

    length = next(n for n in ROWS if max(sum(len(tokens) for tokens, _ in row) for row in batch) <= n)
    shape = (len(batch), length)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, UNLEARNED)
    positions, owner = torch.zeros(shape, dtype=torch.long), torch.full(shape, -1)
    for r, row in enumerate(batch):
        at = 0
        for number, (tokens, wanted) in enumerate(row):
            end = at + len(tokens)
            ids[r, at:end], labels[r, at:end] = torch.tensor(tokens), torch.tensor(wanted)
            positions[r, at:end], owner[r, at:end] = torch.arange(len(tokens)), number
            at = end
    mask = (owner[:, None, :, None] == owner[:, None, None, :]) & torch.ones(length, length, dtype=torch.bool).tril()
    made = {"input_ids": ids, "labels": labels, "position_ids": positions, "attention_mask": mask}
    return {name: tensor.to(device) for name, tensor in made.items()}
