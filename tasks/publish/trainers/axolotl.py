"""What Axolotl 0.21 makes of conversations by `type: chat_template`, as our export writes them and with its `axolotl.yaml`.

- A turn is what its `role`, its `content` and those of its other fields hold that the template names; fields that hold nothing are
  left out, arguments of calls are read as JSON, and `chat_template_kwargs` do not go to the template.
- A turn marked `train` carries loss, whoever says it, and without a mark the assistant's do: all that another content, without
  calls and reasoning, would change in the text, and the end of the turn within three tokens behind it.
- Rows over `sequence_len` are dropped, and so are those without a token that carries loss.

Marks on parts of a content are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tasks.errors import ConfigError
from tasks.models.target import Target, TemplateRefusal
from tasks.publish.trainers.example import Example, Shape, TurnFields, turns_in_example
from tasks.publish.trainers.seen import Seen, common_prefix, refused
from tasks.publish.trainers.turns_shown import content_of

OTHER = "\ue000another content\ue001"  # its first and last sign stand in no template
NEAR = 3  # tokens between a turn and its end


@dataclass(frozen=True)
class Axolotl:
    """Axolotl with this `sequence_len`, in tokens."""

    target: Target
    max_length: int

    def check(self, shape: Shape) -> None:
        """Raise ConfigError for anything but conversations."""
        if shape != "messages":
            fix = "what axolotl does with it is not foretold; try --trainer trl"
            raise ConfigError("not the shape that this trainer's rule is known for", shape, fix)

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each conversation."""
        drafts = [self._draft(example) for example in examples]
        texts = [draft for draft in drafts if isinstance(draft, str)]
        tokens = iter(self.target.tokens(texts))
        for example, draft in zip(examples, drafts, strict=True):
            if isinstance(draft, TemplateRefusal):
                yield refused(example, "", turns_in_example(example), str(draft))
                continue
            found = next(tokens)
            whole = Seen(example, "", turns_in_example(example), draft, found, (), len(found.ids), "whole")
            yield self._kept(replace(whole, loss=self._loss(whole)))

    def _kept(self, seen: Seen) -> Seen:
        if not any(seen.loss):
            return replace(seen, fate="dropped", why="no token carries loss")
        if seen.stop > self.max_length:
            return replace(seen, fate="dropped", why=f"{seen.stop} tokens, and the trainer takes {self.max_length}")
        return seen

    def _draft(self, example: Example) -> str | TemplateRefusal:
        try:
            return self.target.text(
                [self._turn(turn) for turn in turns_in_example(example)], tools=example.tools or None
            )
        except TemplateRefusal as refusal:
            return refusal

    def _turn(self, turn: TurnFields) -> dict[str, Any]:
        """What of a turn goes to the template."""
        named = {name: value for name, value in turn.items() if value is not None and name in self._named(turn)}
        if isinstance(named.get("content"), list):
            named["content"] = content_of(turn)
        if named.get("tool_calls"):
            named["tool_calls"] = [_read_call(call) for call in named["tool_calls"]]
        return named

    def _named(self, turn: TurnFields) -> set[str]:
        return {name for name in turn if name in ("role", "content") or name in self._words}

    @cached_property
    def _words(self) -> frozenset[str]:
        template = self.target.tokenizer.chat_template
        texts = template.values() if isinstance(template, dict) else [template]
        return frozenset(word for text in texts for word in re.findall(r"\w+", text))

    def _loss(self, seen: Seen) -> list[bool]:
        """The tokens of the turns that are trained on, each with its end."""
        loss = [False] * len(seen.tokens.ids)
        for start, stop in self._spans(seen):
            first = seen.tokens.from_character(start)
            begins_there = seen.tokens.from_character(start + 1) > first
            first, last = first if begins_there else first - 1, seen.tokens.from_character(stop)
            loss[first:last] = [True] * (last - first)
            for ends in (self._turn_ends, {self.target.tokenizer.eos_token_id}):
                near = range(last, min(last + NEAR + 1, len(loss)))
                if (end := next((at for at in near if seen.tokens.ids[at] in ends), None)) is not None:
                    loss[end] = True
        return loss

    def _spans(self, seen: Seen) -> Iterator[tuple[int, int]]:
        """Where the turns that are trained on stand in the text, in characters."""
        turns = [self._turn(turn) for turn in seen.turns]
        for at, turn in enumerate(turns):
            if not _is_trained(seen.turns[at]):
                continue
            others = [*turns[:at], {"role": turn["role"], "content": OTHER}, *turns[at + 1 :]]
            try:
                text = self.target.text(others, tools=seen.example.tools or None)
            except TemplateRefusal:
                continue
            start = common_prefix(seen.text, text)
            stop = len(seen.text) - common_prefix(seen.text[start:][::-1], text[start:][::-1])
            if stop > start:
                yield start, stop

    @cached_property
    def _turn_ends(self) -> set[int]:
        """`eot_tokens` of its configuration: how the template ends a turn, else the tokenizer's own end."""
        tokenizer = self.target.tokenizer
        return {tokenizer.convert_tokens_to_ids(self.target.turn_end or tokenizer.eos_token)}


def _is_trained(turn: TurnFields) -> bool:
    marked = turn.get("train")
    return turn["role"] == "assistant" if marked is None else bool(marked)


def _read_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call whose arguments are an object."""
    function = call.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return dict(call)
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}
