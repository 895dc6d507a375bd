"""The verifier `answer`: whether the final answer of a response is the one that is known to be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.errors import Filtered
from tasks.text.final_answers.compare import check_answer
from tasks.verify.verifier import Verification


def verify_answer(row: Mapping[str, Any], answer: str) -> Verification:
    """Compare the final answer with the row's `ground_truth`, or its `reference`. Raises Filtered where it has neither."""
    check = check_answer(row, answer, row.get("language") or "")
    if check.reason == "no_reference":
        raise Filtered(check.reason, check.figure)
    return Verification(check.passed, check.figure, check.reason)
