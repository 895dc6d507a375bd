"""Rows that are no good by their own text go: one check after another, each with its limit and a reason of its own.

    stillroom sft --seeds seeds.jsonl --set curate.filters.unfinished=null

The checks are functions of one answer (`tasks/text/filters`). Every answer of a conversation that is trained on has to pass,
and so does the chosen side of a pair. The rejected side may be a worse answer in any way; only what no assistant would say
(control tokens, unreadable signs, loops) is not to stand there either, since a pair told apart by noise teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered
from tasks.models.token_count import tokenizer_of
from tasks.own_code import absolute, digest_of_file, is_own, load
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal, answers_of
from tasks.text.filters.copying import Copying, copies
from tasks.text.filters.languages import Languages, wrong_language
from tasks.text.filters.leaking import Leaking, leaks_prompt, prompts_digest
from tasks.text.filters.length import Length, wrong_length, wrong_question_length
from tasks.text.filters.markup import Markup, leaks_markup
from tasks.text.filters.patterns import Patterns, breaks_patterns
from tasks.text.filters.refusals import AnswerRefusals, refuses
from tasks.text.filters.repetition import Repetition, repeats
from tasks.text.filters.scripts import Scripts, foreign_script
from tasks.text.filters.unfinished import Unfinished, unfinished
from tasks.text.language_id import check_identifier

REASON = re.compile(r"[a-z][a-z0-9_]*")


def _own(spec: str, info: ValidationInfo) -> str:
    """The name with the file's whole path; it may lie beside the config."""
    if not is_own(spec):
        raise ValueError("name a function of yours as FILE.py:NAME")
    return absolute(spec, (info.context or {}).get("folder"))


class Filters(Params):
    """Which rows go by their own text. `null` switches a check off."""

    length: Length | None = Field(None, description="bounds of each answer")
    instruction_length: Length | None = Field(None, description="bounds of the user's turn before each answer")
    refusals: AnswerRefusals | None = Field(AnswerRefusals(), description="answers that refuse, or that speak as an AI")
    unfinished: Unfinished | None = Field(Unfinished(), description="answers that break off")
    repetition: Repetition | None = Field(Repetition(), description="answers that go round in circles")
    copying: Copying | None = Field(Copying(), description="answers that are the instruction again")
    leaking: Leaking | None = Field(Leaking(), description="answers that repeat one of our prompts")
    markup: Markup | None = Field(Markup(), description="control tokens, labels of turns, unreadable signs")
    scripts: Scripts | None = Field(Scripts(), description="answers with words of a foreign script")
    languages: Languages | None = Field(None, description="languages that answers have to be in")
    patterns: Patterns | None = Field(None, description="regular expressions that answers have to hold, or may not")
    own: Annotated[str, AfterValidator(_own)] | None = Field(
        None, description="your own function, FILE.py:NAME, from a row to None or the reason why it goes"
    )

    @property
    def files_digest(self) -> str:
        """Of the user's function, and of our prompts where an answer is compared with them."""
        own = digest_of_file(self.own) if self.own else ""
        prompts = prompts_digest() if self.leaking else ""
        return f"{own}{prompts}"


RowCheck = Callable[[CheckedAnswer, Any], Refusal | None]
CHECKS: Mapping[str, RowCheck] = {
    "length": wrong_length,
    "instruction_length": wrong_question_length,
    "markup": leaks_markup,
    "repetition": repeats,
    "refusals": refuses,
    "unfinished": unfinished,
    "copying": copies,
    "leaking": leaks_prompt,
    "scripts": foreign_script,
    "languages": wrong_language,
    "patterns": breaks_patterns,
}
"""By the name of their settings, in the order in which they are asked: the first to refuse gives the reason."""
OF_REJECTED = ("markup", "repetition")
"""What is not to stand in the rejected answer of a pair either."""


@row_filter(reads="Rows")
async def filters(row: Row, models: Models, params: Filters) -> None:  # noqa: ARG001 - every technique has models
    """Keep a row whose answers pass every check. Asks no model. Raises Filtered with the first that one does not pass."""
    refuse_bad(row, params)


def check_needs(params: Filters) -> None:
    """Raise ConfigError where a check lacks what it needs: the user's function, a tokenizer, an identifier of languages."""
    for length in (params.length, params.instruction_length):
        if length and length.tokenizer:
            tokenizer_of(length.tokenizer)
    if params.languages:
        check_identifier()
    if params.own:
        load(params.own, "a filter")


def refuse_bad(row: Mapping[str, Any], params: Filters) -> None:
    """Raise Filtered with the reason, the figure and its limit, where an answer of the row does not pass a check."""
    answers = answers_of(row)
    for name, check in CHECKS.items():
        settings: CheckSettings | None = getattr(params, name)
        if settings is None:
            continue
        for at, answer in enumerate(answers):
            if answer.rejected and name not in OF_REJECTED:
                continue
            if refusal := check(answer, settings):
                reason, figure = refusal
                raise Filtered(reason, f"{_where(at, answers)}{figure}", raw=answer.text)
    if params.own and (said := own_verdict(params.own, row)):
        raise Filtered(*said)


def _where(at: int, answers: list[CheckedAnswer]) -> str:
    """Which answer, where a row has more than one."""
    if answers[at].rejected:
        return "rejected: "
    return "" if len(answers) == 1 or answers[-1].rejected else f"answer {at + 1} of {len(answers)}: "


def own_verdict(spec: str, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The reason and the detail that a user's function gives: "too_easy", or "too_easy: 2 steps". None keeps the row.

    Raises ConfigError where it says anything else.
    """
    said = load(spec, "a filter")(dict(row))
    if said is None:
        return None
    reason, _, detail = str(said).partition(":")
    if not isinstance(said, str) or not REASON.fullmatch(reason):
        fix = 'return None, "snake_case_reason", or "snake_case_reason: detail"'
        raise ConfigError(f"a filter's verdict is no reason, {Path(spec).name}", repr(said), fix)
    return reason, detail.strip()
