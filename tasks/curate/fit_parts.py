"""The parts of a dataset before its trainer, as tables: the first ones here, those of a large dataset in processes of their own.

Templates are rendered in Python, which does one thing at a time in a process; texts become tokens outside of it.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cached_property, lru_cache
from multiprocessing import get_context
from threading import Lock

from tasks.curate.fit import FitDataset
from tasks.models.target import Target
from tasks.publish.trainers.choose import Fit
from tasks.storage.tables import sidecar, write_table

HERE = 20_000  # rows: for fewer, processes take longer to start than they save
WORKERS = min(os.cpu_count() or 1, 8)


class FitParts:
    """Writes the facts of a dataset's rows to a folder, part by part, from any thread. Closing it ends its processes."""

    def __init__(self, dataset: FitDataset, folder: str) -> None:
        self._dataset, self._folder, self._lock = dataset, folder, Lock()

    def write(self, start: int, rows: int) -> str:
        """The place of the table of the rows from `start` on. One that is there is not made again. Raises ConfigError."""
        place = f"{self._folder}/{start:010}.parquet"
        if sidecar(place) is not None:
            return place
        if start < HERE or WORKERS == 1:
            _write(self._dataset, place, start, rows)
            return place
        of = self._dataset
        with self._lock:
            pool = self._pool
        pool.submit(_written, of.spec, of.params, of.split, place, start, rows).result()
        return place

    def close(self) -> None:
        """End the processes, where any were started."""
        if "_pool" in self.__dict__:
            self._pool.shutdown(cancel_futures=True)

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        """They are given the target as it is: what finds a tokenizer by its name takes longer to import than all else."""
        target = replace(self._dataset.target)  # without what it has remembered
        return ProcessPoolExecutor(WORKERS, get_context("spawn"), _alone, (target,))


_of_process: list[Target] = []


def _alone(target: Target) -> None:
    """A process among several makes tokens by itself: the others have the other cores."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _of_process[:] = [target]


def _written(spec: str, params: Fit, split: str | None, place: str, start: int, rows: int) -> None:
    _write(_opened(spec, params.model_dump_json(), split), place, start, rows)


@lru_cache(maxsize=1)
def _opened(spec: str, params: str, split: str | None) -> FitDataset:
    return FitDataset(spec, Fit.model_validate_json(params), _of_process[0], split)


def _write(dataset: FitDataset, place: str, start: int, rows: int) -> None:
    frame = dataset.part(start, rows)
    write_table(place, "fit", frame, {}, rows_in=frame.height)
