"""What is in a ledger is never paid for again: one that an earlier version wrote answers its three runs in full."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.nights import Night
from flows.recipes import dpo, sft
from tasks.engine.context import Context
from tasks.engine.digest import canonical, digest
from tasks.engine.process import Settings, process
from tasks.engine.shard import run_shard
from tasks.engine.tables import Table, write_table
from tasks.publish.dataset import Handed, conversations
from tasks.publish.formats import FORMATS

RECORDED = Path(__file__).parents[1] / "data" / "ledger_231c988"


class Plain:
    """A run without Prefect, shard after shard. Implements `Steps`."""

    def __init__(self, kind: str, config: RunConfig, home: Path) -> None:
        self.config, self.kind, self.out = config, kind, Path(str(config.out))
        self.out.mkdir(parents=True)
        self.night = Night.begin(self.out, kind, config, None)
        self.settings = Settings(
            run=self.out.name, home=home, ledger=f"sqlite:///{home / 'ledger.sqlite'}", tables=str(home / "tables")
        )
        self.context: Context = process.context(self.settings)
        self.steps: dict[str, list[Table]] = {}
        self.last: list[Table] = []

    def through(self, step: Any, tables: Sequence[Any], params: Any) -> list[Any]:
        models, made = process.models(self.config.models(), self.context), []
        for order, table in enumerate(tables):
            outcome = run_shard(
                step, table.read(), models, params, self.context, gate=process.gate, order=order, shards=len(tables)
            )
            beside = {"rejects": outcome.rejects, "losses": outcome.losses, "provenance": outcome.provenance}
            place = f"{self.settings.tables}/{self.out.name}/{step.name}-{order}.parquet"
            made.append(write_table(place, step.name, outcome.rows, beside, rows_in=table.rows))
        self.steps[step.name] = self.last = made
        return made

    def whole(self, *_: Any) -> list[Table]:
        raise AssertionError("no step of these recipes looks at a whole table")

    def settled(self) -> list[Table]:
        return self.last

    def publish(self, recipe: str, shape: Callable[[pl.DataFrame], pl.DataFrame]) -> dict[str, Any]:
        tables = [table for step in self.steps.values() for table in step]
        seeds = next(iter(self.steps.values()))
        handed = Handed(self.last, shape, None, seeds, False, tables)
        return self.night.publish(self.settings.run, recipe, handed, self.steps, self.config.model_names())


def run(kind: str, config: RunConfig, home: Path) -> tuple[Plain, list[dict[str, Any]]]:
    """A run as its flow makes it; its published rows."""
    plain = Plain(kind, config, home)
    recipe: Any = sft if kind == "sft" else dpo
    candidates = recipe.candidates_of(config, plain)
    plain.steps["seeds"] = candidates.take(None)
    candidates.close()
    recipe.pipeline(config, plain, plain.steps["seeds"])
    plain.publish(config.full_recipe, conversations if kind == "sft" else FORMATS["dpo"])
    return plain, pl.read_parquet(plain.out / "data" / "train.parquet").to_dicts()


def test_a_ledger_of_an_earlier_version_answers_its_runs_in_full(home: Path) -> None:
    home.mkdir()
    (home / "ledger.sqlite").write_bytes(lzma.decompress((RECORDED / "ledger.sqlite.xz").read_bytes()))
    configs: dict[str, tuple[str, RunConfig]] = {
        "demo-sft": ("sft", InstructionSFT(recipe="evolved", out="demo-sft")),
        "demo-dpo": ("dpo", PreferenceDPO(recipe="basic", instructions="demo-sft", out="demo-dpo")),
        "demo-dpo-critiqued": (
            "dpo",
            PreferenceDPO(recipe="critiqued", instructions="demo-sft", out="demo-dpo-critiqued"),
        ),
    }
    recorded, found, requests = json.loads((RECORDED / "published.json").read_text()), {}, {}
    try:
        for name, (kind, config) in configs.items():
            plain, rows = run(kind, config, home)
            found[name] = {"rows": len(rows), "digest": digest(canonical(rows))}
            requests[name] = plain.context.tally.requests
            assert plain.context.tally.ledger_hits > 0
    finally:
        process.close()
    assert requests == dict.fromkeys(configs, 0)
    assert found == recorded
