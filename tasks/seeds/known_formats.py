"""The formats that seeds are known to come in: which columns of a file are read, and what a row is made of them.

    Alpaca           instruction, input, output, history, system     Dolly        instruction, context, response
    ShareGPT, TRL    messages or conversations, tools                plain QA     question, answer
    TRL preference   prompt, chosen, rejected                        OpenOrca     system_prompt, question, response
    TRL completion   prompt, completion                              HH-RLHF      chosen, rejected as marked texts

A column of a known format is used, or its file is refused. A row has what is to be asked in `instruction` (the user's
last turn) and, where it is a conversation, `messages`; an answer that came with it is `response`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.columns import LANGUAGE, MADE_FROM
from tasks.errors import ConfigError, Filtered
from tasks.seeds.turns import Turn, last_question, marked_turns, seed_turns, split_answer
from tasks.storage.digest import canonical

COLUMNS = {  # our columns, and what files call them, the likeliest first
    "instruction": ("instruction", "prompt", "question", "query", "text"),
    "messages": ("messages", "conversations", "conversation"),
    "system": ("system", "system_prompt", "system_message"),
    "context": ("context",),
    "topic": ("topic",),
    "responses": ("responses",),
}
BESIDE_A_QUESTION = {  # read where there is something to ask
    "input": ("input",),
    "history": ("history",),
    "tools": ("tools",),
    "response": ("response", "output", "completion", "answer"),
}
REFERENCES = ("reference", "ground_truth", "final_answer", "answer", "solution", "output", "response", "completion")
KNOWN_ANSWERS = ("ground_truth", "reference")
UNIT_TESTS = ("tests", "test_list", "test_cases", "unit_tests", "test", *KNOWN_ANSWERS)
"""AceCoder, MBPP, OpenCodeInstruct, HumanEval and KodCode call them so."""
REFERENCE_NAMES = {"known": KNOWN_ANSWERS, "answers": REFERENCES, "tests": UNIT_TESTS}
PAIR = ("chosen", "rejected")  # of a preference set: given responses
JOIN = "+"  # responses=a+b: a list of what is in the columns a and b
OF_CONSTRAINTS = ("constraints", "plain_instruction")  # of a dataset of ours
ASKING = ("instruction", "messages")
TREE = {"message_id", "parent_id", "role", "text"}  # OpenAssistant/oasst1: a turn a row


References = Literal["", "known", "answers", "tests"]


@dataclass(frozen=True)
class Reading:
    """What a run takes of its seeds.

    `answers`: those given are kept, else they are left out. `joined`: the user's turn is made of instruction, input and
    context, and follows the history; else a template makes it, of the columns as they are. `pools`: several responses
    to one question are of use. `bad`: whether a record that cannot be read ends the run or is a reject. `constraints`:
    those of a dataset of ours are read. `references`:
    whether the column `reference` is looked for, what answers are checked by: under names that can mean nothing else
    (`known`), in place of answers to train on (`answers`), or under those of unit tests (`tests`).
    """

    answers: bool = True
    joined: bool = True
    pools: bool = True
    bad: Literal["refuse", "reject"] = "refuse"
    constraints: bool = False
    references: References = ""

    @property
    def told(self) -> dict[str, Any]:
        """What was said, as plain JSON. What came later is left out where it is as it was before."""
        later = ("constraints", "references")
        return {name: value for name, value in self.__dict__.items() if name not in later or value}

    @property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Our columns that may be read, and their names in files."""
        beside = {
            ours: names
            for ours, names in BESIDE_A_QUESTION.items()
            if (self.answers or ours != "response") and (self.joined or ours not in ("input", "history"))
        }
        constrained = {name: (name,) for name in OF_CONSTRAINTS if self.constraints}
        checked: dict[str, tuple[str, ...]] = {}
        if self.references:
            names = REFERENCE_NAMES[self.references]
            checked = {"instruction": (*COLUMNS["instruction"], "problem"), "reference": names}
        return {**COLUMNS, **beside, **constrained, **checked}


def recognised(names: Sequence[str], samples: Callable[[str], Sequence[Any]], reading: Reading) -> dict[str, str]:
    """Our columns that are there under a name we know, and that name. `samples`: the first values of a column.

    Raises ConfigError for a format that no row can be made of.
    """
    present = set(names)
    if present >= TREE:
        fix = "give one conversation a row, as `messages`"
        raise ConfigError("a tree of messages, a turn a row", ", ".join(sorted(TREE)), fix)
    found = {ours: next((n for n in known if n in present), None) for ours, known in reading.wanted.items()}
    if found["responses"] is None and present.issuperset(PAIR):
        found["responses"] = JOIN.join(PAIR)
    if not (found["instruction"] or found["messages"]):
        if found.get("input") and present.intersection(BESIDE_A_QUESTION["response"]):
            found["instruction"] = found["input"]
        found = {ours: None if ours in BESIDE_A_QUESTION and ours != "response" else n for ours, n in found.items()}
        if not found["instruction"]:
            found["response"] = None
    if found["messages"]:
        found["response"] = None  # a conversation holds its own answer
    for ours in ("response", "tools"):
        theirs = found.get(ours)
        if theirs and not all(isinstance(value, str | list | None) for value in samples(theirs)):
            found[ours] = None  # a number that marks a choice, say: no text to keep
    if found.get("constraints") and not all(map(_are_constraints, samples("constraints"))):
        found |= dict.fromkeys(OF_CONSTRAINTS)  # a column of the user's own
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def _are_constraints(value: Any) -> bool:
    listed = isinstance(value, list) and all(
        isinstance(one, dict) and {"kind", "parameters"} <= one.keys() for one in value
    )
    return value is None or listed


def unused(names: Iterable[str], read: Container[str], columns: Mapping[str, str], reading: Reading) -> list[str]:
    """The columns of a file that no answer depends on: those not read, and those that the run has no use for.

    What a dataset of ours tells about its rows is no news to its maker.
    """
    names = list(names)
    told = {"row_id", LANGUAGE, *MADE_FROM} if "row_id" in names else set()
    left = [name for name in names if name not in read and name not in told]
    if reading.joined and "topic" in columns:
        left.append(columns["topic"])
    if reading.pools and "tools" in columns and "messages" not in columns:
        left.append(columns["tools"])  # which only a conversation can call
    if not reading.pools and "responses" in columns:
        chosen, _, others = columns["responses"].partition(JOIN)
        left += [name for name in (chosen, *others.split(JOIN)) if name and not (reading.answers and name == PAIR[0])]
    return left


def tests_text(value: Any) -> str | None:
    """Unit tests as text: a list of programs as JSON, one program as it stands."""
    if isinstance(value, list) and not any(isinstance(one, str) and one.strip() for one in value):
        return None
    return canonical(value).decode() if isinstance(value, list | dict) else reference_text(value)


def reference_text(value: Any) -> str | None:
    """An answer that others are checked by, as text: files have it as text, as a number, or as a list of one."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(reference_text, value))) or None
    said = "" if value is None else str(value).strip()
    return said or None


def blank_is_nothing(ours: str, theirs: str) -> bool:
    """Whether a recognised column that is blank counts as one that is not there, also in the row's id."""
    return ours in BESIDE_A_QUESTION or (ours == "system" and theirs != "system")


def is_composed(columns: Mapping[str, str]) -> bool:
    """Whether a row is made of more than its columns as they stand."""
    if {"instruction", "context"} <= columns.keys() or columns.get("instruction") == "text":
        return True
    return bool(columns.keys() & {"messages", "input", "history", "tools", "responses"})


def settled(seed: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """A record's values under our names, each where it belongs: what its id is made of.

    A prompt that is a list is a conversation; so is a text with marks. A preference pair without a prompt begins alike
    on both sides. Raises Filtered for one that we do not take.
    """
    values = {ours: value for ours, value in seed.items() if value is not None}
    if type(prompt := values.get("instruction")) is list:
        values["messages"] = values.pop("instruction")
    elif type(prompt) is str and columns.get("instruction") == "text" and (turns := marked_turns(prompt)):
        values["messages"] = values.pop("instruction") and turns
    if type(completion := values.get("response")) is list:
        *before, last = completion
        if last["role"] != "assistant" or not last["content"]:
            raise Filtered("unsupported_content", "a completion that does not end with the assistant's text")
        if before:
            values["messages"] = [*(values.get("messages") or [_said(values.pop("instruction"))]), *before]
        values["response"] = last["content"]
    if type(values.get("responses")) is dict:
        _settle_pair(values)
    return values


def _settle_pair(values: dict[str, Any]) -> None:
    """Replace a pair of conversations by what both begin with, and the answer that ends each."""
    sides: list[list[Turn]] = values["responses"]["sides"]
    shared = 0
    while shared < min(map(len, sides)) - 1 and all(turns[shared] == sides[0][shared] for turns in sides):
        shared += 1
    if any(len(turns) != shared + 1 or turns[-1]["role"] != "assistant" for turns in sides):
        raise Filtered("unsupported_content", "chosen and rejected differ in more than the last answer")
    if (shared and not values.get("messages")) or (shared and len(values["messages"]) < shared):
        values["messages"] = sides[0][:shared]
    values["responses"] = [{"text": turns[-1]["content"], "model": None, "principle": None} for turns in sides]


def _said(text: str) -> Turn:
    return {"role": "user", "content": text}


def row_of(values: Mapping[str, Any], reading: Reading, *, pair: bool = False) -> dict[str, Any]:
    """The row that a settled record becomes. `pair`: its responses are a chosen and a rejected one."""
    row = dict(values)
    question = row.get("instruction")
    if reading.joined:
        question = "\n\n".join(_parts(row)) if _holds(row.get("instruction")) or _holds(row.get("input")) else question
        row.pop("input", None)
        if (history := row.pop("history", None)) and not row.get("messages"):
            row["messages"] = [*history, _said(question or "")]
    if turns := row.get("messages"):
        row["messages"], answer = split_answer(turns)
        if answer is not None and not _holds(row.get("response")):
            row["response"] = answer["content"]
            if reading.answers and answer.get("train") is False:
                raise Filtered("not_to_train_on", "the answer is marked as not to be trained on", raw=answer["content"])
        if not _holds(question):
            question = last_question(turns)
    if question is not None:
        row["instruction"] = question
    if pair and not _holds(row.get("response")):
        row["response"] = row["responses"][0]["text"]
    if not reading.answers:
        row.pop("response", None)
    return row


def _parts(row: Mapping[str, Any]) -> list[str]:
    """What the user's turn is made of. One part alone is left as it is."""
    parts = [row[ours] for ours in ("instruction", "input", "context") if _holds(row.get(ours))]
    return parts if len(parts) == 1 else [part.strip() for part in parts]


def _holds(value: Any) -> bool:
    return type(value) is str and value.strip() != ""


def history_of(value: Any) -> list[Turn] | None:
    """Alpaca's earlier turns, pairs of what was asked and answered. Raises TypeError with what was found."""
    if type(value) is list and all(type(pair) is list and len(pair) == 2 for pair in value):
        asked = [
            {"role": role, "content": text}
            for pair in value
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        return seed_turns(asked)
    return seed_turns(value)
