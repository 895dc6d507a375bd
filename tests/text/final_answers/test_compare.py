"""Final answers against the right ones: the tricky pairs, equal and not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.text.final_answers import compare, symbolic
from tasks.text.final_answers.compare import check_answer, check_comparable, is_same_answer, needs_maths

COMPARES = """
import sys, time
print("ready", flush=True)
for line in sys.stdin:
    time.sleep(600 if "slow" in line else 0)
    print("true", flush=True)
"""
PLAIN: list[tuple[str, str, str, bool]] = [
    ("1/2", "0.5", "", True),
    ("0.5", r"\frac12", "", True),
    ("-1/2", r"-\dfrac{1}{2}", "", True),
    ("1/3", r"0.\overline{3}", "", True),
    ("7/2", "3½", "", True),
    ("3.5", "3 1/2", "", True),
    ("2/3", "0.67", "", True),  # rounded, and an end it has not
    ("2/3", "0.7", "", False),
    ("3.5", "3.54", "", False),
    ("10", "10.0", "", True),
    ("10", "10.01", "", False),
    ("-5", "−5", "", True),
    ("-5", "5", "", False),
    ("1234", "1,234", "", True),
    ("1234.5", "1,234.50", "", True),
    ("1234", r"1{,}234", "", True),
    ("1234567", "1 234 567", "", True),
    ("10000", r"10\ 000", "", True),
    (r"10\ 000", r"20\ 000", "", False),
    ("10000", r"10\,000", "", True),
    ("3.5", r"3\ 1/2", "", True),
    ("2", r"3\ 1/2", "", False),
    ("10 km", r"10\,km", "", True),
    ("5 cm", r"5\ \text{cm}", "", True),
    ("1011_2", r"1011_{2}", "", True),
    ("1011_2", "13_8", "", True),
    ("1011_2", "1011_3", "", False),
    ("1011_2", "1011", "", True),
    ("1011_2", "11", "", False),
    ("A3_{16}", "163_{10}", "", True),
    ("12", "1 2", "", False),
    ("1234", "1.234", "", False),
    ("1234", "1.234", "vi", True),
    ("3.5", "3,5", "vi", True),
    ("3.5", "3,5", "", False),
    ("1000", "1e3", "", True),
    ("1500", r"1.5\times 10^{3}", "", True),
    ("1500000", "1.5 million", "", True),
    ("3", "3 million", "", False),
    ("18 dollars", "18 thousand dollars", "", False),
    ("2 billion", "2,000,000,000", "", True),
    ("1500000", "1,5 triệu đồng", "vi", True),
    ("3", "3 tỷ", "vi", False),
    ("12", "１２", "", True),
    ("12", "十二", "", True),
    ("35000", "3万5千円", "", True),
    ("0.75", "四分之三", "", True),
    ("12", "twelve", "", True),
    ("50%", "百分之五十", "", True),
    ("50%", "0.5", "", True),
    ("50%", "50", "", True),
    ("5", "5\\%", "", True),
    ("0.5", "0.5%", "", False),
    ("200 minutes", "3 hours 20 minutes", "", True),
    ("20", "3 hours 20 minutes", "", False),
    ("12 km", "12公里", "", True),
    ("12 km", "12000 m", "", True),
    ("12 km", "12 m", "", False),
    ("12 kg", "12 km", "", False),
    ("6 m²", r"6\text{ m}^2", "", True),
    ("6 m²", "6 m", "", False),
    ("2.5 hours", "150 phút", "", True),
    ("90", r"90^\circ", "", True),
    ("18", "$18.00", "", True),
    ("18 dollars", r"\$18", "", True),
    ("18 dollars", "€18", "", False),
    ("12.000 đồng", "12000", "vi", True),
    ("12", "12個です", "", True),
    ("12", "12 apples left", "", True),
    ("5", "$x = 5$", "", True),
    ("B", "(B) 12 km", "", True),
    ("B", "选项B", "", True),
    ("B", "（B）です", "", True),
    ("B", r"\text{B}.", "", True),
    ("B", "A", "", False),
    ("A, C", "C and A", "", True),
    ("A, C", "A", "", False),
    ("Paris", "the Paris.", "", True),
    ("Paris", "Lyon", "", False),
    ("3:4", "3 : 4", "", True),
    ("[0,1)", r"\left[0, 1\right)", "", True),  # word for word, once it is tidied
]
EXPRESSIONS: list[tuple[str, str, bool]] = [
    (r"\frac{\sqrt{3}}{2}", r"\sqrt{3}/2", True),
    (r"\frac{\sqrt{3}}{2}", r"\frac{\sqrt{2}}{2}", False),
    ("2", r"\sqrt{4}", True),
    ("x^2+2x+1", "(x+1)^2", True),
    (r"\{1,2\}", "{2,1}", True),  # math-verify reads plain braces as a group
    ("{1,2}", "{2,1}", True),
    ("{1,2}", "{1,3}", False),
    ("(1,2)", "(2,1)", False),
    ("[0,1)", "[0,1]", False),
    ("25", "5²", True),
    ("52", "5²", False),
    ("3628800", "10!", True),
    ("3x", "x*3", True),
    (r"2\pi", r"\pi \cdot 2", True),
    ("y=2x+1", "y=1+2x", True),
    (r"\log_2 8", "3", True),
    (
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        r"\begin{pmatrix} 1 & 2 \\ 3 & 5 \end{pmatrix}",
        False,
    ),
]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without math-verify, wherever the suite runs."""
    monkeypatch.setattr(compare, "is_installed", lambda: False)


@pytest.mark.parametrize(("right", "found", "language", "same"), PLAIN, ids=lambda value: str(value))
def test_plain_answers_are_compared_without_a_library(
    alone: None, right: str, found: str, language: str, same: bool
) -> None:
    assert is_same_answer(right, found, language) is same


def test_the_order_of_a_pair_changes_nothing(alone: None) -> None:
    for right, found, language, same in PLAIN:
        if "B" not in right:  # a choice is told by the right answer
            assert is_same_answer(found, right, language) is same, (found, right)


@pytest.mark.parametrize(("right", "found", "same"), EXPRESSIONS, ids=lambda value: str(value))
def test_an_expression_is_not_guessed_about_without_the_library(
    alone: None, right: str, found: str, same: bool
) -> None:
    assert is_same_answer(right, found) is None


def test_the_right_answer_is_told_before_anything_is_paid_for_where_it_needs_the_library(alone: None) -> None:
    with pytest.raises(ConfigError, match=r"seeds\.jsonl: \\frac\{\\sqrt\{3\}\}\{2\} \(pip install"):
        check_comparable(r"\frac{\sqrt{3}}{2}", "seeds.jsonl")
    check_comparable("So it is\n#### 1,234", "seeds.jsonl")
    assert not any(needs_maths(right) for right, *_ in PLAIN[:-1])


def test_a_check_says_what_was_found(alone: None) -> None:
    row = {"reference": "Half of 24 is <<24/2=12>>12.\n#### 12"}
    assert check_answer(row, r"\boxed{12}").passed
    wrong = check_answer(row, "答えは13個です。")
    assert (wrong.passed, wrong.reason, wrong.figure) == (False, "wrong_answer", "found 13個です, right is 12")
    silent = check_answer(row, "It is 12")
    assert (silent.reason, silent.figure) == ("no_final_answer", "no final answer is marked, right is 12")
    assert check_answer({"ground_truth": "12", "reference": "13"}, r"\boxed{12}").passed
    assert check_answer({"reference": None}, r"\boxed{12}").reason == "no_reference"
    hard = check_answer(row, r"\boxed{\sqrt{144}}")
    assert (hard.reason, hard.passed) == ("answer_not_compared", False)
    assert "stillroom[maths]" in hard.figure


@pytest.mark.slow
def test_expressions_are_compared_by_the_library() -> None:
    pytest.importorskip("math_verify")
    assert {(r, f): bool(is_same_answer(r, f)) for r, f, _ in EXPRESSIONS} == {
        (r, f): same for r, f, same in EXPRESSIONS
    }


def test_a_pair_that_takes_too_long_is_given_up_and_the_next_one_is_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "compares.py"
    program.write_text(COMPARES)
    monkeypatch.setattr(symbolic, "PROGRAM", program)
    monkeypatch.setattr(symbolic, "_processes", processes := symbolic._Processes())
    with pytest.raises(symbolic.TooHardError):
        symbolic.same_by_maths("1", "slow", within_s=1)
    assert symbolic.same_by_maths("1", "2", within_s=30) is True
    processes.end()
