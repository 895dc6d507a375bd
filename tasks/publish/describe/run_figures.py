"""What a run leaves in the folder of its dataset besides rows: counts, tokens, cost and time by step, what its judges said.

`run.json`, of the run that published last. The report reads it there: it needs nothing else than the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tasks.errors import ConfigError
from tasks.publish.revisions import RUN_FILE
from tasks.storage.files import write_atomically


class StepFigures(BaseModel, frozen=True):
    """One step. Rows in and out, and what was refused or lost, by reason; requests, tokens, cost; `seconds` as it ran.

    `cached`: shards that an earlier run had made. What was asked and how long it took is 0 where nobody counted.
    """

    name: str
    rows_in: int
    rows: int
    rejects: dict[str, int] = {}
    losses: dict[str, int] = {}
    shards: int = 0
    cached: int = 0
    requests: int = 0
    ledger_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0


class TextLengths(BaseModel, frozen=True):
    """How long texts are, in words (characters, where a script puts no spaces): the mean with half its 95 % interval."""

    rows: int
    mean: float
    error: float


class Evolution(BaseModel, frozen=True):
    """Instructions before and after a step that makes them harder. `operations`: how often each was done; `unchanged`: rows."""

    step: str
    before: TextLengths
    after: TextLengths
    operations: dict[str, int]
    unchanged: int


class RunFigures(BaseModel, frozen=True):
    """What a run came to. `cost` is None where no model has a price; `judges`, `selection` as in its manifest.

    `benchmarks`: what rows were compared with, to leave out what a benchmark asks. `cached_tokens`: of those of prompts, how many
    servers had in their caches, and `cache_write_tokens` wrote there. `embedder`: who embedded the rows, by
    `name` and `identity`, where they were. `instructions`: what the rows said that those which the report shows were made of,
    by their ids.
    """

    run: str
    seconds: float
    requests: int
    ledger_hits: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cost: float | None = None
    steps: list[StepFigures] = []
    evolution: list[Evolution] = []
    judges: dict[str, Any] | None = None
    selection: dict[str, Any] | None = None
    benchmarks: list[str] = []
    embedder: dict[str, str] | None = None
    instructions: dict[str, str] = {}


def write_run_figures(folder: Path, figures: RunFigures) -> None:
    """Write `run.json` into a folder."""
    write_atomically(folder / RUN_FILE, f"{figures.model_dump_json(indent=1)}\n".encode())


def run_figures_of(folder: Path) -> RunFigures | None:
    """What the run behind a dataset left there, None of a dataset of old. Raises ConfigError where the file is none."""
    path = folder / RUN_FILE
    if not path.exists():
        return None
    try:
        return RunFigures.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigError("not what a run writes", path, "remove it, or run again, which asks nothing anew") from error
