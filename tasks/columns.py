"""The names of columns that more than one room knows, and which column is made from which.

`column_types.py` has the types of those that hold more than one value (it needs polars), and `schemas.py` says which columns
each table has (it needs pandera): apart, since a mistake is told in under a second.
"""

from __future__ import annotations

SOURCE_COLUMNS = "source_columns"
"""Of provenance: what a seed's record held that no row is made of, as JSON."""
KEPT_COLUMNS = "kept_columns"
"""Of rows: what of a seed's record the dataset has as columns of its own, as JSON."""
RECORD = "record"
"""Of rows of a dataset that is curated: the whole record as it stands there, a struct. It is what is published."""
LANGUAGE = "language"
"""Of rows in a dataset of several languages: the one that a row is asked for in."""
PAIR_SIDES = ("chosen", "rejected")
"""Of pairs that are trained on: the sides."""
SCORE_COLUMNS = ("score", "rubric", "rubric_score", "ratings", "reward")
"""Of rows that are trained on: what judges have found, where any were asked. The dataset has them too."""
TAG_COLUMNS = (
    "input_quality",
    "quality_explanation",
    "difficulty",
    "intent",
    "knowledge",
    "task_category",
    "other_task_category",
    "input_language",
)
"""Of rows that are trained on: Magpie's tags of what they ask, where they were asked for. The dataset has them too."""
DIALOGUE_COLUMNS = ("stopped", "personas")
"""Of conversations with a simulated user: why no more was said, and who the two are. The dataset has them too."""
GUARD_COLUMNS = ("safety", "unsafe_categories")
"""Of rows that are trained on: whether they are safe, where a guard was asked. The dataset has them too."""
CONSTRAINT_COLUMNS = ("constraints", "plain_instruction", "verification")
"""Of rows whose answers keep constraints: which, what was asked without them, and the figures of the check. The dataset has them too."""
CODE_COLUMNS = ("mutants", "mutants_killed")
"""Of rows with code that passes tests: programs made of it with a fault each, and how many of them the tests fail."""
TRACE_COLUMNS = ("agent", "session", "redactions")
"""Of conversations from logs: whose agent it was, which session, and how many secrets were taken out."""
GROUND_TRUTH = "ground_truth"
"""Of rows whose answers can be checked: the right one."""
VERIFIED_COLUMNS = (GROUND_TRUTH, "verifier", "pass_rate")
"""Of rows whose answers a program can check: what is right, what checks it, and how often a student gets there."""
FOUND_COLUMNS = (*SCORE_COLUMNS, *TAG_COLUMNS, *GUARD_COLUMNS, *VERIFIED_COLUMNS)
"""All that is found out about a row that stays."""
MADE_FROM: dict[str, tuple[str, ...]] = {
    "instruction": ("messages",),
    "messages": ("instruction", "input"),
    "operations": ("instruction",),
    "constraints": ("instruction",),
    "plain_instruction": ("instruction",),
    "verification": ("response", "constraints"),
    **dict.fromkeys(CODE_COLUMNS, ("response", "ground_truth")),
    "most_similar": ("instruction",),
    "similarity": ("instruction", "most_similar"),
    "is_classification": ("instruction",),
    "input": ("instruction",),
    "output": ("instruction", "input"),
    "reference": ("instruction", "messages"),
    "ground_truth": ("instruction", "messages"),
    "verifier": ("ground_truth",),
    "pass_rate": ("instruction", "messages", "ground_truth"),
    "response": ("instruction", "messages", "system", "input"),
    "response_model": ("response",),
    "responses": ("instruction", "messages"),
    "score": ("response", "messages"),
    "ratings": ("response", "messages"),
    "rubric": ("instruction", "messages"),
    "rubric_score": ("response", "rubric"),
    **dict.fromkeys(TAG_COLUMNS, ("instruction", "messages")),
    "reward": ("response", "messages"),
    **dict.fromkeys(GUARD_COLUMNS, ("instruction", "response", "messages")),
    "stopped": ("messages",),
    "redactions": ("messages",),
    "personas": ("messages",),
    "variants": ("instruction",),
    "complexity": ("instruction", "messages", "prompt"),
    "quality": ("instruction", "messages", "response", "prompt", "chosen"),
    "embedding": ("instruction", "messages", "response", "prompt", "chosen"),
    "tools": ("messages",),
    "question_kind": ("instruction",),
    "question": ("instruction",),
    "variant": ("response",),
    "prompt_kind": ("instruction",),
    "evidence": ("response",),
    "order_agreement": ("responses",),
    "principles": ("responses",),
    "prompt": ("instruction", "messages"),
    "chosen": ("prompt",),
    "rejected": ("prompt",),
    "judges": ("chosen", "rejected"),
    **{f"{about}_{side}": (side,) for side in ("chosen", "rejected") for about in ("score", "ratings")},
    **{f"{side}_{about}": (side,) for side in ("chosen", "rejected") for about in ("model", "origin")},
}
"""What each column was made from: it goes when one of these changes, unless it is given anew (law 9).

`instruction` and `messages` say the same where the instruction is the user's last turn: then neither makes the other
stale.
"""
