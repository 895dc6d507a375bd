"""Why a completion stopped: the words that servers use for it, as the few that we know (law 10).

Only a known word says that the model has ended. Every other one is `cut_off`: the text may be half an answer.
"""

from __future__ import annotations

from typing import Any

from tasks.models.base import FinishReason

FINISH_REASONS: dict[str, FinishReason] = {
    **dict.fromkeys(
        (
            "stop",
            "eos",
            "eos_token",
            "eos_found",
            "end_turn",
            "end_of_turn",
            "stop_sequence",
            "stop_token",
            "stop_word",
            "word",
            "stop_str",
            "stop_string",
            "complete",
            "completed",
            "done",
            "end",
            "finish",
            "finished",
            "normal",
        ),
        "stop",
    ),
    **dict.fromkeys(
        (
            "length",
            "max_tokens",
            "max_length",
            "max_new_tokens",
            "max_output_tokens",
            "max_completion_tokens",
            "model_length",
            "token_limit",
            "limit",
            "context_length",
            "context_window",
            "model_context_window_exceeded",
            "context_length_exceeded",
            "context_window_exceeded",
        ),
        "length",
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "safety",
            "refusal",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "language",
            "guardrail_intervened",
            "guardrails",
            "sensitive",
            "moderation",
            "image_safety",
            "content_policy",
            "content_policy_violation",
            "blocked",
            "filtered",
            "error_toxic",
        ),
        "content_filter",
    ),
    **dict.fromkeys(
        (
            "tool_calls",
            "tool_call",
            "tool_use",
            "function_call",
            "function_calls",
            "malformed_function_call",
            "unexpected_tool_call",
        ),
        "tool_calls",
    ),
}
NAMES = ("type", "reason", "finish_reason", "name", "value")  # where objects keep the word


def finish_word(said: Any) -> str | None:
    """The word in whatever a server gives as its finish reason: text or an object. None where there is none."""
    if isinstance(said, dict):
        said = next((said[name] for name in NAMES if isinstance(said.get(name), str)), None) or (
            str(said) if said else None
        )
    if said is None or said == "":
        return None
    return said if isinstance(said, str) else str(said)


def finish_of(word: str | None) -> FinishReason | None:
    """What a word means: in any case, with or without detail behind a colon. None where there is no word."""
    if word is None:
        return None
    plain = word.partition(":")[0].strip().lower().replace("-", "_").replace(" ", "_")
    plain = plain.removeprefix("finishreason.").removeprefix("finish_reason_")
    return FINISH_REASONS.get(plain, "cut_off")
