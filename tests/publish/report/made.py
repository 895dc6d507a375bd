"""Datasets that no run has made: written by the very functions that publish one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.publish.card import write_card
from tasks.publish.changes import Changes
from tasks.publish.describe.run_figures import RunFigures, StepFigures, write_run_figures
from tasks.publish.revisions import Publication, drafting, history, switch
from tasks.storage.digest import digest
from tasks.storage.tables import PROVENANCE, REJECTS, write_stream

Rows = Sequence[Mapping[str, Any]]


def publish_rows(
    out: Path, rows: Rows, *, kind: str = "sft", rejects: Rows = (), lines: Rows = (), figures: RunFigures | None = None
) -> Path:
    """Publish rows as they are; the folder. `rejects`, `lines` (of provenance): what is not given in one is null."""
    out.mkdir(parents=True, exist_ok=True)
    with drafting(out) as draft:
        write_stream(draft / "data" / "train.parquet", [pl.DataFrame(list(rows), infer_schema_length=None)])
        for name, schema, given in (
            ("rejects", REJECTS, rejects),
            ("losses", REJECTS, ()),
            ("provenance", PROVENANCE, lines),
        ):
            full = [{column: one.get(column) for column in schema} for one in given]
            write_stream(draft / f"{name}.parquet", [pl.DataFrame(full, schema=schema)])
        write_stream(draft / "seeds.parquet", [pl.DataFrame(schema={"row_id": pl.String})])
        if figures is not None:
            write_run_figures(draft, figures)
        before = history(out)
        line = Publication(
            revision=len(before) + 1,
            run=f"{kind}-1",
            replaces=True,
            retried=None,
            kind=kind,
            recipe="respond",
            format=kind,
            models=["m"] if kind != "curate" else [],
            rows=len(rows),
            changes=Changes(added=len(rows)),
            blank_rows=0,
            at="2026-01-01",
        )
        write_card(draft, out, [*before, line], len(rejects), {}, 10)
        switch(out, draft, line, 10)
    return out


def talk(asked: str, answered: str, **more: Any) -> dict[str, Any]:
    """A row of two turns."""
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return {"row_id": digest(asked, answered), "messages": messages, **more}


def pair(asked: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    """A preference pair."""
    return {
        "row_id": digest(asked, chosen, rejected),
        "prompt": [{"role": "user", "content": asked}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        **more,
    }


WHAT = ("a short story", "a poem", "a letter", "the recipe", "a plan", "a summary")
WHERE = ("river", "market", "school", "harbour", "kitchen", "forest", "library", "station")


def many_talks(count: int) -> list[dict[str, Any]]:
    """Rows about several things, with an own column of each kind."""
    return [
        talk(
            f"{('Write', 'Give me', 'Explain', 'Translate')[at % 4]} {WHAT[at % 6]} about the {WHERE[at // 6 % 8]} number {at}.",
            f"Here is what you asked for: the {WHERE[at // 6 % 8]} lies at {at} and {at * at}, and that is all there is to say.",
            operations=["deepen", "" if at % 3 else "breadth"][: at % 3],
            source="web" if at % 2 else "book",
            price=at / 4,
            checked=at % 5 == 0,
        )
        for at in range(count)
    ]


FIGURES = RunFigures(
    run="sft-1",
    seconds=12.5,
    requests=90,
    ledger_hits=10,
    prompt_tokens=4_000,
    completion_tokens=9_000,
    cost=0.25,
    steps=[
        StepFigures(name="seeds", rows_in=64, rows=64),
        StepFigures(
            name="text_generation",
            rows_in=64,
            rows=60,
            rejects={"truncated": 4},
            shards=2,
            requests=90,
            ledger_hits=10,
            prompt_tokens=4_000,
            completion_tokens=9_000,
            cost=0.25,
            seconds=11.0,
        ),
    ],
    benchmarks=["gsm8k"],
    judges={
        "agreement": {"helpfulness": {"units": 40, "interval": 0.71, "ordinal": None}},
        "judges": {
            "m": {
                "ratings": 80,
                "position": {"pairs": 30, "first_preferred": 0.6},
                "orders": {"pairs": 0, "turned": None},
                "length": {"pairs": 30, "longer_preferred": 0.9},
            }
        },
    },
)
