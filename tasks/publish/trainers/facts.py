"""What will be trained of a row: figures of each of its sequences, and the names of what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tasks.models.target import Target, TemplateRefusal
from tasks.publish.trainers.example import Part
from tasks.publish.trainers.seen import Seen
from tasks.publish.trainers.turns_shown import TurnShown, around, content_of, is_only_words, turns_shown

SIGNATURES = 4096  # sequences of roles whose frames are remembered
SENTINEL = "CONTENT{}f0b7d5ae1"


@dataclass(frozen=True, slots=True)
class RowFacts:
    """A row of the table `fit`: its id, what becomes of it, its faults, a record of each sequence, and its place, from 1."""

    row_id: str
    fate: str
    why: str
    faults: tuple[str, ...]
    sequences: tuple[dict[str, Any], ...]
    place: int = 0

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> RowFacts:
        """A line of the table again."""
        return cls(
            line["row_id"], line["fate"], line["why"], tuple(line["faults"]), tuple(line["sequences"]), line["place"]
        )

    @property
    def tokens(self) -> int:
        """The tokens of the row's longest sequence, before any cut."""
        return max((sequence["tokens"] for sequence in self.sequences), default=0)


def unreadable(row_id: str, why: str) -> RowFacts:
    """The facts of a record that is no example for a trainer."""
    return RowFacts(row_id, "refused", why, ("unreadable",), ())


class Facts:
    """Facts of rows for one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._first = target.tokenizer.bos_token_id  # which the library looks for anew each time
        self._frame = lru_cache(SIGNATURES)(self._framed)

    def of_row(self, seen: Sequence[Seen]) -> RowFacts:
        """The facts of a row from its sequences."""
        one = next((side for side in seen if side.fate != "whole"), seen[0])
        faults = list[str]()
        records = []
        for side in seen:
            shown = self._shown(side)
            faults += self._faults(side, shown)
            records.append(_record(side, shown))
        faults += _faults_of_pair(seen)
        return RowFacts(one.example.row_id, one.fate, one.why, tuple(dict.fromkeys(faults)), tuple(records))

    def _shown(self, seen: Seen) -> list[TurnShown]:
        if seen.fate == "refused" or not seen.turns:
            return []
        turns = seen.turns
        plain = not seen.example.tools and not seen.example.variables and all(is_only_words(turn) for turn in turns)
        frame = self._frame(tuple(turn["role"] for turn in turns)) if plain else None
        return turns_shown(seen.text, turns, frame)

    def _framed(self, roles: tuple[str, ...]) -> list[str] | None:
        """What the template writes around the contents of plain turns of these roles."""
        sentinels = [SENTINEL.format(at) for at in range(len(roles))]
        turns = [{"role": role, "content": text} for role, text in zip(roles, sentinels, strict=True)]
        try:
            return around(self._target.text(turns), sentinels)
        except TemplateRefusal:
            return None

    def _faults(self, seen: Seen, shown: Sequence[TurnShown]) -> list[str]:
        """The faults of one sequence by itself."""
        if seen.fate == "refused":
            return ["refused"]
        checks = {
            "dropped": seen.fate == "dropped",
            "answer_cut": seen.fate == "cut" and sum(seen.loss) > sum(seen.kept(seen.loss)),
            "nothing_trained": seen.fate in ("whole", "cut") and not any(seen.kept(seen.loss)),
            "system_gone": any(turn.how == "gone" for turn in shown if turn.role in ("system", "developer")),
            "turn_gone": any(turn.how == "gone" for turn in shown if turn.role not in ("system", "developer")),
            "answer_changed": any(turn.how == "changed" for turn in shown if turn.role == "assistant"),
            "spaces_stripped": any(turn.how == "stripped" for turn in shown),
            "reordered": any(one.start > other.start for one, other in pairwise(shown)),
            "reasoning_gone": any(turn.reasoning == "dropped" for turn in shown),
            "control_tokens": self._holds_control(seen.said),
            "first_token_twice": seen.tokens.ids[:2] == [self._first] * 2,
            "prompt_is_no_prefix": not seen.prompt_is_prefix,
            "prompts_trained": _is_trained(seen, shown, "user"),
        }
        found = [name for name, is_so in checks.items() if is_so]
        return found + ([] if seen.fate == "dropped" else self._faults_of_end(seen, shown))

    def _faults_of_end(self, seen: Seen, shown: Sequence[TurnShown]) -> list[str]:
        """Whether the model learns to end its turn."""
        if shown and shown[-1].role != "assistant":
            return ["last_turn_is_no_answer"]
        after = _tokens_from(seen, shown[-1].stop) if shown else range(len(seen.tokens.ids))[-1:]
        ends = [at for at in after if seen.tokens.ids[at] in self._target.ends]
        if not ends and seen.example.beside is not None and not seen.example.is_talk:
            return ["end_beside"]
        if not ends:
            special = set(self._target.tokenizer.all_special_ids)
            return ["end_is_no_stop" if any(seen.tokens.ids[at] in special for at in after) else "no_end"]
        if not seen.kept(seen.loss, range(ends[0], ends[0] + 1)):
            return []  # it was cut off, which is told
        return [] if seen.loss[ends[0]] else ["end_not_trained"]

    def _holds_control(self, said: Part) -> bool:
        texts = [said] if isinstance(said, str) else [content_of(turn) for turn in said]
        begun = [text for text in texts if any(begin in text for begin in self._target.control_begins)]
        return any(token in text for token in self._target.control_tokens for text in begun)


def _tokens_from(seen: Seen, character: int) -> range:
    """The places of tokens that begin there or later."""
    return range(seen.tokens.from_character(character), len(seen.tokens.ids))


def _tokens_of(seen: Seen, turn: TurnShown) -> range:
    """The places of tokens that begin within what is shown of a turn."""
    return range(_tokens_from(seen, turn.start).start, _tokens_from(seen, turn.stop).start)


def _is_trained(seen: Seen, shown: Sequence[TurnShown], role: str) -> bool:
    """Whether the words of a role carry loss, as far as they are left."""
    if seen.fate not in ("whole", "cut"):
        return False
    places = (_tokens_of(seen, turn) for turn in shown if turn.role == role)
    return any(any(seen.kept(seen.loss, of)) for of in places)


def _record(seen: Seen, shown: Sequence[TurnShown]) -> dict[str, Any]:
    """The figures of one sequence: tokens in all, with loss, and of both what is left; by turn."""
    kept = seen.fate in ("whole", "cut")
    loss = seen.kept(seen.loss) if kept else ()
    return {
        "side": seen.side,
        "tokens": len(seen.tokens.ids),
        "loss_tokens": sum(seen.loss),
        "kept_tokens": len(loss),
        "kept_loss_tokens": sum(loss),
        "turns": [
            {
                "role": turn.role,
                "tokens": len(_tokens_of(seen, turn)),
                "shown": turn.how,
                "reasoning": turn.reasoning,
            }
            for turn in shown
        ],
    }


def _faults_of_pair(seen: Sequence[Seen]) -> list[str]:
    """What is wrong with two sides together."""
    if len(seen) < 2 or any(side.fate not in ("whole", "cut") for side in seen):
        return []
    return ["sides_alike"] if seen[0].labels == seen[1].labels and seen[0].ids == seen[1].ids else []
