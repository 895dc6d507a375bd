"""The manifests of earlier runs: which there are, what they refused, and what a retry of one has to ask for again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.home import home, tables_root
from tasks.engine.tables import Table, write_table
from tasks.errors import ConfigError
from tasks.publish.revisions import Publication, history, makers


def manifests() -> Iterator[dict[str, Any]]:
    """All manifests, the newest last."""
    for path in sorted(home().glob("runs/*/manifest.json"), key=lambda p: p.stat().st_mtime):
        yield json.loads(path.read_text())


def manifest_path(run: str) -> Path:
    """Where the manifest of a run lies, once it is written."""
    return home() / "runs" / run / "manifest.json"


def manifest(run: str) -> dict[str, Any]:
    """The manifest of a run. Raises ConfigError where there is none."""
    path = manifest_path(run)
    if not path.is_file():
        known = [p.parent.name for p in home().glob("runs/*/manifest.json")]
        near = get_close_matches(run, known, 1)
        raise ConfigError("no such run", run, f"did you mean {near[0]}?" if near else "`stillroom runs` lists them")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def latest_retry(run: str) -> str:
    """The newest retry of a run, or of its retry, and so on; the run itself where it was not retried.

    Raises ConfigError where there is no such run.
    """
    manifest(run)
    for past in manifests():  # the oldest first: a retry comes after what it retries
        if past["summary"]["retried"] == run:
            run = past["run"]
    return run


def was_published(past: Mapping[str, Any]) -> bool:
    """Whether a run made its dataset what it is, or was: one that was left without a row did not."""
    published: bool = past["summary"].get("published", True)  # manifests of old do not say
    return published


def is_latest(past: Mapping[str, Any], lines: Sequence[Publication]) -> bool:
    """Whether a run that published nothing is the last that its dataset (with these publications) has seen."""
    return not was_published(past) and past["summary"]["publications"] == len(lines)


def runs_to_heal(most_times: int) -> list[str]:
    """The runs that left failed rows, and that datasets are made of, or would be: the oldest first; of each its latest retry.

    One that was retried `most_times` is left alone: what fails again and again would be paid for every night.
    """
    past = {loaded["run"]: loaded for loaded in manifests()}
    healed = {loaded["summary"]["retried"] for name, loaded in past.items() if loaded["summary"]["retried"] != name}
    found = []
    for name, loaded in past.items():
        lines = history(Path(loaded["summary"]["dataset"]))
        makes = name in {line.run for line in makers(lines)} or is_latest(loaded, lines)
        failed = sum(table["failed"] for tables in loaded["steps"].values() for table in tables)
        if makes and failed and name not in healed and _times_retried(loaded, past) < most_times:
            found.append(name)
    return found


def _times_retried(loaded: dict[str, Any], past: Mapping[str, dict[str, Any]]) -> int:
    times = 0
    while (before := loaded["summary"]["retried"]) is not None and before in past:
        times += 1
        if before == loaded["run"]:  # the same flow run once more
            break
        loaded = past[before]
    return times


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
            epochs[step] = _written(counts, f"{tables_root()}/epochs/{run}/{step}.parquet")
    return epochs


def epochs_before(run: str, lines: Sequence[Publication]) -> dict[str, Table]:
    """The epochs that the rows of a dataset were made with, for a run that makes them anew: what was healed stays healed.

    `lines`: the publications that the dataset holds. Only retries count epochs up, and the first of the lines, which
    made all of it, may have had some from before: no other manifest is read.
    """
    counts: dict[str, dict[str, int]] = {}
    for line in [*lines[:1], *(line for line in lines[1:] if line.retried)]:
        if not manifest_path(line.run).is_file():
            continue  # made from another home
        for step, table in manifest(line.run)["settings"]["epochs"].items():
            known = counts.setdefault(step, {})
            for row_id, epoch in _counts(table).items():
                known[row_id] = max(epoch, known.get(row_id, 0))
    return {
        step: _written(known, f"{tables_root()}/epochs/{run}/before/{step}.parquet") for step, known in counts.items()
    }


def _counts(earlier: dict[str, Any] | None) -> dict[str, int]:
    if earlier is None:
        return {}
    frame = Table.model_validate(earlier).read()
    return dict(zip(frame["row_id"].to_list(), frame["epoch"].to_list(), strict=True))


def _written(counts: dict[str, int], place: str) -> Table:
    frame = pl.DataFrame({"row_id": list(counts), "epoch": list(counts.values())}).sort("row_id")
    return write_table(place, "epochs", frame, {})
