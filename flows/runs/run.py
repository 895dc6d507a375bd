"""One run of a flow: its settings, the tables it makes, and the manifest that it leaves, written last."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, cast

from prefect.runtime import flow_run
from prefect.states import Completed

from flows.recipes.composition import composition_told
from flows.recipes.duplicates import similar_told
from flows.runs.hub import send_to
from flows.runs.judges import calibrate, judges_told
from flows.runs.kept.epochs import keep_epochs
from flows.runs.kept.figures import evolutions_in, figures_of_steps
from flows.runs.kept.rows import keep_rows
from flows.runs.lineage import Lineage, healed_run
from flows.runs.manifests import manifest_path, run_folder
from flows.runs.plan import RunPlan
from flows.runs.progress import Progress, table_made
from flows.runs.prompt_set import tell_of_prompts
from flows.runs.removal.alone import hold_tables
from flows.runs.runners.shard_runner import Workers, start_runner
from flows.runs.verdict import no_rows, raise_first, too_many_rejects
from flows.service.stopping import keep_heeding
from tasks.engine.context import Context
from tasks.engine.prefect import map_technique, submit_table_step
from tasks.engine.process import Settings, process
from tasks.engine.sieve import Sieve, after_sieve
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params, Technique
from tasks.errors import Interrupted
from tasks.models.config import EMBEDDER
from tasks.publish.cross_run_dedup import STEP
from tasks.publish.dataset import PublishInput
from tasks.publish.describe.run_figures import RunFigures
from tasks.storage.files import write_atomically
from tasks.storage.home import check_home, tables_root
from tasks.storage.tables import Table

IN_BATCHES = "batches under way"
"""How a run ends that does not wait for its batches."""


@dataclass
class Run:
    """A run under way. `steps`: the finished tables by step, in the order of their shards; `progress`: of those under way too.

    `under_way`: a lock, held until it is closed. `summary`: once it is published.
    `selection`: how rows were chosen, where they were, for the manifest; `compared`: likewise, how prompts were by their
    embeddings. `calibration`: how far each judge agrees with
    people, where that was measured. `reused`: how many of the finished tables an earlier run has made.
    """

    plan: RunPlan
    settings: Settings
    lineage: Lineage
    context: Context
    workers: Workers
    under_way: IO[str]
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, list[Table]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    summary: dict[str, Any] | None = None
    selection: dict[str, Any] | None = None
    compared: dict[str, Any] | None = None
    reused: int = 0
    calibration: list[dict[str, Any]] | None = None
    _under_way: list[tuple[str, list[Any]]] = field(default_factory=list)
    _offered: list[Table] = field(default_factory=list)

    @classmethod
    def start(cls, plan: RunPlan, kind: str = "") -> Run:
        """Open the ledger; `kind`: what the run's name begins with, if not its kind. Raises ConfigError before anything is paid for.

        A retry (of the run that the config names, or Prefect's own of this one) starts from what failed there; a run
        that makes its dataset anew asks what was healed there as it was then.
        """
        keep_heeding()
        check_home()
        with ExitStack() as on_error:
            under_way = on_error.enter_context(hold_tables())
            run = f"{kind or plan.kind}-{str(flow_run.id or 'plain')[:8]}"
            again = (flow_run.run_count or 0) > 1
            process.forget(run)
            retried = healed_run(plan.retry, run, again and manifest_path(run).exists())
            lineage = Lineage.begin(plan, retried)
            tell_of_prompts(plan.prompts, plan.models, plan.folder, plan.told["prompt_set"])
            settings = plan.settings(run, tables_root(), lineage.epochs(run, tables_root()))
            context = process.context(settings)
            workers = start_runner(plan, settings, context)
            on_error.pop_all()
        return cls(plan, settings, lineage, context, workers, under_way)

    @property
    def options(self) -> Mapping[str, Any]:
        """What the recipe itself was told."""
        return self.plan.options

    def has(self, step: Technique[Any] | TableStep[Any]) -> bool:
        """Whether the user has said anything about a step."""
        return self.plan.has(step)

    def through(self, step: Technique[Any], tables: Sequence[Any], default: Params | None = None) -> list[Any]:
        """Send tables (or futures of them) through a technique, each on its own; the futures of what comes out."""
        params = self.plan.params_of(step, default)
        futures = map_technique(step, tables, self.workers.models, params, self.workers.settings)
        self.progress.follow(step.name, tables, futures)
        self._under_way.append((step.name, futures))
        return futures

    def whole(self, step: TableStep[Any], tables: Sequence[Any], default: Params | None = None) -> list[Table]:
        """Send all tables through a table step, and wait; what comes out, as tables of a shard's size."""
        return self.whole_with(step, tables, self.plan.params_of(step, default))

    def whole_with(self, step: TableStep[Any], tables: Sequence[Any], params: Params) -> list[Table]:
        """As `whole`, with parameters that are not looked up in the plan."""
        # one task run, and nothing beside it: it may use the models' whole windows
        future = submit_table_step(step, tables, self.plan.models, params, self.workers.settings)
        self.progress.follow(step.name, tables, [future])
        self._under_way.append((step.name, [future]))
        return self.settled()[0].split(self.plan.shard_rows)

    def settled(self, *, beside: bool = False) -> list[Table]:
        """Wait for all that is under way; the tables of the last step, in order. `beside`: they are no rows of the run.

        Raises the error that a shard ended with: of several, a permanent one first, since it brought about the others.
        """
        under_way, self._under_way = self._under_way, []
        states = [(step, [self._ended(future) for future in futures]) for step, futures in under_way]
        self.workers.gather()
        errors = [error for _, ended in states for state in ended if (error := _error_of(state)) is not None]
        raise_first(errors)
        tables: list[Table] = []
        for step, ended in states:
            tables = [table_made(state) for state in ended]
            self.reused += sum(_is_of_earlier(table, state) for table, state in zip(tables, ended, strict=True))
            if not beside:
                self.steps.setdefault(step, []).extend(tables)
        return tables

    def _ended(self, future: Any) -> Any:
        """The state that a task run ends in. Raises Interrupted at the first one that a stop has cut short."""
        future.wait()
        if self.context.stop.is_set():  # what still waits in the queue is then not started any more
            error = _error_of(future.state)
            if isinstance(error, Interrupted):
                raise error
        return future.state

    def new_rows(self, tables: Sequence[Table]) -> list[Table]:
        """The last tables; of a run that adds to its dataset without the rows that say what is there already."""
        self._offered.extend(tables)
        if not self.lineage.adds or not tables:
            return list(tables)
        made = self.lineage.new_rows(tables, self.settings)
        self.steps.setdefault(STEP, []).extend(made)
        return made

    def sift(self, sieve: Sieve, tables: Sequence[Table]) -> list[Table]:
        """The tables without the rows that a sieve takes out. No task run: it goes on from the tables before, uncached."""
        made = after_sieve(sieve, tables, self.settings.tables)
        self.steps.setdefault(sieve.name, []).extend(made)
        return made

    def select(self, name: str, tables: Sequence[Table]) -> None:
        """Note what a selector has left of the last tables: these are what is offered to the dataset."""
        self.steps[name] = self._offered = list(tables)

    def publish(self, tables: Sequence[Table]) -> dict[str, Any]:
        """Write the dataset of these rows, in order, its card and the manifest; the summary of the run.

        Raises TooManyRejects, with all of it written, and NoRows, with only the manifest written, and the rejects
        where there is no dataset yet. A budget that ends a run before its first row is no fault.
        """
        if self.context.confirm is not None:
            self.context.confirm()
        seeds = next(iter(self.steps.values()), [])
        plan = self.plan
        given = PublishInput(
            tables,
            plan.shape,
            plan.rows,
            seeds,
            plan.recipe.blank,
            self._tables(),
            plan.keep_columns,
            mixed=bool(plan.prompts.languages),
            splits=plan.splits,
            derived=plan.derived,
            selection=self._chosen_how(tables),
        )
        models = [self._as_served(name) for name in plan.model_names()]
        figures = self._figures()
        earlier = self.steps.get(STEP)
        self._keep_for_retries()
        # a run that is killed while it publishes can be healed like any other
        self._write_manifest(self._summary(self.lineage.as_it_is()), figures.judges)
        summary = self._summary(self.lineage.publish(self.settings, given, self._offered, self.steps, models, figures))
        if self.steps.get(STEP) is not earlier:  # another run has published since this one began
            self._keep_for_retries()
        self._write_manifest(summary, figures.judges)
        if summary["published"]:
            self._send(summary)
        fault = too_many_rejects(self.steps, self.plan.max_reject_fraction)
        if summary["published"]:
            self.summary = summary
        elif fault is not None or not summary["pending"]:
            raise no_rows(self.steps, summary)
        if fault is not None:
            fault.summary = summary
            raise fault
        return summary

    def _chosen_how(self, tables: Sequence[Table]) -> str:
        """How the rows were chosen, and what they are made of, in the words of the card; "" for nothing to tell."""
        diversify = self.plan.curate.diversify
        if diversify is not None and self.selection:
            return diversify.told(self.selection)
        about = [composition_told(self.plan.outline(), tables, self.plan.rows), similar_told(self.compared)]
        return "\n\n".join(filter(None, about))

    def _as_served(self, name: str) -> str:
        """A model's name, with what its server called it where that was another."""
        served = self.context.served.get(name.split("@http")[0])
        return name if served is None else f"{name} (served: {served})"

    def nothing_new(self) -> dict[str, Any]:
        """Leave the dataset as it is, since it has had all seeds that there are; the summary of the run, as `flow_result`."""
        summary = self._summary(self.lineage.unchanged())
        self._keep_for_retries()
        self._write_manifest(summary, self._judges())
        self.summary = summary
        self._send(summary)
        summary = self.pushed(summary)
        message = f"no seeds that {summary['dataset']} has not had: it stays at r{summary['revision']}"
        return cast(dict[str, Any], Completed(message=message, data=summary))

    def pushed(self, summary: dict[str, Any]) -> dict[str, Any]:
        """The summary, once the dataset is on the Hub, where the plan says so: then it tells where, as `hub`. Raises NotPushed."""
        return summary if self.plan.push is None else self.plan.push.after(summary)

    def _send(self, summary: dict[str, Any]) -> None:
        """Publish the dataset at its URL, where it has one. Raises NotPushed."""
        if self.plan.url is not None:
            send_to(self.plan.url, summary)

    def _tables(self) -> list[Table]:
        return [table for tables in self.steps.values() for table in tables]

    def _figures(self) -> RunFigures:
        """What the run leaves in the folder of its dataset besides rows."""
        tally, told = self.context.accounting.tally, self.plan.curate
        embedder = next(iter(self.plan.models.get(EMBEDDER, ())), None) if "embed" in self.steps else None
        return RunFigures(
            run=self.settings.run,
            seconds=round(time.monotonic() - self.started, 2),
            **tally.figures(is_priced=self.plan.is_priced),
            steps=figures_of_steps(self.steps, self.progress.look(tally)),
            evolution=evolutions_in(self.steps),
            judges=self._judges(),
            selection=self.selection,
            benchmarks=list(told.decontaminate.benchmarks) if told.decontaminate else [],
            embedder={"name": embedder.name, "identity": process.model(embedder).identity} if embedder else None,
        )

    def _keep_for_retries(self) -> None:
        """Write down, beside the manifest to be, what a retry needs and tables alone would have."""
        folder = run_folder(self.settings.run)
        keep_rows(folder, self.steps)
        keep_epochs(folder, self.steps, self.settings.epochs)

    def _write_manifest(self, summary: dict[str, Any], judges: dict[str, Any] | None) -> None:
        """Write what the run was and made: last, after all else that a retry needs."""
        manifest = {
            "run": self.settings.run,
            "kind": self.plan.kind,
            "config": self.plan.told,
            "settings": self.settings.model_dump(mode="json"),
            "steps": {step: [table.model_dump() for table in tables] for step, tables in self.steps.items()},
            "tally": self.context.accounting.tally.as_dict(),
            "judges": judges,
            "summary": summary,
            **({"selection": self.selection} if self.selection else {}),
            **({"deduplicate": self.compared} if self.compared else {}),
        }
        write_atomically(manifest_path(self.settings.run), json.dumps(manifest, indent=1).encode())

    def calibrate(self) -> None:
        """Measure the judges by the pairs of people, where the plan names any."""
        if self.plan.calibrate is not None:
            told = self.plan.calibrate
            with self.workers.asking_here() as context:
                self.calibration = calibrate(told, self.plan.outline(), self.plan.models, context)

    def _judges(self) -> dict[str, Any] | None:
        """What is to be told of the run's judges, None where it had none."""
        told = judges_told(self.steps, self.plan.seed)
        return told if self.calibration is None else {**(told or {}), "calibration": self.calibration}

    def _ended_by(self) -> str:
        accounting = self.context.accounting
        return "budget reached" if accounting.is_spent else IN_BATCHES if accounting.is_cut else "completed"

    def _summary(self, of_dataset: dict[str, Any]) -> dict[str, Any]:
        """The one line of `--json`."""
        tally = self.context.accounting.tally
        return {
            "dataset": str(self.lineage.out),
            **({"url": self.plan.url} if self.plan.url else {}),
            **of_dataset,
            "retried": self.lineage.retried["run"] if self.lineage.retried else None,
            "requests": tally.requests,
            "ledger_hits": tally.ledger_hits,
            "tables_reused": self.reused,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            **({"cached_tokens": tally.cached_tokens} if tally.cached_tokens else {}),
            "cost": round(tally.cost, 6) if self.plan.is_priced else None,
            "ended": self._ended_by(),
            "pending": sum(table.pending for table in self._tables()),
            **({"batches": dict(tally.in_batches)} if tally.in_batches else {}),
            "seconds": round(time.monotonic() - self.started, 2),
            "run": self.settings.run,
        }


def _is_of_earlier(table: Table, state: Any) -> bool:
    """Whether the table that a task run ends with was there before it."""
    return state.name == "Cached" or table.token != str(state.state_details.task_run_id)


def _error_of(state: Any) -> BaseException | None:
    """What a task run ended with; None where it ended well, or never began since one that it waited for did not."""
    if state.is_completed() or not state.is_final():
        return None  # asking Prefect for a result takes it half a millisecond
    ended = state.result(raise_on_failure=False)
    return ended if isinstance(ended, BaseException) else None


def flow_result(summary: dict[str, Any]) -> dict[str, Any]:
    """What a flow returns: its summary; where rows are left pending in a state whose message says so.

    Whoever calls the flow gets the summary either way.
    """
    line = about_pending(summary)
    return cast(dict[str, Any], Completed(message=line, data=summary)) if line else summary


def about_pending(summary: dict[str, Any]) -> str:
    """One line where rows are left pending, by the budget or in batches, with the way on; else nothing."""
    if summary["ended"] == "completed":
        return ""
    rows = "1 row is" if summary["pending"] == 1 else f"{summary['pending']} rows are"
    nothing = "" if summary["published"] else ", none is finished, so nothing is published yet"
    if summary["ended"] == IN_BATCHES:
        requests = sum(summary["batches"].values())
        waiting = f"{requests:,} request{'s' if requests != 1 else ''} of theirs in {', '.join(summary['batches'])}"
        return f"{IN_BATCHES}: {rows} pending{nothing}, {waiting}; the same command fetches the answers and goes on"
    return (
        f"budget reached: {rows} pending{nothing}; the same command with a higher budget, or none, goes on from there"
    )
