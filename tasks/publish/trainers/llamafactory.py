"""What LLaMA-Factory 0.9.5 makes of conversations, as our export writes them and with the configuration beside it.

- Its converter `sharegpt` skips what does not go user, assistant, user, assistant behind one system turn, with a line in the log.
  What several tools said to one turn is one turn of the user's side, and a call is an answer.
- Without `template` it takes the chat template apart: what stands around a content of the user's, of the assistant's and of the system's
  is written around each of them. Each piece becomes tokens by itself. An answer carries loss with all that the template writes
  behind it. Where the template opens a block of reasoning for an answer, one without reasoning gets an empty block, with loss.
- What is over `cutoff_len` is shortened pair by pair, question and answer in proportion; later pairs are left out once it is full.

Tools are described in words of its own, which stand here as their JSON: of such rows the loss is foretold, and not how long the
prompt is. (src/llamafactory/data: converter.py, template.py, processor/supervised.py)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import Any

from tasks.errors import ConfigError
from tasks.models.target import Target, TemplateRefusal
from tasks.models.text_pieces import Tokens
from tasks.publish.trainers.example import Example, Shape, TurnFields, turns_in_example
from tasks.publish.trainers.seen import RowFate, Seen, refused

HOLE = "{{content}}"
THINKS, THOUGHT = ("<think>", "</think>"), "<think>\n\n</think>\n\n"
USER_SIDE = ("user", "tool")


@dataclass(frozen=True, slots=True)
class Around:
    """What is written around contents, each with a HOLE; `system_given`: where a row has none; `thinks`: see above."""

    before: str
    system: str
    asked: str
    answer: str
    system_given: str
    thinks: bool


@dataclass(frozen=True)
class LlamaFactory:
    """LLaMA-Factory with this `cutoff_len`, in tokens."""

    target: Target
    max_length: int

    def check(self, shape: Shape) -> None:
        """Raise ConfigError for anything but conversations, and where the template cannot be taken apart."""
        if shape != "messages":
            fix = "what llamafactory does with it is not foretold; try --trainer trl"
            raise ConfigError("not the shape that this trainer's rule is known for", shape, fix)
        _ = self.around

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each conversation."""
        drafts = [self._draft(example) for example in examples]
        made = (draft for draft in drafts if not isinstance(draft, str))
        tokens = iter(self.target.tokens(chain.from_iterable(chain.from_iterable(made))))
        for example, draft in zip(examples, drafts, strict=True):
            turns = turns_in_example(example)
            if isinstance(draft, str):
                yield refused(example, "", turns, draft)
                continue
            sides = [Tokens.joined([(next(tokens), len(piece)) for piece in pieces]) for pieces in draft]
            yield self._seen(example, ["".join(pieces) for pieces in draft], sides)

    @cached_property
    def around(self) -> Around:
        """The chat template taken apart. Raises ConfigError where it refuses that."""
        asked, said, system = ({"role": role, "content": HOLE} for role in ("user", "assistant", "system"))
        tokenizer = self.target.tokenizer
        before = str(tokenizer.decode(tokenizer.encode("")))
        try:
            texts = (
                self.target.text([system]),
                self.target.text([system | {"content": ""}, asked], to_answer=True),
                self.target.text([asked], to_answer=True),
                self.target.text([asked, said]),
            )
        except TemplateRefusal as refusal:
            fix = "give it its own `template` of the model; what it makes with that is not foretold"
            raise ConfigError("LLaMA-Factory cannot take the chat template apart", str(refusal), fix) from refusal
        alone, under_none, user, whole = (text[len(before) :] for text in texts)
        answer = whole[len(user) :]
        given = _left_over(under_none, user) if len(user) > len(under_none) else ""
        if len(user) > len(under_none):
            user = user[len(alone.replace(HOLE, given, 1)) :]
        thinks = THINKS[0] in answer
        for mark in THINKS:
            answer = answer.replace(mark, "")
        return Around(before, alone, user, answer.lstrip("\n"), given, thinks)

    def _draft(self, example: Example) -> list[list[str]] | str:
        """The pieces of each question and each answer, in turn; or why it ends the training. Of what is skipped none."""
        system, sides = _sides(turns_in_example(example))
        if _skipped(sides):
            return []
        if any(not isinstance(content, str) for content in (system, *(content for _, content in sides))):
            return "a content is no text"
        around, made = self.around, list[list[str]]()
        system = system or around.system_given
        for role, content in sides:
            if role in USER_SIDE:
                first = [around.before] if not made and around.before else []
                if not made and (system or example.tools is not None):
                    described = json.dumps(example.tools, ensure_ascii=False) if example.tools else ""
                    first.append(around.system.replace(HOLE, system + described, 1))
                made.append([*first, around.asked.replace(HOLE, content, 1)])
            else:
                thought = [THOUGHT] if around.thinks and not any(mark in content for mark in THINKS) else []
                made.append([*thought, around.answer.replace(HOLE, content, 1)])
        return made

    def _seen(self, example: Example, texts: Sequence[str], sides: Sequence[Tokens]) -> Seen:
        """A conversation at `cutoff_len`, from its questions and answers as texts and tokens, in turn."""
        turns = turns_in_example(example)
        if not sides:
            return Seen(example, "", turns, "", Tokens.whole([], []), (), 0, "dropped", _skipped(_sides(turns)[1]))
        loss, kept, gone = list[bool](), 0, list[range]()
        for asked, said in zip(sides[::2], sides[1::2], strict=True):
            lengths = len(asked.ids), len(said.ids)
            left = _shortened(*lengths, self.max_length - kept) if kept < self.max_length else (0, 0)
            kept += sum(left)
            for length, of_it, counts in zip(lengths, left, (False, True), strict=True):
                gone += [range(len(loss) + of_it, len(loss) + length)] if of_it < length else []
                loss += [counts] * length
        whole = Tokens.joined(list(zip(sides, map(len, texts), strict=True)))
        fate: RowFate = "cut" if gone else "whole"
        return Seen(example, "", turns, "".join(texts), whole, loss, len(loss), fate, gone=tuple(gone))


def _sides(turns: Sequence[TurnFields]) -> tuple[Any, list[tuple[str, Any]]]:
    """The words of the system, and who says what: a call as text, and what several tools said as one."""
    system, rest = (turns[0].get("content"), turns[1:]) if turns[0]["role"] == "system" else ("", turns)
    sides = list[tuple[str, Any]]()
    for role, some in groupby(rest, lambda turn: turn["role"]):
        group = list(some)
        if role == "tool" and len(group) > 1:
            sides.append((role, json.dumps([turn.get("content") for turn in group], ensure_ascii=False)))
        else:
            sides += [(role, _said(turn)) for turn in group]
    return system or "", sides


def _said(turn: TurnFields) -> Any:
    calls = [call["function"] for call in turn.get("tool_calls") or ()]
    if not calls:
        return turn.get("content")
    return "\n".join(f"Action: {call['name']}\nAction Input: {_arguments(call)}" for call in calls)


def _arguments(call: Mapping[str, Any]) -> str:
    given = call["arguments"]
    return json.dumps(json.loads(given) if isinstance(given, str) else given, ensure_ascii=False)


def _skipped(sides: Sequence[tuple[str, Any]]) -> str:
    """Why a conversation is skipped; empty where it is not."""
    roles = [role for role, _ in sides]
    if "system" in roles:
        return "a system turn in the middle"
    if roles[:1] == ["assistant"]:
        return "it begins with the assistant"
    for at, role in enumerate(roles):
        if (role in USER_SIDE) != (at % 2 == 0):
            return "two turns of one side in a row"
        if role not in (*USER_SIDE, "assistant"):
            return f"a turn of {role}"
    return "it ends with the user" if len(roles) % 2 else ""


def _left_over(short: str, long: str) -> str:
    """The characters of the longer text that are not those of the shorter one in their order."""
    at, left = 0, ""
    for character in long:
        if at == len(short):
            break
        if character == short[at]:
            at += 1
        else:
            left += character
    return left


def _shortened(asked: int, said: int, room: int) -> tuple[int, int]:
    """How many tokens are left of a question and its answer in so much room."""
    if said * 2 < room:
        most = room
    elif asked * 2 < room:
        most = room - asked
    else:
        most = int(room * (said / (asked + said)))
    left = min(most, said)
    return min(max(room - left, 0), asked), left
