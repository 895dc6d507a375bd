"""What the curation of a dataset would take out: by step and reason, with examples. Nothing is written but the ledger.

stillroom curate pairs.jsonl --dry-run
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from flows.runs.make import all_rows
from flows.runs.plan import RunPlan
from flows.runs.run import Run
from tasks.columns import RECORD
from tasks.storage.tables import Table

EXAMPLES = 3
ASKED_FIRST = ("system", "instruction", "input", "prompt", "messages", "conversations")
"""Columns of a record that its other texts answer."""


def what_would_go(plan: RunPlan) -> dict[str, Any]:
    """Send the rows through the curation of a plan; what came of them, as plain JSON. Raises ConfigError as the run would.

        {"source": "pairs.jsonl", "rows_in": 100, "rows": 90, "gone": [{"step": "deduplicate", "reason": "duplicate",
         "rows": 10, "examples": [{"row_id": "9f86...", "detail": "1b4f...", "text": "Name a town."}]}], "seconds": 0.4}

    Its tables are its own and go with it. Answers of models that a part asks are in the ledger, for the run itself.
    """
    plan.check(writes=False)
    began = time.monotonic()
    run = Run.start(replace(plan, runner="threads"), "dry-run")
    with run.under_way, TemporaryDirectory(prefix="dry-run-", dir=run.settings.home) as tables:
        run.settings = run.workers.settings = run.settings.model_copy(update={"tables": tables})
        taken, made = all_rows(run)
        rows = sum(table.rows for table in made)
        gone = [one for step, of_step in run.steps.items() for one in _gone(step, of_step)]
    tally = run.context.accounting.tally
    return {
        "source": plan.seeds if isinstance(plan.seeds, str) else "the list",
        "rows_in": taken,
        "rows": rows if plan.rows is None else min(rows, plan.rows),
        "gone": gone,
        "requests": tally.requests,
        "ledger_hits": tally.ledger_hits,
        "seconds": round(time.monotonic() - began, 2),
    }


def _gone(step: str, tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    """What a step takes out, the commonest reason first."""
    counts: Counter[str] = sum((Counter(table.rejects) for table in tables), Counter())
    examples: dict[str, list[dict[str, str]]] = {reason: [] for reason in counts}
    for table in tables:
        if any(len(examples[reason]) < EXAMPLES for reason in table.rejects):
            frame = table.read_beside("rejects")
            for reject in [] if frame is None else frame.iter_rows(named=True):
                if len(some := examples[reject["reason"]]) < EXAMPLES:
                    some.append(_example(reject))
    for reason, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield {"step": step, "reason": reason, "rows": rows, "examples": examples[reason]}


def _example(reject: Mapping[str, Any]) -> dict[str, str]:
    """A row that would go: why, and what it says (the record as it stands, or what could not be read of it)."""
    held = reject["input"] or ""
    try:
        row = orjson.loads(held)
    except orjson.JSONDecodeError:
        row = None
    record = row.get(RECORD, row) if isinstance(row, dict) else None
    text = _said(record) if isinstance(record, dict) else held
    return {"row_id": reject["row_id"], "detail": reject["detail"], "text": reject["raw"] or text}


def _said(record: Mapping[str, Any]) -> str:
    """The texts of a record, what is asked first."""
    asked = [name for name in ASKED_FIRST if name in record]
    order = [*asked, *(name for name in record if name not in asked)]
    return " / ".join(text for name in order for text in _texts(record[name]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        yield from (value[name] for name in ("content", "value", "text") if isinstance(value.get(name), str))
