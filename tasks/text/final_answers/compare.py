r"""Whether a solution's final answer is the right one.

    check_answer({"reference": "1/2"}, r"So it is \boxed{0.5}.")      # passed
    check_answer({"reference": "12"}, "答えは13個です。").figure          # "found 13個です, right is 12"

What is plain (numbers, fractions, percentages, units, choices, words) is compared here, exactly; what is an expression by
math-verify, where that is installed: `pip install "stillroom[maths]"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tasks.errors import ConfigError
from tasks.text.final_answers.cut import final_answer, reference_answer
from tasks.text.final_answers.plain import Quantity, choice_of, in_a_base, is_of_maths, quantity_of, tidied, words_in
from tasks.text.final_answers.symbolic import TooHardError, is_installed, same_by_maths

ANSWER_VERIFIER = "answer"
"""What compares final answers is called so in the column `verifier`."""
FEWEST_DECIMALS = 2
"""That a rounded fraction has to show: 0.67 is 2/3, 0.7 is not."""
SHOWN = 80
"""Characters of an answer in a figure."""


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Whether an answer is right. `figure`: what was found, in a few words; `reason`: in a word, "" where it is right."""

    passed: bool
    figure: str
    reason: str = ""


def check_answer(row: Mapping[str, Any], answer: str, language: str = "") -> AnswerCheck:
    """Whether the final answer of a solution is the row's `ground_truth`, or its `reference` where it has none.

    `language`: of the row, which says what a comma in a number means. Reasons: no_final_answer, wrong_answer,
    answer_not_compared (math-verify would be needed, or took too long), no_reference. Blocks: call it in a thread.
    """
    right = known_answer(row)
    if not right:
        return AnswerCheck(False, "there is no answer to check by", "no_reference")
    found = final_answer(answer)
    if found is None:
        return AnswerCheck(False, f"no final answer is marked, right is {_shown(right)}", "no_final_answer")
    said = f"found {_shown(found)}, right is {_shown(right)}"
    try:
        same = is_same_answer(right, found, language)
    except TooHardError:
        return AnswerCheck(False, f"{said}: they could not be compared in time", "answer_not_compared")
    if same is None:
        return AnswerCheck(False, f'{said}: comparing them needs pip install "stillroom[maths]"', "answer_not_compared")
    return AnswerCheck(same, said, "" if same else "wrong_answer")


def known_answer(row: Mapping[str, Any]) -> str:
    """The answer that is known to be right for a row; "" where none is."""
    return reference_answer(str(row.get("ground_truth") or row.get("reference") or ""))


def is_same_answer(right: str, found: str, language: str = "") -> bool | None:
    """Whether two final answers say the same; None where that takes math-verify, which is not installed.

    Raises TooHardError where that takes too long.
    """
    plain = _same_plainly(right, found, language)
    if plain is not None:
        return plain
    if not is_installed():
        return None
    return bool(same_by_maths(tidied(right), tidied(found)))


def check_comparable(reference: str, where: str) -> None:
    """Raise ConfigError for an answer that takes math-verify to compare, where that is not installed."""
    if needs_maths(reference_answer(reference)) and not is_installed():
        shown = f"{where}: {_shown(reference_answer(reference))}"
        raise ConfigError(
            "an answer that is an expression needs the extra maths", shown, 'pip install "stillroom[maths]"'
        )


def needs_maths(right: str) -> bool:
    """Whether an answer is an expression, that no other form of it is known to be the same as without understanding it."""
    is_plain = any(read(right) is not None for read in (quantity_of, choice_of, in_a_base))
    return not is_plain and is_of_maths(right)


def _same_plainly(right: str, found: str, language: str) -> bool | None:
    """The verdict on plain answers; None where one of them is an expression."""
    if words_in(right) == words_in(found):
        return True
    bases = in_a_base(right), in_a_base(found)
    if bases[0] and bases[1]:
        return bases[0][0] == bases[1][0]
    if bases[0] or bases[1]:  # the base may be left out, the figures are those of the base
        return all(base is None or base[1] == tidied(other) for base, other in zip(bases, (found, right), strict=True))
    choice = choice_of(right)
    if choice is not None:
        return choice == choice_of(found)
    one, other = quantity_of(right, language), quantity_of(found, language)
    if one is not None and other is not None:
        return _same_quantity(one, other)
    if is_of_maths(right) or is_of_maths(found):
        return None
    return False


def _same_quantity(one: Quantity, other: Quantity) -> bool:
    """Whether they have a value in common. A unit, or a per cent sign, that only one of them says may be left out."""
    if one.of and other.of and one.of != other.of:
        return False
    if _common(one, other, one.values, other.values):
        return True
    if one.of == other.of:
        return False
    small = "%" in (one.of, other.of) and all(abs(value) < 1 for value in (*one.bare, *other.bare))
    return not small and _common(one, other, one.bare, other.bare)


def _common(one: Quantity, other: Quantity, mine: frozenset[Fraction], theirs: frozenset[Fraction]) -> bool:
    if mine & theirs:
        return True
    pairs = [(mine, other, theirs), (theirs, one, mine)]
    return any(_rounds(exact, rounded.decimals, values) for exact, rounded, values in pairs)


def _rounds(exact: frozenset[Fraction], decimals: int | None, values: frozenset[Fraction]) -> bool:
    """Whether a fraction without an end is rounded to one of these values."""
    if decimals is None or decimals < FEWEST_DECIMALS:
        return False
    endless = [value for value in exact if _is_endless(value)]
    return any(abs(value - near) * 2 * 10**decimals <= 1 for value in endless for near in values)


def _is_endless(value: Fraction) -> bool:
    """Whether its decimals have no end."""
    below = value.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    return below != 1


def _shown(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= SHOWN else f"{said[: SHOWN - 3]}..."
