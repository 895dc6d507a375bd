"""The manifests of earlier runs: which there are, what they refused, and what a retry of one has to ask for again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.runs.kept.epochs import Epochs, epochs_after, epochs_with, highest_of
from tasks.errors import ConfigError, did_you_mean
from tasks.publish.revisions import Publication, history, makers
from tasks.storage.home import home


def manifests() -> Iterator[dict[str, Any]]:
    """All manifests, the newest last."""
    for path in sorted(home().glob("runs/*/manifest.json"), key=lambda p: p.stat().st_mtime):
        yield json.loads(path.read_text(encoding="utf-8"))


def run_folder(run: str) -> Path:
    """Where the manifest of a run lies, and what else of the run outlives its tables."""
    return home() / "runs" / run


def manifest_path(run: str) -> Path:
    """Where the manifest of a run lies, once it is written."""
    return run_folder(run) / "manifest.json"


def manifest(run: str) -> dict[str, Any]:
    """The manifest of a run. Raises ConfigError where there is none."""
    path = manifest_path(run)
    if not path.is_file():
        known = [p.parent.name for p in home().glob("runs/*/manifest.json")]
        raise ConfigError("no such run", run, did_you_mean(run, known, "`stillroom runs` lists them", at_least=0.6))
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
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


def was_published(past: Mapping[str, Any], lines: Sequence[Publication]) -> bool:
    """Whether a run made its dataset (with these publications) what it is, or was: one that was left without a row did not.

    One that was killed once it had published could not say so any more: the publications do.
    """
    published: bool = past["summary"].get("published", True)  # manifests of old do not say
    return published or past["run"] in {line.run for line in makers(lines)}


def is_latest(past: Mapping[str, Any], lines: Sequence[Publication]) -> bool:
    """Whether a run that published nothing is the last that its dataset (with these publications) has seen."""
    return not was_published(past, lines) and past["summary"]["publications"] == len(lines)


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


def epochs_to_retry(run: str) -> Epochs:
    """For each step of a run how often each row has failed there, that run included. Raises ConfigError where that is lost."""
    try:
        return epochs_after(manifest(run), run_folder(run))
    except FileNotFoundError as error:
        raise ConfigError("the tables of the run are gone", f"{run}: {error}", "run it again") from error


def epochs_to_make_anew(lines: Sequence[Publication]) -> Epochs:
    """The epochs that the rows of a dataset were made with, for a run that makes them anew: what was healed stays healed.

    `lines`: the publications that the dataset holds. Only retries count epochs up, and the first of the lines, which
    made all of it, may have had some from before: no other manifest is read. One made from another home has none here.
    """
    counting = [line.run for line in [*lines[:1], *(line for line in lines[1:] if line.retried)]]
    return highest_of([epochs_with(manifest(run), run_folder(run)) for run in counting if manifest_path(run).is_file()])
