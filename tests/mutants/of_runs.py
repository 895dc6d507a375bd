"""Breaks of runs and their datasets: nights, retries, revisions, what is pushed and exported."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OF_RUNS = (
    Mutant(
        "8: an empty dataset replaces a good one",
        "flows/runs/lineage.py",
        (("if not (written.rows or self.plan.allow_empty):", "if False:"),),
        "tests/flows/runs/test_no_rows.py",
    ),
    Mutant(
        "5: prompts that differ in case alone stand in two splits",
        "tasks/publish/splits.py",
        (("normalised(words).encode", "words.encode"),),
        "tests/publish/test_splits.py::test_equal_prompts_are_in_one_split_and_others_do_not_move_them",
    ),
)
