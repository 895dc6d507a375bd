"""Runs of `text_generation` against a server on loopback: the engine, a ledger in a folder, and what a user is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.engine.shard import Outcome, Place, run_shard
from tasks.engine.technique import Technique
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.ledger.database import engine_of
from tasks.ledger.ledger import Ledger
from tasks.ledger.statements import FOUND
from tasks.ledger.stored import stored_completion
from tasks.models.base import Completion
from tasks.models.config import ModelConfig
from tasks.notices import heard
from tests.engine.world import seeds
from tests.models.asking import opened


@dataclass
class Served:
    """What came of a run: its rows, or the error that ended it; the lines that were told; the ledger's completions."""

    context: Context
    outcome: Outcome | None = None
    error: Exception | None = None
    told: list[str] = field(default_factory=list)
    on_record: list[Completion] = field(default_factory=list)

    @property
    def responses(self) -> list[str]:
        assert self.outcome is not None, self.error
        return self.outcome.rows["response"].to_list()

    @property
    def reasons(self) -> list[str]:
        assert self.outcome is not None, self.error
        return self.outcome.rejects["reason"].to_list()

    @property
    def reasoning(self) -> list[str | None]:
        assert self.outcome is not None, self.error
        return self.outcome.provenance["reasoning"].to_list()

    @property
    def losses(self) -> list[str]:
        assert self.outcome is not None, self.error
        return self.outcome.losses["reason"].to_list()


def run_served(
    name: str,
    folder: Path,
    instructions: Sequence[str],
    *,
    technique: Technique[Any] = text_generation,
    params: Any = None,
    shards: int = 1,
    context: dict[str, Any] | None = None,
    ledger_url: str = "",
    **config: Any,
) -> Served:
    """One shard of instructions against the endpoint of this name, on the ledger in a folder, or at a URL."""
    url = ledger_url or f"sqlite:///{folder / 'ledger.sqlite'}"
    ledger = Ledger(url)
    model, settings = opened(name, **config), ModelConfig(name=name, **config)
    run = Served(Context(ledger, **(context or {})))
    models, admission = Models({"generator": [Member(model, settings)]}, run.context), Admission()
    admission.widen(settings.max_in_flight)
    try:
        with heard(run.told.append):
            run.outcome = run_shard(
                technique,
                seeds(instructions),
                models,
                params or TextGeneration(),
                run.context,
                admission=admission,
                place=Place(0, shards),
            )
    except Exception as error:  # noqa: BLE001 - the tests look at it
        run.error = error
    finally:
        run_in_loop(model.close())
        run_in_loop(ledger.close())
    run.on_record = completions_in(url)
    return run


def completions_in(url: str) -> list[Completion]:
    """Everything that is on record."""
    engine = engine_of(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT {', '.join(FOUND)} FROM completions").all()
    engine.dispose()
    return [stored_completion(row) for row in rows]
