"""Answers that a verifier lets pass: one that fails is asked for again, and a row without one that passes is a reject.

    stillroom sft --recipe constrained --seeds instructions.jsonl

SmolTalk's Smol-constraints (Ben Allal et al. 2025, arXiv:2502.02737) has one answer sampled, and the row dropped where it
fails: that is `max_attempts: 1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last, conversation_of, response_of
from tasks.verify.verifier import Verification, Verifier, VerifierName, column_needed, digest_of_verifier, load_verifier


class VerifiedGeneration(Params):
    """How an instruction is answered, and what says whether the answer is right."""

    verifier: VerifierName = Field(
        "constraints", description="what verifies answers: its name, or your own FILE.py:NAME"
    )
    keep_responses: bool = Field(True, description="keep a response that the row already has, where it passes")
    system: str = Field("", description="system prompt; empty: the row's own column `system`, where it has one")
    systems: SystemPrompts = Field(
        {}, description="system prompts to draw from, each with its weight, in place of `system`"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how responses are sampled"
    )

    @property
    def keeps_given_responses(self) -> bool:
        """Whether a response that a seed brings along is kept."""
        return self.keep_responses

    @property
    def needs_column(self) -> str:
        """What the verifier reads of a row."""
        return column_needed(self.verifier)

    @property
    def files_digest(self) -> str:
        """The digest of the user's own verifier; "" for one of ours."""
        return digest_of_verifier(self.verifier)


@technique(reads="Instructions", writes="VerifiedResponses")
async def verified_generation(row: Row, models: Models, params: VerifiedGeneration) -> list[Row]:
    """Answer an instruction, again and again until an answer passes the verifier.

    Writes what `text_generation` writes, with the same requests, and `verification`, the figures. A row that has nothing to
    be verified by is refused before anything is asked. Raises Unusable with the verifier's reason, such as
    `constraint_failed:words_at_least`, where no attempt passes; Filtered with it where a given response does not.
    """
    verify = load_verifier(params.verifier)
    if (needed := params.needs_column) and not row.get(needed):
        raise Filtered("nothing_to_verify", f"the row has no {needed}")
    if params.keep_responses and row.get("response"):
        return [_given(row, verify)]
    messages = conversation_of(row, system_of(row, params.system, params.systems))
    question = asked_last(messages)
    found: list[Verification] = []
    parse = models.in_language(response_of, question)
    response = await models.chat(
        messages,
        name="text_generation",
        by="responder",
        sampling=params.sampling,
        parse=partial(_passing, verify, row, found, parse),
        tools=row.get("tools") or None,
    )
    return [
        row.child(
            instruction=question,
            response=response,
            response_model=models.of("responder")[0].model.name,
            system=messages[0]["content"] if messages[0]["role"] == "system" else "",
            verification=found[-1].figure,
        )
    ]


def _given(row: Row, verify: Verifier) -> Row:
    said = verify(row, row["response"])
    if not said.passed:
        raise Filtered(said.reason or "verification_failed", said.figure, raw=row["response"])
    model, system = row.get("response_model") or "", row.get("system") or ""
    return row.child(response_model=model, system=system, verification=said.figure)


def _passing(verify: Verifier, row: Mapping[str, Any], found: list[Verification], parse: Any, completion: str) -> str:
    """The answer in a completion. Raises Unusable where it does not pass."""
    text: str = parse(completion)
    said = verify(row, text)
    found.append(said)
    if not said.passed:
        raise Unusable(said.reason or "verification_failed", said.figure, raw=text)
    return text
