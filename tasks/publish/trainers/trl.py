"""What the trainers of TRL 1.16 make of a dataset, read off their `_prepare_dataset` and their collators.

- SFTTrainer: `messages` and `text` carry loss on every token, unless `assistant_only_loss` is set and the template marks the
  answers; `prompt` and `completion` only behind the tokens that the prompt alone and the whole have in common. What is over
  `max_length` is cut off at the end, and a row is dropped once no token with loss is left.
- DPOTrainer, KTOTrainer: the answer begins where prompt and whole diverge, for a pair where the first of its sides does. A row is
  dropped where the prompt alone fills `max_length`; else each side is cut off at the end.
- RewardTrainer: the whole of both sides; a pair is dropped where one is longer than `max_length`.
A row whose `chat_template_kwargs` is null ends the training, and so does one of which `assistant_only_loss` finds no token.
A text gets the end token at its end, unless it has it; a conversation ends as the template ends it. Of a row with a column
`text` beside prompt and completion as texts it is `text` that gets the end token (findings/trl_text_column.sh).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tasks.errors import ConfigError
from tasks.models.target import Target, TemplateRefusal
from tasks.models.text_pieces import Tokens
from tasks.publish.trainers.example import VARIABLES, Example, Part, Shape
from tasks.publish.trainers.seen import Seen, Side, common_prefix, cut_off, joined_parts, loss_from, refused

TrlLoss = Literal["default", "assistant"]
PairTrainer = Literal["dpo", "reward"]
SIDES: tuple[Side, ...] = ("chosen", "rejected")
NO_MARK = "assistant_only_loss finds nothing of the assistant in it"


@dataclass(frozen=True)
class Trl:
    """TRL's trainers with these settings. `max_length` in tokens, None for no bound; `pairs`: who trains on preferences."""

    target: Target
    max_length: int | None = 1024
    loss: TrlLoss = "default"
    pairs: PairTrainer = "dpo"

    def check(self, shape: Shape) -> None:  # noqa: ARG002 - TRL has a trainer for each shape
        """Raise ConfigError for settings that the trainer refuses."""
        if self.loss == "assistant" and not self.target.marks_answers:
            fix = "publish prompt_completion, whose completions alone carry loss, or mark the answers in the template"
            raise ConfigError("the chat template does not mark what the assistant says", self.target.name, fix)

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each example, in order; of a pair both sides, the chosen one first."""
        drafts = [self._drafts(example) for example in examples]
        texts = [text for of_one in drafts for draft in of_one for text in draft.texts]
        tokens = iter(
            self._tokens(
                texts,
                [
                    example.is_talk
                    for example, of_one in zip(examples, drafts, strict=True)
                    for draft in of_one
                    for _ in draft.texts
                ],
            )
        )
        for example, of_one in zip(examples, drafts, strict=True):
            refusal = next((draft.refusal for draft in of_one if draft.refusal), "")
            made = [self._seen(example, draft, [next(tokens) for _ in draft.texts]) for draft in of_one]
            if refusal:  # a pair lives or dies as one
                made = [refused(example, draft.side, draft.said, refusal) for draft in of_one]
            yield from self._cut(_from_one_prompt(made))

    def _drafts(self, example: Example) -> list[TextSequence]:
        """The sequences of an example as text."""
        return [
            self._draft(example, side, said, prompt)
            for side, said, prompt in _sequences(example, self.pairs == "reward")
        ]

    def _draft(self, example: Example, side: Side, said: Part, prompt: Part | None) -> TextSequence:
        if example.variables is None:
            return TextSequence(
                side, said, (), f"{VARIABLES} is null, and TRL takes an object only; give it an empty one"
            )
        if self.loss == "assistant" and isinstance(said, str):
            return TextSequence(side, said, (), "assistant_only_loss asks for turns, and this is a text")
        try:
            whole = self._text(example, said, to_answer=False)
            before = [] if prompt is None else [self._text(example, prompt, to_answer=True)]
        except TemplateRefusal as refusal:
            return TextSequence(side, said, (), str(refusal))
        return TextSequence(side, said, (whole, *before))

    def _text(self, example: Example, said: Part, *, to_answer: bool) -> str:
        if not isinstance(said, str):
            return self.target.text(said, tools=example.tools, to_answer=to_answer, variables=example.variables)
        end = self.target.tokenizer.eos_token or ""
        goes_elsewhere = example.beside is not None and not example.beside.endswith(end)
        return said if to_answer or goes_elsewhere or said.endswith(end) else said + end

    def _tokens(self, texts: Sequence[str], are_talks: Sequence[bool]) -> list[Tokens]:
        """A template writes its own special tokens; a text gets those of the tokenizer."""
        found: dict[bool, Iterator[Tokens]] = {
            is_talk: iter(
                self.target.tokens(
                    (text for text, of_talk in zip(texts, are_talks, strict=True) if of_talk is is_talk),
                    special=not is_talk,
                )
            )
            for is_talk in (True, False)
        }
        return [next(found[is_talk]) for is_talk in are_talks]

    def _seen(self, example: Example, draft: TextSequence, tokens: Sequence[Tokens]) -> Seen:
        """A sequence before any cut: which of its tokens carry loss."""
        if draft.refusal:
            return refused(example, draft.side, draft.said, draft.refusal)
        whole, *before = tokens
        prompt = common_prefix(before[0].ids, whole.ids) if before else None
        loss = loss_from(prompt or 0, len(whole.ids))
        if self.loss == "assistant" and not isinstance(draft.said, str):
            marked = self.target.generated(draft.said, example.tools, example.variables)
            if not any(marked):
                return refused(example, draft.side, draft.said, NO_MARK)
            loss = [a and b for a, b in zip(loss, marked, strict=True)]
        is_prefix = not before or prompt == len(before[0].ids)
        return Seen(
            example,
            draft.side,
            draft.said,
            draft.texts[0],
            whole,
            loss,
            len(whole.ids),
            "whole",
            "",
            prompt,
            is_prefix,
        )

    def _cut(self, made: list[Seen]) -> list[Seen]:
        """What is left of an example at `max_length`."""
        length = self.max_length
        if length is None or any(seen.fate == "refused" for seen in made):
            return made
        longest = max(seen.stop for seen in made)
        if made[0].example.shape == "preference" and self.pairs == "reward":
            why = f"{longest} tokens on one side, and max_length is {length}"
            return [replace(seen, fate="dropped", why=why) for seen in made] if longest > length else made
        if made[0].example.shape in ("preference", "unpaired"):
            prompt = made[0].prompt or 0
            if prompt >= length:
                why = f"the prompt alone has {prompt} tokens, and max_length is {length}"
                return [replace(seen, fate="dropped", why=why) for seen in made]
            return [cut_off(seen, length) for seen in made]
        return [
            cut_off(seen, length)
            if any(seen.loss[:length])
            else replace(seen, fate="dropped", why=f"no token with loss among the first {length}")
            for seen in made
        ]


@dataclass(frozen=True, slots=True)
class TextSequence:
    """A sequence as text: the whole, and the prompt alone where there is one; or why the template refuses it."""

    side: Side
    said: Part
    texts: tuple[str, ...]
    refusal: str = ""


def _sequences(example: Example, whole_sides: bool) -> list[tuple[Side, Part, Part | None]]:
    """The sequences that an example becomes: the side, all that is said, and the prompt where it is taken apart."""
    if example.shape in ("messages", "text"):
        return [("", example.parts[example.shape], None)]
    if example.shape in ("prompt_completion", "unpaired"):
        prompt = example.parts["prompt"]
        return [("", joined_parts(prompt, example.parts["completion"]), prompt)]
    if whole_sides:
        before = example.parts.get("prompt")
        return [
            (side, example.parts[side] if before is None else joined_parts(before, example.parts[side]), None)
            for side in SIDES
        ]
    prompt, chosen, rejected = _prompt_and_sides(example)
    return [("chosen", joined_parts(prompt, chosen), prompt), ("rejected", joined_parts(prompt, rejected), prompt)]


def _prompt_and_sides(example: Example) -> tuple[Part, Part, Part]:
    """The prompt of a pair, which may stand in both of its sides, and what is left of them.

    TRL ends the prompt one item early where one side is the beginning of the other, and leaves a space before the
    difference to the answers.
    """
    chosen, rejected = example.parts["chosen"], example.parts["rejected"]
    if "prompt" in example.parts:
        return example.parts["prompt"], chosen, rejected
    shared = common_prefix(chosen, rejected)
    if shared == min(len(chosen), len(rejected)) or chosen[shared - 1] == " ":
        shared -= 1
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _from_one_prompt(made: list[Seen]) -> list[Seen]:
    """Both sides of a pair have the shorter of their prompts."""
    if len(made) == 1 or any(seen.prompt is None for seen in made):
        return made
    prompt = min(seen.prompt for seen in made if seen.prompt is not None)
    is_prefix = all(seen.prompt_is_prefix for seen in made)
    return [
        replace(seen, prompt=prompt, prompt_is_prefix=is_prefix, loss=loss_from(prompt, len(seen.loss)))
        for seen in made
    ]
