"""Rows that are near another, and a map of them: by the embeddings that a run has paid for, else by spelling (`ngrams`).

What is compared is a sample, evenly spaced: `NEAR_ROWS` for neighbours, `SAMPLED_ROWS` for the map. Vectors of spelling take 0.3 ms
a row, so they are made at the first question, and kept beside what else is worked out about the dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from tasks.models.embed.ngrams import NAME, ngram_vectors
from tasks.publish.describe.run_figures import run_figures_of
from tasks.publish.export import published_at
from tasks.publish.look.view import View, look_folder
from tasks.publish.report.embedded import vectors_on_record
from tasks.publish.report.measures import SAMPLED_CHARS, SAMPLED_ROWS, SampledRow
from tasks.publish.report.said import texts_of_row
from tasks.publish.report.variety import variety_of
from tasks.storage.digest import digest
from tasks.storage.files import atomically, write_atomically
from tasks.storage.row_store import RowPlaces

NEAR_ROWS = 20_000
MOST_NEIGHBOURS = 50
_alone = Lock()


class Neighbours(NamedTuple):
    """The places of the rows nearest to one, the nearest first, with their similarity (cosine); how many were compared, by what."""

    places: RowPlaces
    similarity: list[float]
    compared: int
    embedder: str


@dataclass(frozen=True)
class MapGroup:
    """Rows of the map that lie together: what they are about, their places in the dataset, and where they are drawn, in [0, 1]."""

    name: str
    places: list[int]
    drawn: list[tuple[float, float]]


@dataclass(frozen=True)
class RowMap:
    """The groups of a sample of rows, the largest first; none of few rows. `shown`: the share of variance that the map has."""

    embedder: str
    compared: int
    shown: float
    groups: list[MapGroup]


def neighbours_of(dataset: Path, view: View, place: int) -> Neighbours:
    """The rows of the sample that are most like the one in this place, itself left out."""
    sample = _evenly(view.rows, NEAR_ROWS)
    name, vectors = _vectors(dataset, view, sample)
    at = int(np.searchsorted(sample, place))
    is_there = at < len(sample) and sample[at] == place
    own = vectors[at] if is_there else ngram_vectors([_sampled(view, [place])[0].text])[0][0]
    if not is_there and name != NAME:  # of a row beyond the sample there is no embedding at hand
        name, vectors = NAME, _ngrams(dataset, view, sample)
    cosines = vectors @ own
    if is_there:
        cosines[at] = -np.inf
    best = np.argsort(-cosines, kind="stable")[: min(MOST_NEIGHBOURS, len(sample) - is_there)]
    return Neighbours(sample[best], [round(float(cosines[one]), 3) for one in best], len(sample), name)


def map_of(dataset: Path, view: View) -> RowMap:
    """The map of a sample of the rows."""
    file = look_folder(dataset) / "map.json"
    with _alone:
        told = orjson.loads(file.read_bytes()) if file.exists() else {}
        if told.get("of") != view.fingerprint:
            told = {"of": view.fingerprint, **_drawn_map(dataset, view)}
            write_atomically(file, orjson.dumps(told))
    groups = [MapGroup(one["name"], one["places"], [(x, y) for x, y in one["drawn"]]) for one in told["groups"]]
    return RowMap(told["embedder"], told["compared"], told["shown"], groups)


def _drawn_map(dataset: Path, view: View) -> dict[str, Any]:
    sample = _evenly(view.rows, SAMPLED_ROWS)
    rows = _sampled(view, sample.tolist())
    found = variety_of(rows, partial(_on_record, dataset))
    groups = [
        {
            "name": topic.name,
            "places": [int(sample[at]) for at in topic.rows],
            "drawn": [found.places[at] for at in topic.rows],
        }
        for topic in found.topics
    ]
    return {"embedder": found.embedder, "compared": len(rows), "shown": found.shown, "groups": groups}


def _vectors(dataset: Path, view: View, sample: RowPlaces) -> tuple[str, NDArray[np.float32]]:
    """A vector of length 1 for each row of the sample, and who made them."""
    ids = view.ids_of(sample)
    name, there = _on_record(dataset, [SampledRow(row_id, "", "") for row_id in ids])
    if ids and all(row_id in there for row_id in ids):
        vectors = np.stack([there[row_id] for row_id in ids]).astype(np.float32)
        return name, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return NAME, _ngrams(dataset, view, sample)


def _on_record(dataset: Path, rows: Sequence[SampledRow]) -> tuple[str, Mapping[str, NDArray[np.float32]]]:
    folder, _ = published_at(dataset)
    figures = run_figures_of(folder)
    return vectors_on_record(folder / "provenance.parquet", figures.embedder if figures else None, rows)


def _ngrams(dataset: Path, view: View, sample: RowPlaces) -> NDArray[np.float32]:
    file = look_folder(dataset) / f"ngrams-{digest(view.fingerprint, len(sample))}.npy"
    with _alone:
        if not file.exists():
            for old in file.parent.glob("ngrams-*.npy"):
                old.unlink()
            vectors = ngram_vectors([row.text for row in _sampled(view, sample.tolist())])[0]
            with atomically(file) as temporary, temporary.open("wb") as opened:
                np.save(opened, vectors)
    found: NDArray[np.float32] = np.load(file, "r")
    return found


def _sampled(view: View, places: Sequence[int]) -> list[SampledRow]:
    said = (texts_of_row(row) for row in view.store.take(places))
    answered = ((one.question, one.answers[0][1] if one.answers else "") for one in said)
    ids = view.ids_of(places)
    return [
        SampledRow(row_id, asked[:SAMPLED_CHARS], answer[:SAMPLED_CHARS])
        for row_id, (asked, answer) in zip(ids, answered, strict=True)
    ]


def _evenly(rows: int, most: int) -> RowPlaces:
    """So many places at most, evenly spaced."""
    return (
        np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64)) if rows else np.zeros(0, np.int64)
    )
