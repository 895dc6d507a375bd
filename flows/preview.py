"""Before a run: a few of its rows through all steps, with every word that is asked and answered.

    stillroom sft --recipe evolved --seeds seeds.jsonl --model M --preview 5

In this process, without Prefect. Each row goes its own way; where it becomes several, the first of them goes on. The rows
are those that the run begins with, so that their answers are in the ledger and the run does not pay for them again.
Nothing is published.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl

from flows.config import RunConfig
from flows.runs.candidates import candidates_of
from flows.runs.lineage import Lineage
from flows.runs.plan import RunPlan, plan_of
from flows.runs.prompt_set import tell_of_prompts
from flows.runs.timing import span_s
from flows.runs.verdict import raise_first
from tasks.engine.context import Context
from tasks.engine.keys import epochs_of
from tasks.engine.process import Settings, process
from tasks.engine.requests.trace import Asked
from tasks.engine.shard import Outcome, Place, run_shard, run_table_step
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError, Interrupted
from tasks.generate.bootstrap import bootstrap
from tasks.models.config import Roles
from tasks.storage.home import check_home, home
from tasks.storage.tables import Table, write_table

RUN = "preview"
THREADS = 16  # which only wait
See = Callable[[str, dict[str, Any]], None]
"""Is shown what became of a row at a step, as `told` has it, as soon as it is known; one call at a time."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """One of the rows, by its lane, asked anew: draw 1, 2, ... differ from the run's answers, and from each other."""

    lane: int
    draw: int


def preview(config: RunConfig, rows: int, see: See | None = None, again: AskedAgain | None = None) -> dict[str, Any]:
    """Send the first `rows` rows of a run through its recipe; what became of them at each step, as plain JSON.

    `again`: only this one of them, with other answers to the same prompts; the run knows nothing of them. Raises
    ConfigError as the run would, and for a row that there is not; Interrupted where it is told to stop.
    """
    plan = replace(plan_of(config), runner="threads", retry=None)
    plan = replace(plan, rows=plan.rows or rows if plan.kind == "sft" else None)
    # the prompts of a bootstrap show tasks drawn from all seeds
    bootstraps = plan.takes_all_at_once
    if any(step.name == bootstrap.name for step, _ in plan.outline()):
        most = plan.params_of(bootstrap).prompts_per_round  # type: ignore[attr-defined]
        plan = plan.with_params(bootstrap.name, prompts_per_round=min(rows, most), max_rounds=1)
    plan.check()
    if again and bootstraps:
        raise ConfigError("the rows of this recipe are made together", None, "try all of them again")
    with Preview.of(plan, rows, see) as shown:
        shown.context.draw = (again.draw,) if again else ()
        lanes = plan if bootstraps else replace(plan, shard_rows=1)
        candidates = candidates_of(lanes, shown.settings, shown.lineage)
        try:
            taken = candidates.take(plan.next_wave(0, 0) if bootstraps else rows)
            first = shown.begin(_alone(taken, again) if again else taken, silent=bootstraps)
        finally:
            candidates.close()
        plan.recipe.function(shown, first)
        shown.settled()
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

    plan: RunPlan
    rows: int
    settings: Settings
    lineage: Lineage
    context: Context
    pool: ThreadPoolExecutor
    see: See | None = None
    started: float = field(default_factory=time.perf_counter)
    passages: dict[str, dict[int | None, Passage]] = field(default_factory=dict)
    _under_way: list[list[Future[Table]]] = field(default_factory=list)
    _showing: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def of(cls, plan: RunPlan, rows: int, see: See | None = None) -> Iterator[Preview]:
        """A preview for as long as the block runs. Raises ConfigError where the ledger cannot be opened."""
        check_home()
        process.forget(RUN)
        lineage = Lineage.begin(plan, None)
        tell_of_prompts(plan.prompts, plan.models, plan.folder, plan.told["prompt_set"])
        with TemporaryDirectory(prefix=f"{RUN}-", dir=home()) as tables, ThreadPoolExecutor(THREADS, RUN) as pool:
            settings = plan.settings(RUN, tables, lineage.epochs(RUN, tables))
            context = process.context(settings)
            context.accounting.records, context.asked, context.one_by_one = [], [], True
            yield cls(plan, rows, settings, lineage, context, pool, see)

    @property
    def options(self) -> Mapping[str, Any]:
        """What the recipe itself was told."""
        return self.plan.options

    def has(self, step: Technique[Any] | TableStep[Any]) -> bool:
        """Whether the user has said anything about a step."""
        return self.plan.has(step)

    @property
    def models(self) -> Roles:
        """The models of the run, by role."""
        return self.plan.models

    def begin(self, tables: Sequence[Table], *, silent: bool = False) -> list[Table]:
        """Note what the run begins with, refused seeds too; the tables that have rows. `silent`: note nothing."""
        for lane, table in enumerate([] if silent else tables):
            rejects = table.read_beside("rejects")
            if rejects is not None:
                refused, nothing = rejects.select("row_id", "input"), pl.DataFrame()
                self._note("seeds", lane, Passage(refused, Outcome(nothing, rejects, nothing, nothing)))
        return [table for table in tables if table.rows]

    def through(self, step: Technique[Any], tables: Sequence[Any], default: Params | None = None) -> list[Any]:
        """Send the first row of each table (or future of one) through a technique; the futures of what comes out."""
        self.passages.setdefault(step.name, {})
        models = process.models(self.models, self.context)
        params = self.plan.params_of(step, default)

        def work(lane: int, table: Table | Future[Table]) -> Table:
            made = table.result() if isinstance(table, Future) else table
            frame = made.read()[:1]
            if frame.is_empty():
                return made
            epochs = self._epochs(step.name, frame)
            outcome = run_shard(
                step, frame, models, params, self.context, admission=process.admission, place=Place(lane), epochs=epochs
            )
            self._note(step.name, lane, Passage(frame, outcome))
            return self._written(step.name, str(lane), frame, outcome)

        futures = [self.pool.submit(work, lane, table) for lane, table in enumerate(tables)]
        self._under_way.append(futures)
        return futures

    def whole(self, step: TableStep[Any], tables: Sequence[Any], default: Params | None = None) -> list[Table]:
        """Send all tables through a table step; the first rows of what comes out, each in a table of its own."""
        frame = pl.concat([table.read() for table in tables], how="vertical")
        models = process.models(self.models, self.context)
        epochs = self._epochs(step.name, frame)
        params = self.plan.params_of(step, default)
        outcome = run_table_step(step, frame, models, params, self.context, epochs=epochs)
        self._note(step.name, None, Passage(frame, outcome))
        return self._written(step.name, "whole", frame, outcome).split(1)[: self.rows]

    def settled(self) -> list[Table]:
        """Wait for all lanes; the tables of the last step. Raises the error that a lane ended with, a permanent one first."""
        under_way, self._under_way = self._under_way, []
        lanes = [future for futures in under_way for future in futures]
        errors = [error for future in lanes if (error := future.exception()) is not None]
        raise_first(errors)
        if self.context.stop.is_set():
            raise Interrupted
        return [future.result() for future in under_way[-1]] if under_way else []

    def told(self) -> dict[str, Any]:
        """What became of the rows, and what it took."""
        accounting, records = self.context.accounting, self.context.accounting.records or []
        return {
            "recipe": self.plan.recipe.full_name,
            "steps": [
                {
                    "step": step,
                    "rows": [
                        self._entry(step, lane, passages[lane])
                        for lane in sorted(passages, key=lambda lane: -1 if lane is None else lane)
                    ],
                }
                for step, passages in self.passages.items()
            ],
            **accounting.tally.figures(is_priced=self.plan.is_priced),
            "ended": "budget reached" if accounting.is_spent else "completed",
            "model_seconds": round(span_s((r.begun_s, r.ended_s) for r in records if r.begun_s is not None), 3),
            "seconds": round(time.perf_counter() - self.started, 3),
        }

    def _entry(self, step: str, lane: int | None, passage: Passage) -> dict[str, Any]:
        asked = [one for one in self.context.asked or [] if one.step == step]
        if lane is not None:
            ids = set(passage.frame["row_id"])
            return {"lane": lane, **passage_told(passage, [one for one in asked if one.row_id in ids])}
        # a step cut short refuses nothing yet
        whole = replace(passage.outcome, rejects=passage.outcome.rejects.clear())
        return {"lane": lane, **passage_told(Passage(passage.frame, whole), asked, of_row=False)}

    def _note(self, step: str, lane: int | None, passage: Passage) -> None:
        self.passages.setdefault(step, {})[lane] = passage
        if self.see is not None:
            with self._showing:
                self.see(step, self._entry(step, lane, passage))

    def _written(self, step: str, name: str, frame: pl.DataFrame, outcome: Outcome) -> Table:
        place = f"{self.settings.tables}/{step}/{name}.parquet"
        return write_table(place, step, outcome.rows, {}, rows_in=frame.height, pending=outcome.pending)

    def _epochs(self, step: str, frame: pl.DataFrame) -> dict[str, int]:
        failed_before = self.settings.epochs.get(step)
        return epochs_of(failed_before.read(), frame["row_id"].to_list()) if failed_before else {}


def _alone(taken: Sequence[Table], again: AskedAgain) -> Sequence[Table]:
    """The row that is asked again."""
    if again.lane >= len(taken):
        raise ConfigError("no such row", again.lane + 1, f"there are {len(taken)}")
    return taken[again.lane : again.lane + 1]


def passage_told(passage: Passage, asked: Sequence[Asked], *, of_row: bool = True) -> dict[str, Any]:
    """What became of a row at a step (of all rows together, if not `of_row`), and what was asked for it, as plain JSON."""
    frame, outcome = passage.frame, passage.outcome
    row = frame.row(0, named=True) if of_row and frame.height else {}
    return {
        "rows_in": frame.height,
        "input": _plain_row(row),
        "asked": [_attempt_told(one) for one in asked],
        "made": [_changed_columns(made, row) for made in outcome.rows.iter_rows(named=True)],
        **{
            kind: [_loss_told(loss) for loss in getattr(outcome, kind).iter_rows(named=True)]
            for kind in ("rejects", "losses")
        },
        "pending": outcome.pending,
    }


def _attempt_told(asked: Asked) -> dict[str, Any]:
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


def _changed_columns(made: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """A row that came out: its id, and the columns that are not as they were."""
    return _plain_row(
        {
            name: value
            for name, value in made.items()
            if name == "row_id" or (value is not None and row.get(name) != value)
        }
    )


def _loss_told(loss: dict[str, Any]) -> dict[str, Any]:
    """A reject or a loss, as far as it is shown."""
    return {name: loss[name] for name in ("row_id", "kind", "reason", "detail", "attempts", "raw")}


def _plain_row(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(orjson.dumps(row, default=str))
    return plain
