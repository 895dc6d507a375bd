"""The recipes of an SFT dataset: what each begins with, and which techniques its rows go through.

Nothing here needs Prefect: a flow, an estimate and a preview send rows through the same recipes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.candidates import BlankRows, Candidates, GivenRows, SeedRows
from flows.config import InstructionSFT
from flows.recipes.steps import Steps
from flows.runs.checks import open_models
from tasks.engine.seed_batches import Source
from tasks.engine.sources import open_source
from tasks.engine.tables import Table
from tasks.errors import ConfigError
from tasks.generate.basic_prompting import TOPICS, basic_prompting
from tasks.generate.bootstrap import bootstrap
from tasks.generate.evol_instruct import evol_instruct
from tasks.generate.magpie import magpie
from tasks.generate.self_instruct import self_instruct
from tasks.generate.text_generation import text_generation
from tasks.models.open import DEMO
from tasks.publish.dataset import check_folder
from tasks.seeds.known_formats import Reading

SPARE = 1.1  # a first wave asks for this much more than it needs, where a number of rows is wanted
BLANKS_PER_ROW = 10  # recipe basic gives up on reaching `rows` after this many tries for each
DEMO_SEEDS = DEMO.parent / "seeds.jsonl"


def pipeline(config: InstructionSFT, run: Steps, wave: Sequence[Table]) -> list[Table]:
    """The techniques of the recipe, each shard on its own way through them; the tables of responses, in order."""
    tables: list[Any] = list(wave)
    match config.recipe, config.start_from if config.recipe == "basic" else config.mode:
        case "basic", "magpie":
            tables = run.through(magpie, tables, config.magpie)
        case "basic", "prompting":
            tables = run.through(basic_prompting, tables, config.basic_prompting)
        case "seeded" | "evolved", "bootstrap":
            tables = run.whole(bootstrap, tables, config.bootstrap)
        case "seeded" | "evolved", "context":
            tables = run.through(self_instruct, tables, config.self_instruct)
    return responses_to(config, run, tables)


def responses_to(config: InstructionSFT, run: Steps, instructions: Sequence[Any]) -> list[Table]:
    """The second half of `pipeline`: from tables of instructions (or futures of them) to responses."""
    tables = list(instructions)
    if config.recipe == "evolved":
        tables = run.through(evol_instruct, tables, config.evol_instruct)
    run.through(text_generation, tables, config.text_generation)
    return run.settled()


def check(config: InstructionSFT) -> None:
    """Raise ConfigError for the mistakes that can be seen without starting anything."""
    folder_of(config)
    open_models(config)
    if config.retry is not None:
        return  # it begins with the very rows that the run it heals began with
    if config.recipe != "basic":
        seeds_of(config).check()
    elif config.rows is None:
        raise ConfigError("recipe basic needs to know how many rows to make", None, "give --rows N")


def folder_of(config: InstructionSFT) -> Path:
    """The folder of the dataset, made."""
    return check_folder(Path(config.out or f"datasets/{config.dataset}"))


def candidates_of(config: InstructionSFT, run: Steps) -> Candidates:
    """Where the recipe's first rows come from."""
    settings, night = run.settings, run.night
    if (given := night.given()) is not None:
        return GivenRows(given)
    if config.recipe != "basic":
        return SeedRows(seeds_of(config), settings, config.shard_rows, config.max_seeds, night.seen)
    if config.start_from == "magpie":
        return BlankRows(("magpie", config.magpie), settings, config.shard_rows, first=night.first_blank)
    topics = [{"topic": topic} for topic in config.basic_prompting.topics or TOPICS]
    return BlankRows(
        ("basic_prompting", config.basic_prompting), settings, config.shard_rows, topics, night.first_blank
    )


def seeds_of(config: InstructionSFT) -> Source:
    """The seeds; the demo model's own where none are given."""
    if config.seeds is None and config.model.name != "demo":
        raise ConfigError("no seeds", None, "give --seeds FILE; only the demo model has seeds of its own")
    seeds = config.seeds if config.seeds is not None else str(DEMO_SEEDS)
    return open_source(seeds, columns=config.columns, reading=reading_of(config))


def reading_of(config: InstructionSFT) -> Reading:
    """What the recipe takes of its seeds: given answers only where they are kept, and columns apart for a template."""
    answers = config.recipe == "respond" and config.text_generation.keep_responses
    joined = config.recipe != "respond" or not config.text_generation.template
    return Reading(answers, joined, pools=False, bad=config.bad_seeds)


def next_wave(config: InstructionSFT, taken: float, accepted: float) -> int | None:
    """How many candidates to take next: all, or as many as the rows still wanted are likely to need."""
    if config.rows is None or (config.mode == "bootstrap" and config.recipe != "basic"):
        return None
    each = accepted / taken if accepted else _rows_of_each(config)
    return max(1, math.ceil((config.rows - accepted) / each * SPARE))


def _rows_of_each(config: InstructionSFT) -> float:
    """Rows that come of one candidate when nothing is refused."""
    queries = config.self_instruct.queries if config.recipe in ("seeded", "evolved") else 1
    return queries * config.text_generation.generations


def is_hopeless(config: InstructionSFT, taken: float) -> bool:
    """Whether so many candidates are enough to give up on reaching `rows`."""
    return config.recipe == "basic" and config.rows is not None and taken >= BLANKS_PER_ROW * config.rows
