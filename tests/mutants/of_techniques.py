"""Breaks of single techniques, and of what chooses rows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OF_TECHNIQUES = (
    Mutant(
        "evidence is believed",
        "tasks/generate/texts/document_answers.py",
        (("if (missing := missing_part(quote, passage)) is not None:", "if (missing := None) is not None:"),),
        "tests/generate/test_documents.py",
    ),
    Mutant(
        "a value that is full takes one more",
        "tasks/curate/quotas.py",
        (
            (
                "if self._there[name, value] >= self._quotas[name][value]:",
                "if self._there[name, value] > self._quotas[name][value]:",
            ),
        ),
        "tests/curate/test_quotas.py",
    ),
    Mutant(
        "a fact of its own is no fault of a summary",
        "tasks/generate/texts/summarising.py",
        (("if params.check_facts and (facts := unstated(said, text, language)):", "if (facts := []):"),),
        "tests/generate/test_texts.py",
    ),
    Mutant(
        "constraints that contradict each other are drawn together",
        "tasks/verify/constraints/constraint.py",
        (
            (
                "left = [other for other in left if go_together(kind, other)]",
                "left = [other for other in left if kind is not other]",
            ),
        ),
        "tests/verify/test_drawing.py",
    ),
    Mutant(
        "a text that another constraint demands is forbidden",
        "tasks/verify/constraints/constraint.py",
        (("                return False\n    return True", "                return True\n    return True"),),
        "tests/verify/test_drawing.py",
    ),
    Mutant(
        "an answer that breaks its constraints is kept",
        "tasks/generate/verified_generation.py",
        (("        raise Unusable(said.reason", "        Unusable(said.reason"),),
        "tests/generate/test_constraints.py",
    ),
)
