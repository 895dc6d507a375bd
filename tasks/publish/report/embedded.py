"""The embeddings that a run has paid for, out of the ledger: its provenance says what was asked, its figures say of whom."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tasks.publish.report.measures import SampledRow
from tasks.storage.digest import digest
from tasks.storage.home import ledger_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.base import Completion

_STEP = "embed"


def vectors_on_record(
    provenance: Path, embedder: Mapping[str, str] | None, rows: Sequence[SampledRow]
) -> tuple[str, Mapping[str, NDArray[np.float32]]]:
    """The embedder's name, and the vectors of these rows by id: of those alone that the ledger has.

    There are none where the run embedded nothing, or its ledger is not here.
    """
    if embedder is None or not rows or not _is_here(ledger_url()):
        return "", {}
    import numpy as np

    ids = sorted({row.row_id for row in rows})
    asked = pl.scan_parquet(provenance).filter(pl.col("technique") == _STEP, pl.col("row_id").is_in(ids))
    digests = dict(asked.select("row_id", "prompt_digest").collect(engine="streaming").iter_rows())
    keys = {row_id: digest(embedder["identity"], digests[row_id]) for row_id in ids if row_id in digests}
    with ThreadPoolExecutor(1) as apart:  # a notebook has a loop of its own in this thread
        found = apart.submit(asyncio.run, _found(sorted(set(keys.values())))).result()
    vectors = {
        row_id: np.frombuffer(completion.embedding, "<f4")
        for row_id, key in keys.items()
        if (completion := found.get(key)) is not None and completion.embedding is not None
    }
    return embedder["name"], vectors


def _is_here(url: str) -> bool:
    return "://" in url or Path(url).exists()


async def _found(keys: Sequence[str]) -> dict[str, Completion]:
    """What is on record under these keys."""
    from tasks.ledger.ledger import Ledger

    ledger = Ledger(ledger_url())
    try:
        completions = await asyncio.gather(*map(ledger.find, keys))
    finally:
        await ledger.close()
    return {key: one for key, one in zip(keys, completions, strict=True) if one is not None}
