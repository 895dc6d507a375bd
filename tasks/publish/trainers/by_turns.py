"""What Unsloth's `train_on_responses_only` on TRL's SFTTrainer makes of conversations: loss on what the assistant says, turn by turn.

What is over `max_length` is cut off at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.models.target import Target, TemplateRefusal
from tasks.publish.trainers.example import Example, turns_in_example
from tasks.publish.trainers.seen import Seen, cut_off, refused
from tasks.publish.trainers.turns_shown import turns_shown


@dataclass(frozen=True)
class ByTurns:
    """A trainer that reads conversations turn by turn, with this length, in tokens."""

    target: Target
    max_length: int

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each conversation."""
        texts = list[str]()
        refusals = dict[int, str]()
        for at, example in enumerate(examples):
            try:
                texts.append(
                    self.target.text(turns_in_example(example), tools=example.tools, variables=example.variables)
                )
            except TemplateRefusal as refusal:
                refusals[at] = str(refusal)
        tokens = iter(self.target.tokens(texts))
        written = iter(texts)
        for at, example in enumerate(examples):
            if at in refusals:
                yield refused(example, "", turns_in_example(example), refusals[at])
                continue
            found = next(tokens)
            whole = Seen(example, "", turns_in_example(example), next(written), found, (), len(found.ids), "whole")
            yield cut_off(replace(whole, loss=self._loss(whole)), self.max_length)

    def _loss(self, seen: Seen) -> list[bool]:
        """The tokens of what the assistant says, each turn with the first end behind it."""
        loss = [False] * len(seen.tokens.ids)
        for turn, shown in zip(seen.turns, turns_shown(seen.text, seen.turns), strict=True):
            if turn["role"] != "assistant":
                continue
            first, last = (seen.tokens.from_character(place) for place in (shown.start, shown.stop))
            end = last + 1 if last < len(loss) and self._ends(seen.tokens.ids[last]) else last
            loss[first:end] = [True] * (end - first)
        return loss

    def _ends(self, token: int) -> bool:
        return token in self.target.ends or token in self.target.tokenizer.all_special_ids
