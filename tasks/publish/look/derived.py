"""What is worked out about each row before it is looked for: what it says, how long it is, how far its judges are apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tasks.publish.report import said

PLACE, SAID = "_place", "_said"
STEP, QUESTION_CHARS, ANSWER_CHARS, TURNS = "step", "question_chars", "answer_chars", "turns"
MARGIN, DISAGREEMENT = "margin", "disagreement"
CONTENTS = ("content", "value", "text")
RATINGS = ("ratings", "ratings_chosen", "ratings_rejected")


def with_derived(rows: pl.LazyFrame, provenance: Path) -> pl.LazyFrame:
    """Published rows with what is worked out about them. Columns that they have themselves stay as they are."""
    schema = dict(rows.collect_schema())
    made = {SAID: _said(schema), **_lengths(schema)}
    if {"score_chosen", "score_rejected"} <= schema.keys():
        made[MARGIN] = pl.col("score_chosen") - pl.col("score_rejected")
    found = rows.with_row_index(PLACE).with_columns(
        expression.alias(name) for name, expression in made.items() if name not in schema
    )
    rated = [name for name in RATINGS if name in schema and _is_rated(schema[name])]
    if rated and DISAGREEMENT not in schema:
        found = found.join(_disagreement(found, rated), on=PLACE, how="left", maintain_order="left")
    if "row_id" in schema and STEP not in schema and provenance.exists():
        found = found.join(_steps(provenance), on="row_id", how="left", maintain_order="left")
    return found


def with_said(refused: pl.LazyFrame) -> pl.LazyFrame:
    """Rejects or losses with what they say."""
    said = pl.concat_str("detail", "input", "raw", separator="\n", ignore_nulls=True).str.to_lowercase()
    length = pl.col("raw").str.len_chars().alias(ANSWER_CHARS)
    return refused.with_row_index(PLACE).with_columns(said.alias(SAID), length)


def _said(schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """All texts of a row in small letters, a line each."""
    texts = [text for name, kind in schema.items() if name != "row_id" and (text := _text_of(name, kind)) is not None]
    joined = pl.concat_str(texts, separator="\n", ignore_nulls=True) if texts else pl.lit("")
    return joined.str.to_lowercase()


def _text_of(name: str, kind: pl.DataType) -> pl.Expr | None:
    """The text of a column, None of one that holds none."""
    if kind == pl.String:
        return pl.col(name)
    field = _content_of(kind)
    if field is not None:
        return pl.col(name).list.eval(pl.element().struct.field(field)).list.join("\n", ignore_nulls=True)
    return pl.col(name).list.join("\n", ignore_nulls=True) if kind == pl.List(pl.String) else None


def _content_of(kind: pl.DataType) -> str | None:
    """The field that holds the text of a turn; None where the column is no conversation."""
    inner = kind.inner if isinstance(kind, pl.List) else None
    there = inner.to_schema() if isinstance(inner, pl.Struct) else {}
    return next((name for name in CONTENTS if there.get(name) == pl.String), None)


def _lengths(schema: Mapping[str, pl.DataType]) -> dict[str, pl.Expr]:
    """Characters of the question and of the answer, and how many turns there are, as far as the columns tell."""
    talk = next((name for name in said.TALKS if name in schema and _content_of(schema[name])), None)
    if "chosen" in schema:
        asked = next((name for name in said.QUESTIONS if name in schema), None)
        made = {ANSWER_CHARS: _last("chosen", schema["chosen"])}
        return made | ({QUESTION_CHARS: _last(asked, schema[asked])} if asked else {})
    if talk is not None:
        field = _content_of(schema[talk])
        assert field is not None, "a conversation has texts"
        return {
            QUESTION_CHARS: pl.col(talk).list.get(-2, null_on_oob=True).struct.field(field).str.len_chars(),
            ANSWER_CHARS: _last(talk, schema[talk]),
            TURNS: pl.col(talk).list.len(),
        }
    made = {}
    for column, names in ((QUESTION_CHARS, said.QUESTIONS), (ANSWER_CHARS, said.ANSWERS)):
        if (name := next((name for name in names if name in schema), None)) is not None:
            made[column] = _last(name, schema[name])
    return made


def _last(name: str, kind: pl.DataType) -> pl.Expr:
    """Characters of a text, or of the last turn of a conversation; null of anything else."""
    if kind == pl.String:
        return pl.col(name).str.len_chars()
    field = _content_of(kind)
    if field is None:
        return pl.lit(None, dtype=pl.UInt32)
    return pl.col(name).list.last().struct.field(field).str.len_chars()


def _is_rated(kind: pl.DataType) -> bool:
    """Whether a column holds what judges said, by aspect."""
    inner = kind.inner if isinstance(kind, pl.List) else None
    return isinstance(inner, pl.Struct) and {"judge", "aspect", "rating"} <= inner.to_schema().keys()


def _disagreement(rows: pl.LazyFrame, rated: list[str]) -> pl.LazyFrame:
    """How far the judges of a row are apart: of each answer and aspect the range of their ratings, the widest of them."""
    sides = [
        rows.select(PLACE, pl.col(name).alias("rating"), pl.lit(name).alias("_side")).explode("rating").unnest("rating")
        for name in rated
    ]
    of_judges = (
        pl.concat(sides)
        .drop_nulls("rating")
        .group_by(PLACE, "_side", "aspect", "judge")
        .agg(pl.col("rating").mean())
        .group_by(PLACE, "_side", "aspect")
        .agg((pl.col("rating").max() - pl.col("rating").min()).alias("_range"), pl.len().alias("_judges"))
    )
    return of_judges.filter(pl.col("_judges") > 1).group_by(PLACE).agg(pl.col("_range").max().alias(DISAGREEMENT))


def _steps(provenance: Path) -> pl.LazyFrame:
    """The step that made each row: later lines of a row are of steps that asked about it."""
    lines = pl.scan_parquet(provenance).select("row_id", pl.col("technique").alias(STEP))
    return lines.unique("row_id", keep="first", maintain_order=True)
