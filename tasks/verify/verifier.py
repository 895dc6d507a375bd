"""What a verifier is: a plain function of a row and an answer to it, which says whether the answer is right.

    def verify_parity(row: Mapping[str, Any], answer: str) -> Verification:
        return Verification(answer.strip().endswith(row["ground_truth"]), answer[-20:])

A verifier asks no model, draws nothing, and says the same of the same texts always. It may take its time (a parser of
formulas in a process of its own): techniques call it in a thread. One of the user's own is named as `FILE.py:NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Annotated, Any, NamedTuple, Protocol, cast

from pydantic import AfterValidator, ValidationInfo

from tasks.errors import ConfigError, did_you_mean
from tasks.own_code import absolute, digest_of_file, is_own, load


class Verification(NamedTuple):
    """Whether an answer passes, and the figure that says so: "87 words, at least 100".

    `reason`: a stable word for why one does not pass, as rejects have it, such as `constraint_failed:words_at_least`.
    """

    passed: bool
    figure: str
    reason: str = ""


class Verifier(Protocol):
    """A function that verifies answers. Raises Filtered for a row that holds nothing to verify an answer by."""

    def __call__(self, row: Mapping[str, Any], answer: str) -> Verification:
        """Whether this answer to the row is right."""


class NamedVerifier(NamedTuple):
    """A verifier of ours: where it is, and the column of a row without which it can say nothing."""

    function: str
    column: str


VERIFIERS: Mapping[str, NamedVerifier] = {
    "constraints": NamedVerifier("tasks.verify.constraints.constraint:verify_constraints", "constraints"),
    "answer": NamedVerifier("tasks.verify.answers:verify_answer", "reference"),
    "tests": NamedVerifier("tasks.verify.code.verify:verify_tests", "reference"),
}
"""Ours, by the name that a config says."""


def check_verifier_name(name: str) -> str:
    """The name. Raises ConfigError where no verifier has it."""
    if name not in VERIFIERS and not is_own(name):
        otherwise = f"there are {', '.join(VERIFIERS)}; your own is FILE.py:NAME"
        raise ConfigError("no such verifier", name, did_you_mean(name, VERIFIERS, otherwise))
    return name


def load_verifier(name: str) -> Verifier:
    """A verifier of ours by its name, or the user's own. Raises ConfigError where there is none."""
    check_verifier_name(name)
    found = load(name, "a verifier") if is_own(name) else resolve_name(VERIFIERS[name].function)
    if not callable(found):
        raise ConfigError("this is no verifier", name, "name a function of a row and an answer")
    return cast(Verifier, found)


def column_needed(name: str) -> str:
    """The column of a row without which a verifier can say nothing; "" for the user's own, which says it itself."""
    return VERIFIERS[name].column if name in VERIFIERS else ""


def digest_of_verifier(name: str) -> str:
    """The digest of the file of the user's own verifier; "" for one of ours."""
    return digest_of_file(name) if is_own(name) else ""


def _named(name: str, info: ValidationInfo) -> str:
    """The name, with the file's whole path where it is the user's own; it may lie beside the config."""
    check_verifier_name(name)
    return absolute(name, (info.context or {}).get("folder")) if is_own(name) else name


VerifierName = Annotated[str, AfterValidator(_named)]
"""A verifier by its name, or as FILE.py:NAME."""
