"""The manifests of earlier runs: which there are, what they refused, and what a retry of one has to ask for again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.home import home
from tasks.engine.tables import Table, write_table
from tasks.errors import ConfigError


def manifests() -> Iterator[dict[str, Any]]:
    """All manifests, the newest last."""
    for path in sorted(home().glob("runs/*/manifest.json"), key=lambda p: p.stat().st_mtime):
        yield json.loads(path.read_text())


def manifest(run: str) -> dict[str, Any]:
    """The manifest of a run. Raises ConfigError where there is none."""
    path = home() / "runs" / run / "manifest.json"
    if not path.is_file():
        known = [p.parent.name for p in home().glob("runs/*/manifest.json")]
        near = get_close_matches(run, known, 1)
        raise ConfigError("no such run", run, f"did you mean {near[0]}?" if near else "`stillroom runs` lists them")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def epochs_after(run: str) -> dict[str, Table]:
    """For each step of a run a table of `row_id` and `epoch`: how often each row has failed there, that run included."""
    past = manifest(run)
    epochs = {}
    for step, tables in past["steps"].items():
        counts = _counts(past["settings"]["epochs"].get(step))
        for table in map(Table.model_validate, tables):
            rejects = table.read_beside("rejects") if table.failed else None
            if rejects is not None:
                for row_id in rejects.filter(pl.col("kind") == "failed")["row_id"]:
                    counts[row_id] = counts.get(row_id, 0) + 1
        if counts:
            epochs[step] = _written(counts, home() / "runs" / run / "epochs" / f"{step}.parquet")
    return epochs


def _counts(earlier: dict[str, Any] | None) -> dict[str, int]:
    if earlier is None:
        return {}
    frame = Table.model_validate(earlier).read()
    return dict(zip(frame["row_id"].to_list(), frame["epoch"].to_list(), strict=True))


def _written(counts: dict[str, int], path: Path) -> Table:
    frame = pl.DataFrame({"row_id": list(counts), "epoch": list(counts.values())}).sort("row_id")
    return write_table(path, "epochs", frame, {})
