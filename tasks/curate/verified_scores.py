"""Responses scored by a verifier: 1 for one that passes, 0 for one that fails. No judge is asked.

    stillroom dpo --recipe verified --instructions datasets/sft-constrained --model MODEL

Lambert et al. 2024 (arXiv:2411.15124): rewards that a program gives, 0 or 1, here for pairs of one response that passes and
one that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered
from tasks.text.final_answers.compare import check_comparable
from tasks.text.responses import Rating, Response, make_response
from tasks.verify.code.verify import check_tests
from tasks.verify.verifier import Verification, VerifierName, column_needed, digest_of_verifier, load_verifier

ASPECT = "verified"


class VerifiedScores(Params):
    """What says whether a response is right."""

    verifier: VerifierName = Field(
        "constraints",
        description="what verifies responses: its name, or your own FILE.py:NAME. constraints: those of the row, drawn where it has none. answer: the row's known answer (GSM8K's, say). tests: the row's unit tests, run in a sandbox",
    )

    @property
    def reads_references(self) -> bool:
        """Known answers are what is right."""
        return column_needed(self.verifier) == "reference"

    def check_seed(self, seed: Mapping[str, Any], where: str) -> None:
        """Raise ConfigError for an answer that nothing here can compare."""
        if self.verifier == "tests":
            check_tests(seed, where)
        elif self.reads_references and seed.get("reference") is not None:
            check_comparable(str(seed["reference"]), where)

    @property
    def needs_column(self) -> str:
        """What the verifier reads of a row."""
        return column_needed(self.verifier)

    @property
    def files_digest(self) -> str:
        """Of the user's own verifier."""
        return digest_of_verifier(self.verifier)


@technique(reads="Pools", writes="VerifiedPools")
async def verified_scores(row: Row, models: Models, params: VerifiedScores) -> list[Row]:  # noqa: ARG001 - every technique has models
    """Score each response by the verifier, with the figures as its rating's rationale. Asks no model.

    Raises Filtered where there is no pair to be had: all_pass, none_passes, and what the verifier raises for a row that
    holds nothing to verify an answer by.
    """
    verify = load_verifier(params.verifier)
    responses = [make_response(**response) for response in row["responses"]]
    said = [await asyncio.to_thread(verify, row, response["text"]) for response in responses]
    if all(one.passed for one in said):
        raise Filtered("all_pass", f"{len(said)} of {len(said)}")
    if not any(one.passed for one in said):
        raise Filtered("none_passes", "; ".join(dict.fromkeys(one.reason or one.figure for one in said)))
    scored = [_scored(response, one, params.verifier) for response, one in zip(responses, said, strict=True)]
    return [row.child(instruction=row["instruction"], responses=scored)]


def _scored(response: Response, said: Verification, verifier: str) -> Response:
    passed = float(said.passed)
    rating = Rating(judge=f"verifier {verifier}", aspect=ASPECT, rating=passed, rationale=said.figure, order=0)
    return {**response, "ratings": [rating], "score": passed}
