"""What a trainer's own file is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Told:
    """A dataset that lies beside the file, and what is known of the model.

    `kind`: of the dataset; `files`: those of the split `train`, relative; `max_length` in tokens; `end`: the text of the token
    that ends the assistant's turn, where that is not the tokenizer's own end; `is_marked`: some turns are not trained on.
    """

    name: str
    kind: Literal["sft", "dpo"]
    files: tuple[str, ...]
    model: str
    max_length: int
    end: str | None = None
    is_marked: bool = False
