"""The same runs from Python, for notebooks and scripts.

    import flows

    ds = flows.sft(recipe="evolved", rows=20)
    ds                                  # three rows and the counts, as a table
    ds.dataset(), ds.rejects(), ds.explain("9f86d0")

Options are those of the command's YAML. Prefect's server is the one that PREFECT_API_URL names, else one that runs until
this process ends.
"""

from __future__ import annotations

import atexit
import html
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from flows.config import InstructionSFT, PreferenceDPO
from flows.config_file import load_config
from flows.runs.plan import plan_of
from flows.watch.sample import named_texts
from tasks.engine.process import process
from tasks.errors import ConfigError
from tasks.notices import heard
from tasks.publish.origin import origin_of
from tasks.publish.revisions import all_data_files, count_rejects, history

if TYPE_CHECKING:
    from datasets import Dataset

SHOWN = 3


@dataclass(frozen=True)
class Distilled:
    """A dataset that a run has made, or that was there. `summary`: what `--json` prints of the run."""

    folder: Path
    summary: Mapping[str, Any]

    @classmethod
    def at(cls, folder: str | Path) -> Self:
        """The dataset of a folder. Raises ConfigError where there is none."""
        published = history(Path(folder))
        if not published:
            raise ConfigError("no dataset there", folder, "give the folder of a dataset")
        last = published[-1]
        return cls(Path(folder), {"rows": last.rows, "rejects": count_rejects(Path(folder)), "run": last.run})

    def dataset(self) -> Dataset:
        """What a trainer takes, as a `datasets.Dataset`: the split `train`."""
        from datasets import load_dataset

        return load_dataset(str(self.folder), split="train")

    def rows(self) -> pl.DataFrame:
        """The rows of all splits as a polars frame."""
        return pl.concat(map(pl.read_parquet, all_data_files(self.folder)))

    def rejects(self) -> pl.DataFrame:
        """The rows that became nothing: `kind`, `reason`, `detail`, what went in, the last raw text."""
        return pl.read_parquet(self.folder / "rejects.parquet")

    def explain(self, row_id: str) -> pl.DataFrame:
        """Where a row came from: its ancestors and each request behind them, the youngest first.

        `row_id`: the whole id, or its beginning. Raises ConfigError for an unknown row.
        """
        return pl.DataFrame(list(origin_of(self.folder, row_id)), infer_schema_length=None)

    def __repr__(self) -> str:
        return f"{self.folder}: {self.summary['rows']} rows, {self.summary['rejects']} rejects"

    def _repr_html_(self) -> str:
        rows = [
            _texts(row) for row in pl.read_parquet(all_data_files(self.folder)[0], n_rows=SHOWN).iter_rows(named=True)
        ]
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (rows[0] if rows else ()))
        body = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
        return f"<p>{html.escape(repr(self))}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    return f'<td><pre style="white-space: pre-wrap">{html.escape(text)}</pre></td>'


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a row by who says them."""
    texts: dict[str, str] = {}
    for name, text in named_texts(row):
        texts[name] = f"{texts[name]}\n\n{text}" if name in texts else text
    return texts


def sft(**options: Any) -> Distilled:
    """Make an instruction dataset. Options: those of the YAML of `stillroom sft`, e.g. recipe, seeds, model, rows, out.

    Raises ConfigError for a mistake; TooManyRejects with the dataset written; NoRows where no row is left.
    """
    from flows.instruction_sft import instruction_sft

    return _made(instruction_sft, load_config(InstructionSFT, None, options))


def dpo(**options: Any) -> Distilled:
    """Make a preference dataset. Options: those of the YAML of `stillroom dpo`, e.g. recipe, instructions, model, roles, out.

    Raises as `sft`.
    """
    from flows.preference_dpo import preference_dpo

    return _made(preference_dpo, load_config(PreferenceDPO, None, options))


def _made(flow: Any, config: Any) -> Distilled:
    plan_of(config).check()
    _have_a_server()
    with heard(lambda line: print(line, file=sys.stderr)):  # noqa: T201 - what the run tells
        summary = _beside_the_loop(lambda: flow(config))
    return Distilled(Path(summary["dataset"]), summary)


def _beside_the_loop(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do something in a thread of its own: a notebook's cells run where a loop runs, and there Prefect would not wait.

    Interrupting the cell lets what is in flight finish, as Ctrl-C does for the command; interrupting it again does not.
    """
    with ThreadPoolExecutor(1, "stillroom-flow") as pool:
        made = pool.submit(copy_context().run, work)
        try:
            return made.result()
        except KeyboardInterrupt:
            process.stop()
            try:
                return made.result()
            except KeyboardInterrupt:
                process.cut()
                raise


def _have_a_server() -> None:
    """Start a server of this process's own where none is named; once."""
    from prefect.settings import PREFECT_API_URL

    if os.environ.get("PREFECT_API_KEY") or PREFECT_API_URL.value():
        return
    from flows.service.connection import ServerConnection

    connection = ServerConnection(lambda line: print(line, file=sys.stderr))  # noqa: T201
    connection.open()
    atexit.register(connection.__exit__, None, None, None)
