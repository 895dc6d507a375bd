"""Before a run: a few of its rows through all steps, with every word that is asked and answered.

    stillroom sft --recipe evolved --seeds seeds.jsonl --model M --preview 5

In this process, without Prefect. Each row goes its own way; where it becomes several, the first of them goes on. The rows
are those that the run begins with, so that their answers are in the ledger and the run does not pay for them again.
Nothing is published.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.nights import Night
from flows.recipes import dpo, sft
from flows.runs.timing import span_s
from tasks.engine.context import Context
from tasks.engine.home import check_home, home, ledger_url
from tasks.engine.keys import epochs_of
from tasks.engine.process import Roles, Settings, process
from tasks.engine.shard import Outcome, run_shard
from tasks.engine.table_step import TableStep, run_table_step
from tasks.engine.tables import Table, write_table
from tasks.engine.technique import Technique
from tasks.engine.trace import Asked
from tasks.errors import ConfigError, Interrupted

RUN = "preview"
THREADS = 16  # which only wait


def preview(config: RunConfig, rows: int) -> dict[str, Any]:
    """Send the first `rows` rows of a run through its recipe; what became of them at each step, as plain JSON.

    Raises ConfigError as the run would, and Interrupted where it is told to stop.
    """
    config = config.model_copy(update={"runner": "threads", "retry": None})
    if isinstance(config, InstructionSFT):
        return _preview_sft(config, rows)
    assert isinstance(config, PreferenceDPO)
    return _preview_dpo(config, rows)


def _preview_sft(config: InstructionSFT, rows: int) -> dict[str, Any]:
    bootstraps = config.mode == "bootstrap" and config.recipe in ("seeded", "evolved")
    a_few = {"prompts_per_round": min(rows, config.bootstrap.prompts_per_round), "max_rounds": 1}
    config = config.model_copy(
        update={"rows": config.rows or rows, "bootstrap": config.bootstrap.model_copy(update=a_few)}
    )
    sft.check(config)
    # the prompts of a bootstrap show tasks drawn from all seeds
    lanes = config if bootstraps else config.model_copy(update={"shard_rows": 1})
    with Preview.of("sft", config, sft.folder_of(config), rows) as shown:
        candidates = sft.candidates_of(lanes, shown)
        try:
            first = shown.begin(candidates.take(None if bootstraps else rows), silent=bootstraps)
        finally:
            candidates.close()
        sft.pipeline(config, shown, first)
        return shown.told()


def _preview_dpo(config: PreferenceDPO, rows: int) -> dict[str, Any]:
    dpo.check(config)
    with Preview.of("dpo", config, dpo.folder_of(config), rows) as shown:
        candidates = dpo.candidates_of(config.model_copy(update={"shard_rows": 1}), shown)
        try:
            first = shown.begin(candidates.take(rows))
        finally:
            candidates.close()
        dpo.pipeline(config, shown, first)
        return shown.told()


@dataclass(frozen=True, slots=True)
class Passage:
    """What went into a step together (one row, or all rows of a table step), and what became of it."""

    frame: pl.DataFrame
    outcome: Outcome


@dataclass
class Preview:
    """A run of a few rows, a lane each. Implements `Steps`.

    `passages`: by step, in the order of the recipe, and within it by lane; lane None is a step over the whole table.
    """

    config: RunConfig
    rows: int
    settings: Settings
    night: Night
    context: Context
    pool: ThreadPoolExecutor
    started: float = field(default_factory=time.perf_counter)
    passages: dict[str, dict[int | None, Passage]] = field(default_factory=dict)
    _under_way: list[list[Future[Table]]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def of(cls, kind: str, config: RunConfig, out: Path, rows: int) -> Iterator[Preview]:
        """A preview for as long as the block runs. Raises ConfigError where the ledger cannot be opened."""
        check_home()
        process.forget(RUN)
        night = Night.begin(out, kind, config, None)
        with TemporaryDirectory(prefix=f"{RUN}-", dir=home()) as tables, ThreadPoolExecutor(THREADS, RUN) as pool:
            settings = Settings(
                run=RUN, home=home(), ledger=ledger_url(), tables=tables, seed=config.seed, language=config.language,
                max_attempts=config.max_attempts, budget=config.budget(), epochs=night.epochs(RUN),
            )  # fmt: skip
            context = process.context(settings)
            context.receipts, context.asked = [], []
            yield cls(config, rows, settings, night, context, pool)

    @property
    def models(self) -> Roles:
        """The models of the run, by role."""
        return self.config.models()

    def begin(self, tables: Sequence[Table], *, silent: bool = False) -> list[Table]:
        """Note what the run begins with, refused seeds too; the tables that have rows. `silent`: note nothing."""
        for lane, table in enumerate([] if silent else tables):
            rejects = table.read_beside("rejects")
            if rejects is not None:
                refused, nothing = rejects.select("row_id", "input"), pl.DataFrame()
                self._note("seeds", lane, Passage(refused, Outcome(nothing, rejects, nothing, nothing)))
        return [table for table in tables if table.rows]

    def through(self, step: Technique[Any], tables: Sequence[Any], params: Any) -> list[Any]:
        """Send the first row of each table (or future of one) through a technique; the futures of what comes out."""
        self.passages.setdefault(step.name, {})
        models = process.models(self.models, self.context)

        def work(lane: int, table: Table | Future[Table]) -> Table:
            made = table.result() if isinstance(table, Future) else table
            frame = made.read()[:1]
            if frame.is_empty():
                return made
            epochs = self._epochs(step.name, frame)
            outcome = run_shard(step, frame, models, params, self.context, gate=process.gate, order=lane, epochs=epochs)
            self._note(step.name, lane, Passage(frame, outcome))
            return self._written(step.name, str(lane), frame, outcome)

        futures = [self.pool.submit(work, lane, table) for lane, table in enumerate(tables)]
        self._under_way.append(futures)
        return futures

    def whole(self, step: TableStep[Any], tables: Sequence[Any], params: Any) -> list[Table]:
        """Send all tables through a table step; the first rows of what comes out, each in a table of its own."""
        frame = pl.concat([table.read() for table in tables], how="vertical")
        models = process.models(self.models, self.context)
        epochs = self._epochs(step.name, frame)
        outcome = run_table_step(step, frame, models, params, self.context, epochs=epochs)
        self._note(step.name, None, Passage(frame, outcome))
        return self._written(step.name, "whole", frame, outcome).split(1)[: self.rows]

    def settled(self) -> list[Table]:
        """Wait for all lanes; the tables of the last step. Raises the error that a lane ended with, a permanent one first."""
        under_way, self._under_way = self._under_way, []
        lanes = [future for futures in under_way for future in futures]
        errors = [error for future in lanes if (error := future.exception()) is not None]
        for kind in (ConfigError, Interrupted, BaseException):
            for error in errors:
                if isinstance(error, kind):
                    raise error
        if self.context.stop.is_set():
            raise Interrupted
        return [future.result() for future in under_way[-1]] if under_way else []

    def told(self) -> dict[str, Any]:
        """What became of the rows, and what it took."""
        tally, receipts = self.context.tally, self.context.receipts or []
        priced = any(model.is_priced for models in self.models.values() for model in models)
        return {
            "recipe": self.config.full_recipe,
            "steps": [
                {
                    "step": step,
                    "rows": [self._entry(step, lane, passages[lane]) for lane in sorted(passages, key=_lane)],
                }
                for step, passages in self.passages.items()
            ],
            "requests": tally.requests,
            "ledger_hits": tally.ledger_hits,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            "cost": round(tally.cost, 6) if priced else None,
            "ended": "budget reached" if self.context.budget_reached else "completed",
            "model_seconds": round(span_s((r.begun_s, r.ended_s) for r in receipts if r.begun_s is not None), 3),
            "seconds": round(time.perf_counter() - self.started, 3),
        }

    def _entry(self, step: str, lane: int | None, passage: Passage) -> dict[str, Any]:
        frame, outcome = passage.frame, passage.outcome
        row = frame.row(0, named=True) if lane is not None and frame.height else {}
        asked = [
            a for a in self.context.asked or [] if a.step == step and (lane is None or a.row_id == row.get("row_id"))
        ]
        rejects = (
            outcome.rejects if lane is not None else outcome.rejects.clear()
        )  # a step cut short refuses nothing yet
        return {
            "lane": lane,
            "rows_in": frame.height,
            "input": _plain(row),
            "asked": [_told(one) for one in asked],
            "made": [_changed(made, row) for made in outcome.rows.iter_rows(named=True)],
            "rejects": [_loss(reject) for reject in rejects.iter_rows(named=True)],
            "losses": [_loss(loss) for loss in outcome.losses.iter_rows(named=True)],
            "pending": outcome.pending,
        }

    def _note(self, step: str, lane: int | None, passage: Passage) -> None:
        self.passages.setdefault(step, {})[lane] = passage

    def _written(self, step: str, name: str, frame: pl.DataFrame, outcome: Outcome) -> Table:
        place = f"{self.settings.tables}/{step}/{name}.parquet"
        return write_table(place, step, outcome.rows, {}, rows_in=frame.height, pending=outcome.pending)

    def _epochs(self, step: str, frame: pl.DataFrame) -> dict[str, int]:
        failed_before = self.settings.epochs.get(step)
        return epochs_of(failed_before.read(), frame["row_id"].to_list()) if failed_before else {}


def _lane(lane: int | None) -> int:
    return -1 if lane is None else lane


def _told(asked: Asked) -> dict[str, Any]:
    """An attempt as plain JSON."""
    request, answer = asked.request, asked.completion
    words = {"prompt": request.prompt} if request.prompt is not None else {"messages": list(request.messages or ())}
    return {
        "row_id": asked.row_id,
        "role": asked.role,
        "model": asked.model,
        "template": asked.template,
        "sample": asked.sample,
        "attempt": asked.attempt,
        **words,
        "answer": None if answer is None else answer.text,
        "reasoning": None if answer is None else answer.reasoning,
        "finish_reason": None if answer is None else answer.finish_reason,
        "prompt_tokens": 0 if answer is None else answer.prompt_tokens,
        "completion_tokens": 0 if answer is None else answer.completion_tokens,
        "on_record": answer is not None and not asked.is_paid,
        "refused": asked.refused or None,
    }


def _changed(made: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """A row that came out: its id, and the columns that are not as they were."""
    return _plain(
        {name: value for name, value in made.items() if value is not None and (name not in row or row[name] != value)}
    )


def _loss(loss: dict[str, Any]) -> dict[str, Any]:
    return {name: loss[name] for name in ("row_id", "kind", "reason", "detail", "attempts", "raw")}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(orjson.dumps(row, default=str))
    return plain
