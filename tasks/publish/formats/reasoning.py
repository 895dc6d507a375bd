"""What a model thought before its answer, in the shape that a trainer takes: a column, a field of the turn, or part of the text.

    stillroom sft --set reasoning=think             # <think>...</think> before the answer
    stillroom export DATASET --format messages --reasoning reasoning_content

`provenance.parquet` has the reasoning of each request. That of a row's answer is of the request that wrote it: by the role
`responder`, for the row itself or the nearest of its ancestors; where Evol-Instruct asked for several answers, for the last
evolution that was kept. With `modes` a row that has reasoning stands there twice, with and without it, and says which in
`chat_template_kwargs`, which TRL gives to the template row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.publish.format_names import ReasoningShape
from tasks.storage.digest import digest

ANSWERS = ("text_generation", "solve/solution")
"""The prompts that answers are asked with."""
ANSWERS_OF_TURNS = ("carry_on", "small_talk")
"""Those of conversations with a simulated user: of a row's own the last one answers its last turn."""
LINES = ("row_id", "parents", "role", "template", "sample", "reasoning")


def with_reasoning(
    frames: Iterable[pl.DataFrame], provenance: Path, reasoning: ReasoningShape, *, modes: bool
) -> Iterator[pl.DataFrame]:
    """Conversations with what was thought before their answers. Memory is that of a frame."""
    for rows in frames:
        texts = pl.Series("reasoning", recorded_reasoning(rows, provenance), dtype=pl.String)
        made = _said(rows, texts, reasoning)
        yield _in_both_modes(rows, made, texts) if modes else made


def recorded_reasoning(rows: pl.DataFrame, provenance: Path) -> list[str | None]:
    """What was thought before the answer of each row; None where nothing was, or its answer was given."""
    kept = _last_kept(rows)
    owner = {row_id: {row_id} for row_id in rows["row_id"]}
    found: dict[str, str | None] = {}
    while owner:
        lines = _lines(provenance, sorted(set().union(*owner.values())))
        for row_id, ids in list(owner.items()):
            said = [line for one in ids for line in lines.get(one, ())]
            answers = [line for line in said if line["template"] in ANSWERS]
            if turns := [line for line in said if line["template"] in ANSWERS_OF_TURNS]:
                found[row_id] = turns[-1]["reasoning"] or None
                del owner[row_id]
                continue
            if answers:
                wanted = [line for line in answers if line["sample"] == kept.get(row_id)] or answers[-1:]
                found[row_id] = wanted[0]["reasoning"] or None
                del owner[row_id]
                continue
            above = {parent for one in ids for line in lines.get(one, ()) for parent in line["parents"] or ()}
            if above - ids:
                owner[row_id] = above
            else:
                del owner[row_id]
    return [found.get(row_id) for row_id in rows["row_id"]]


def _lines(provenance: Path, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The lines about these rows, by row, in the order of their samples."""
    wanted = pl.col("row_id").is_in(pl.Series(ids, dtype=pl.String).implode())
    frame = pl.scan_parquet(provenance).filter(wanted).select(LINES).collect()
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in frame.sort("sample", nulls_last=True, maintain_order=True).iter_rows(named=True):
        lines.setdefault(line["row_id"], []).append(line)
    return lines


def _last_kept(rows: pl.DataFrame) -> dict[str, int]:
    """Of rows that were evolved, which evolution was the last to be kept."""
    if "operations" not in rows.columns:
        return {}
    return {
        row_id: max(at for at, name in enumerate(operations) if name)
        for row_id, operations in rows.select("row_id", "operations").iter_rows()
        if operations and any(operations)
    }


def _said(rows: pl.DataFrame, texts: pl.Series, reasoning: ReasoningShape) -> pl.DataFrame:
    """The rows with their reasoning in the place that was asked for."""
    if reasoning == "column":
        return rows.with_columns(texts)
    if reasoning == "none":
        return rows
    talks = [
        _last_turn_with(turns, text, reasoning) for turns, text in zip(rows["messages"].to_list(), texts, strict=True)
    ]
    turn = dict(rows.schema["messages"].inner.to_schema())  # type: ignore[attr-defined]
    more = {"reasoning_content": pl.String} if reasoning == "reasoning_content" else {}
    return rows.with_columns(pl.Series("messages", talks, dtype=pl.List(pl.Struct(turn | more))))


def _last_turn_with(turns: Any, text: str | None, reasoning: ReasoningShape) -> list[Mapping[str, Any]]:
    *before, last = list(turns)
    if text is None:
        return [*before, last]
    if reasoning == "think":
        return [*before, {**last, "content": f"<think>\n{text}\n</think>\n\n{last['content']}"}]
    return [*before, {**last, "reasoning_content": text}]


def _in_both_modes(rows: pl.DataFrame, made: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Each row with its reasoning, and behind it without it."""
    has_text = texts.is_not_null()
    plain = _like(rows, made).with_columns(
        row_id=pl.Series(
            [
                digest(row_id, "no_reasoning") if it else row_id
                for row_id, it in zip(rows["row_id"], has_text, strict=True)
            ]
        )
    )
    kwargs = "chat_template_kwargs"
    with_it = made.with_columns(pl.struct(enable_thinking=pl.lit(True)).alias(kwargs), _at=pl.int_range(pl.len()))
    without = plain.with_columns(pl.struct(enable_thinking=pl.lit(False)).alias(kwargs), _at=pl.int_range(pl.len()))
    return pl.concat([with_it.filter(has_text), without]).sort("_at", maintain_order=True).drop("_at")


def _like(rows: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """The rows with the columns of those with reasoning, null where they have none."""
    if "reasoning" in made.columns and "reasoning" not in rows.columns:
        rows = rows.with_columns(reasoning=pl.lit(None, pl.String))
    turn = dict(made.schema["messages"].inner.to_schema())  # type: ignore[attr-defined]
    return rows.with_columns(pl.Series("messages", rows["messages"].to_list(), dtype=pl.List(pl.Struct(turn))))
