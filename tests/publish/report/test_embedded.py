"""Embeddings that a run has paid for are taken from its ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion
from tasks.models.scripted import ScriptedModel
from tasks.publish.report.page import write_report
from tasks.storage.digest import digest
from tasks.storage.home import ledger_url
from tests.publish.report.made import FIGURES, many_talks, publish_rows

EMBEDDER = {"name": "somebody", "identity": "somebody, version 1"}


async def kept(asked: list[str]) -> None:
    """A ledger with a vector for each of these digests."""
    ledger = Ledger(ledger_url())
    try:
        for at, one in enumerate(asked):
            vector = np.eye(8, dtype="<f4")[at % 8].tobytes()
            await ledger.keep(
                digest(EMBEDDER["identity"], one), ScriptedModel(str, name="x"), Completion("", embedding=vector)
            )
    finally:
        await ledger.close()


@pytest.mark.parametrize(("missing", "embedder"), [(0, "somebody"), (1, "ngrams")])
def test_vectors_on_record_count_where_every_row_of_the_sample_has_one(
    missing: int, embedder: str, tmp_path: Path, home: Path
) -> None:
    home.mkdir()
    rows = many_talks(40)
    lines = [
        {"row_id": row["row_id"], "technique": "embed", "prompt_digest": f"{at:032x}"} for at, row in enumerate(rows)
    ]
    figures = FIGURES.model_copy(update={"embedder": EMBEDDER})
    out = publish_rows(tmp_path / "out", rows, lines=lines, figures=figures)
    assert "<code>ngrams</code>" in write_report(out).read_text(), "there is no ledger"
    assert not (home / "ledger.sqlite").exists(), "and none is made"
    asyncio.run(kept([line["prompt_digest"] for line in lines[missing:]]))
    text = write_report(out).read_text()
    assert f"<code>{embedder}</code>" in text
    assert ("40 of them have a neighbour above" in text) is (missing == 0)
