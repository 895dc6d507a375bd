"""What is in a ledger is never paid for again: one that an earlier version wrote answers its three runs in full."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.runs.candidates import candidates_of
from flows.runs.lineage import Lineage
from flows.runs.plan import plan_of
from tasks.engine.context import Context
from tasks.engine.process import Settings, process
from tasks.engine.shard import Place, run_shard
from tasks.publish.dataset import PublishInput
from tasks.storage.digest import canonical, digest
from tasks.storage.tables import Table, write_table

RECORDED = Path(__file__).parents[1] / "data" / "ledger_231c988"


class Plain:
    """A run without Prefect, shard after shard. Implements `Steps`."""

    def __init__(self, config: RunConfig, home: Path) -> None:
        self.plan, self.out = plan_of(config), Path(str(config.out))
        self.options = self.plan.options
        self.out.mkdir(parents=True)
        self.lineage = Lineage.begin(self.plan, None)
        self.settings = Settings(
            run=self.out.name, home=home, ledger=f"sqlite:///{home / 'ledger.sqlite'}", tables=str(home / "tables")
        )
        self.context: Context = process.context(self.settings)
        self.steps: dict[str, list[Table]] = {}
        self.last: list[Table] = []

    def has(self, step: Any) -> bool:
        return step.name in self.plan.params

    def through(self, step: Any, tables: Sequence[Any], default: Any = None) -> list[Any]:
        models, made = process.models(self.plan.models, self.context), []
        params = self.plan.params_of(step, default)
        for order, table in enumerate(tables):
            outcome = run_shard(
                step,
                table.read(),
                models,
                params,
                self.context,
                admission=process.admission,
                place=Place(order, len(tables)),
            )
            beside = {"rejects": outcome.rejects, "losses": outcome.losses, "provenance": outcome.provenance}
            place = f"{self.settings.tables}/{self.out.name}/{step.name}-{order}.parquet"
            made.append(write_table(place, step.name, outcome.rows, beside, rows_in=table.rows))
        self.steps[step.name] = self.last = made
        return made

    def whole(self, *_: Any) -> list[Table]:
        raise AssertionError("no step of these recipes looks at a whole table")

    def publish(self) -> dict[str, Any]:
        tables = [table for step in self.steps.values() for table in step]
        seeds = next(iter(self.steps.values()))
        given = PublishInput(self.last, self.plan.shape, None, seeds, False, tables)
        return self.lineage.publish(self.settings, given, self.last, self.steps, self.plan.model_names())


def run(config: RunConfig, home: Path) -> tuple[Plain, list[dict[str, Any]]]:
    """A run as its flow makes it; its published rows."""
    plain = Plain(config, home)
    candidates = candidates_of(plain.plan, plain.settings, plain.lineage)
    plain.steps["seeds"] = candidates.take(None)
    candidates.close()
    plain.plan.recipe.function(plain, plain.steps["seeds"])
    plain.publish()
    return plain, pl.read_parquet(plain.out / "data" / "train.parquet").to_dicts()


def test_a_ledger_of_an_earlier_version_answers_its_runs_in_full(home: Path) -> None:
    home.mkdir()
    (home / "ledger.sqlite").write_bytes(lzma.decompress((RECORDED / "ledger.sqlite.xz").read_bytes()))
    configs: dict[str, RunConfig] = {
        "demo-sft": InstructionSFT(recipe="evolved", out="demo-sft"),
        "demo-dpo": PreferenceDPO(recipe="basic", instructions="demo-sft", out="demo-dpo"),
        "demo-dpo-critiqued": PreferenceDPO(recipe="critiqued", instructions="demo-sft", out="demo-dpo-critiqued"),
    }
    recorded, found, requests = json.loads((RECORDED / "published.json").read_text()), {}, {}
    try:
        for name, config in configs.items():
            plain, rows = run(config, home)
            found[name] = {"rows": len(rows), "digest": digest(canonical(rows))}
            requests[name] = plain.context.accounting.tally.requests
            assert plain.context.accounting.tally.ledger_hits > 0
    finally:
        process.close()
    assert requests == dict.fromkeys(configs, 0)
    assert found == recorded
