"""Runs that nothing needs any more: no dataset holds their rows, and no retry begins with them or counts on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.runs.kept.rows import keep_of_old
from flows.runs.manifests import is_latest, manifest_path, manifests, run_folder
from flows.runs.removal.freed import Freed
from tasks.publish.revisions import history, makers

Manifests = Mapping[str, dict[str, Any]]


def remove_superseded(before: float, freed: Freed) -> Manifests:
    """Remove the runs that are superseded and ended before a time (POSIX); the manifests of those that stay.

    Those that stay are given what a run of today keeps beside its manifest, where an earlier version has left it out.
    """
    past = {loaded["run"]: loaded for loaded in manifests()}
    needed = needed_runs(past)
    gone = {run for run in past if run not in needed and manifest_path(run).stat().st_mtime < before}
    for run in gone:
        freed.remove_folder("runs superseded", run_folder(run))
    stay = {run: loaded for run, loaded in past.items() if run not in gone}
    if not freed.dry:
        for run, loaded in stay.items():
            keep_of_old(loaded, run_folder(run))
    return stay


def needed_runs(past: Manifests) -> set[str]:
    """The runs that datasets are made of, those that a retry can heal, and those that these were retries of.

    A dataset that is not to be seen from here (its folder is relative, or is elsewhere now) may need all of its runs.
    """
    needed: set[str] = set()
    for run, loaded in past.items():
        if _is_needed(loaded):
            while run not in needed and run in past:  # a retry is found from its first run, and counted
                needed.add(run)
                run = past[run]["summary"]["retried"] or run
    return needed


def _is_needed(loaded: Mapping[str, Any]) -> bool:
    lines = history(Path(loaded["summary"]["dataset"]))
    failed = any(table["failed"] for tables in loaded["steps"].values() for table in tables)
    return not lines or loaded["run"] in {line.run for line in makers(lines)} or (failed and is_latest(loaded, lines))
