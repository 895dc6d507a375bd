"""What Unsloth makes of a dataset: its own preparation of rows for TRL's SFTTrainer, read off `unsloth_zoo` 2026.10.9.

- `prompt` and `completion`, as they stand: loss on all tokens behind as many as the prompt alone has, whether or not the whole
  begins with these (TRL asks how far it does). What is over `max_length` is cut off at the end, and a row of which no answer is
  left stays, without a token to learn. A text gets the end token at its end; special tokens go around it, unless the
  chat template writes the first one. Unsloth 2026.3 refuses these columns (unsloth#4486).
- Conversations: as its `train_on_responses_only` marks them (`by_turns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.errors import ConfigError
from tasks.models.target import Target, TemplateRefusal
from tasks.models.text_pieces import Tokens
from tasks.publish.trainers.by_turns import ByTurns
from tasks.publish.trainers.example import Example, Part, Shape
from tasks.publish.trainers.seen import Seen, common_prefix, cut_off, joined_parts, loss_from, refused


@dataclass(frozen=True)
class Unsloth:
    """Unsloth with this length, in tokens."""

    target: Target
    max_length: int

    def check(self, shape: Shape) -> None:
        """Raise ConfigError for anything but conversations, and prompts with completions."""
        if shape not in ("messages", "prompt_completion"):
            fix = "what unsloth does with it is not foretold; try --trainer trl"
            raise ConfigError("not the shape that this trainer's rule is known for", shape, fix)

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each example, in order. They are of one shape."""
        if not examples or examples[0].shape == "messages":
            yield from ByTurns(self.target, self.max_length).see(examples)
            return
        drafts = [self._texts(example) for example in examples]
        found = [self._tokens([pair[at] for pair in drafts if not isinstance(pair, str)], examples) for at in (0, 1)]
        made = zip(*found, strict=True)
        for example, draft in zip(examples, drafts, strict=True):
            said = joined_parts(example.parts["prompt"], example.parts["completion"])
            if isinstance(draft, str):
                yield refused(example, "", said, draft)
            else:
                yield cut_off(_seen(example, said, draft[0], *next(made)), self.max_length)

    def _texts(self, example: Example) -> tuple[str, str] | str:
        """The whole, and the prompt before an answer; or why the template refuses one of them."""
        prompt, said = example.parts["prompt"], example.parts["completion"]
        whole = joined_parts(prompt, said)
        if isinstance(prompt, str) or isinstance(whole, str) or isinstance(said, str):
            end = self.target.tokenizer.eos_token or ""
            return f"{whole}{'' if str(said).endswith(end) else end}", str(prompt)
        try:
            text = self.target.text(whole, tools=example.tools, variables=example.variables)
            asked = self.target.text(prompt, tools=example.tools, to_answer=True, variables=example.variables)
        except TemplateRefusal as refusal:
            return str(refusal)
        return text, asked

    def _tokens(self, texts: Sequence[str], examples: Sequence[Example]) -> list[Tokens]:
        first, template = self.target.tokenizer.bos_token, str(self.target.tokenizer.chat_template)
        special = not examples[0].is_talk and not (first is not None and first in template)
        return self.target.tokens(texts, special=special)


def _seen(example: Example, said: Part, text: str, whole: Tokens, asked: Tokens) -> Seen:
    """It before any cut."""
    prompt, length = min(len(asked.ids), len(whole.ids)), len(whole.ids)
    is_prefix = common_prefix(asked.ids, whole.ids) == len(asked.ids)
    return Seen(example, "", said, text, whole, loss_from(prompt, length), length, "whole", "", prompt, is_prefix)
