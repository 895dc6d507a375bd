"""What Axolotl and Unsloth make of conversations: loss on what the assistant says, turn by turn.

- Axolotl 0.21, `type: chat_template` as our export writes it (`message_field_training: train`, the template's end among
  `eot_tokens`): every turn of the assistant that is not marked `train: false`, with the end token behind it. Rows over
  `sequence_len` are dropped, and so are those without a token that carries loss.
- Unsloth's `train_on_responses_only` on TRL's SFTTrainer: what is over `max_length` is cut off at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.errors import ConfigError
from tasks.models.target import Target, TemplateRefusal
from tasks.publish.trainers.example import Example, Shape, TurnFields
from tasks.publish.trainers.seen import Seen, refused
from tasks.publish.trainers.turns_shown import turns_shown

DROPS_LONG = ("axolotl",)
READS_MARKS = ("axolotl",)


@dataclass(frozen=True)
class ByTurns:
    """One of those trainers. `max_length` in tokens."""

    target: Target
    max_length: int
    trainer: str

    def check(self, shape: Shape) -> None:
        """Raise ConfigError for anything but conversations."""
        if shape != "messages":
            fix = f"what {self.trainer} does with it is not foretold; try --trainer trl"
            raise ConfigError("not the shape that this trainer's rule is known for", shape, fix)

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each conversation."""
        texts = list[str]()
        refusals = dict[int, str]()
        for at, example in enumerate(examples):
            try:
                texts.append(self.target.text(self._turns(example), tools=example.tools, variables=example.variables))
            except TemplateRefusal as refusal:
                refusals[at] = str(refusal)
        tokens = iter(self.target.tokens(texts))
        written = iter(texts)
        for at, example in enumerate(examples):
            if at in refusals:
                yield refused(example, "", self._turns(example), refusals[at])
                continue
            found = next(tokens)
            whole = Seen(example, "", self._turns(example), next(written), found, (), len(found.ids), "whole")
            yield self._cut(replace(whole, loss=self._loss(whole)))

    @staticmethod
    def _turns(example: Example) -> list[TurnFields]:
        said = example.parts["messages"]
        assert not isinstance(said, str), "it has been checked for turns"
        return said

    def _loss(self, seen: Seen) -> list[bool]:
        """The tokens of what the assistant says, each turn with the first end behind it."""
        loss = [False] * len(seen.tokens.ids)
        for turn, shown in zip(seen.turns, turns_shown(seen.text, seen.turns), strict=True):
            if turn["role"] != "assistant" or (self.trainer in READS_MARKS and turn.get("train") is False):
                continue
            first, last = (seen.tokens.from_character(place) for place in (shown.start, shown.stop))
            end = last + 1 if last < len(loss) and self._ends(seen.tokens.ids[last]) else last
            loss[first:end] = [True] * (end - first)
        return loss

    def _ends(self, token: int) -> bool:
        return token in self.target.ends or token in self.target.tokenizer.all_special_ids

    def _cut(self, seen: Seen) -> Seen:
        if self.trainer == "axolotl" and not any(seen.loss):
            return replace(seen, fate="dropped", why="no token carries loss")
        if seen.stop <= self.max_length:
            return seen
        if self.trainer in DROPS_LONG:
            return replace(seen, fate="dropped", why=f"{seen.stop} tokens, and the trainer takes {self.max_length}")
        return replace(seen, stop=self.max_length, fate="cut")
