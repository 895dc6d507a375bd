"""A small world for the engine's laws: a ledger in a folder, a scripted model, and shards run as the flows run them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.accounting import Accounting, Budget
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.engine.row import seed_row_id
from tasks.engine.shard import Outcome, Place, run_shard
from tasks.engine.technique import Technique
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.ledger.ledger import Ledger
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel


class World:
    """Runs of `text_generation` (or another technique) over instructions, on one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def run(
        self,
        instructions: Sequence[str],
        rule: Rule,
        *,
        shard_rows: int = 1000,
        in_flight: int = 64,
        stop_after: int = 0,
        technique: Technique[Any] = text_generation,
        params: Any = None,
        epochs: Mapping[str, int] | None = None,
        config: ModelConfig | None = None,
        **context: Any,
    ) -> Run:
        """Run the instructions through the technique, all shards at once."""
        accounting = Accounting(context.pop("budget", Budget()))
        run = Run(Context(self.ledger, accounting=accounting, **context), ScriptedModel(rule, max_in_flight=in_flight))
        if stop_after:
            run.model._answers = run.stopping(rule, stop_after)
        models = Models({"generator": [Member(run.model, config or ModelConfig(name="scripted"))]}, run.context)
        admission = Admission()
        admission.widen(in_flight)
        frame = seeds(instructions)
        shards = [frame[start : start + shard_rows] for start in range(0, max(1, frame.height), shard_rows)]

        def one(order: int) -> Outcome:
            return run_shard(
                technique,
                shards[order],
                models,
                params or TextGeneration(),
                run.context,
                admission=admission,
                place=Place(order),
                epochs=epochs,
            )

        with ThreadPoolExecutor(16) as pool:
            run.outcomes = list(pool.map(one, range(len(shards))))
        return run


class Run:
    """What came of a run."""

    def __init__(self, context: Context, model: ScriptedModel) -> None:
        self.context, self.model = context, model
        self.outcomes: list[Outcome] = []

    @property
    def requests(self) -> int:
        return len(self.model.requests)

    @property
    def pending(self) -> int:
        return sum(outcome.pending for outcome in self.outcomes)

    def frame(self, name: str = "rows") -> pl.DataFrame:
        """All rows, rejects, losses or provenance, in order."""
        return pl.concat([getattr(outcome, name) for outcome in self.outcomes])

    def reasons(self) -> dict[str, int]:
        return dict(self.frame("rejects")["reason"].value_counts().iter_rows())

    def stopping(self, rule: Rule, after: int) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            if self.requests >= after:
                self.context.stop.set()
            return rule(request)

        return answer


def seeds(instructions: Sequence[str]) -> pl.DataFrame:
    """Instructions as a table of seeds."""
    ids = [seed_row_id({"instruction": text}) for text in instructions]
    return pl.DataFrame(
        {"row_id": ids, "instruction": list(instructions)}, schema={"row_id": pl.String, "instruction": pl.String}
    )


@contextmanager
def world(where: Path | str) -> Iterator[World]:
    """A world whose ledger lies in a folder, or at a URL."""
    ledger = Ledger(where if isinstance(where, str) else f"sqlite:///{where / 'ledger.sqlite'}")
    try:
        yield World(ledger)
    finally:
        run_in_loop(ledger.close())
