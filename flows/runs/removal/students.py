"""Students that no proof and no run of late has used: each is trained again from the same dataset, which takes time alone.

What was measured of a student, and what it answered, stays: it is small, and a proof reads it.
"""

from __future__ import annotations

import json
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from flows.runs.manifests import manifest_path
from flows.runs.removal.freed import Freed
from flows.runs.removal.superseded import Manifests
from tasks.train.student import IN_TRAINING, STUDENT_FILE


def remove_students(before: float, folder: Path, past: Manifests, freed: Freed) -> None:
    """Remove the weights below `folder` that were last used before a time (POSIX), and what a killed training has left.

    A student that a run of `past`, newer than that, names as a model stays, and so does one that is in training.
    """
    recent = [json.dumps(loaded) for run, loaded in past.items() if manifest_path(run).stat().st_mtime >= before]
    for student in sorted(folder.glob(f"*/{STUDENT_FILE}")):
        if _is_old(student, before) and not any(student.parent.name in manifest for manifest in recent):
            freed.remove_folder("students", student.parent)
    for work in sorted(folder.glob(f"*{IN_TRAINING}")):
        if _is_old(work, before):
            _remove_begun(work, freed)


def _is_old(path: Path, before: float) -> bool:
    return path.stat().st_mtime < before


def _remove_begun(work: Path, freed: Freed) -> None:
    """Remove what a training has left, unless it goes on: whoever trains holds the lock."""
    with work.with_suffix(".lock").open("a") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return
        freed.remove_folder("students", work)
