"""A proof of a mixture gives its parts their weights: what helps counts double, what harms is out, the rest stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.command.published.mix import part_of, weighed
from tasks.errors import ConfigError
from tasks.notices import heard
from tasks.train.proof import measure_told

PARTS = [part_of(told) for told in ("datasets/tea=3", "datasets/sums", "noise.jsonl=0.5")]


def proof(measure: str, slices: str | None = "source", **without: float) -> dict[str, Any]:
    """Of a dataset whose figure is 2, and of students without its parts."""
    figures = {"base": [1.0] * 30, "dataset": [2.0] * 30}
    figures |= {f"without {part}": [figure] * 30 for part, figure in without.items()}
    return {"dataset": "mixture", "identity": "x", "slices": slices, "measures": [measure_told(measure, figures)]}


def written(folder: Path, told: dict[str, Any]) -> Path:
    (folder / "proof.json").write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize(
    ("measure", "tea", "noise"), [("right", 1.0, 3.0), ("loss", 3.0, 1.0)], ids=["higher is better", "lower is better"]
)
def test_what_helps_counts_double_and_what_harms_is_left_out(
    measure: str, tea: float, noise: float, tmp_path: Path
) -> None:
    told: list[str] = []
    with heard(told.append):
        left = weighed(PARTS, written(tmp_path, proof(measure, tea=tea, sums=2.0, noise=noise)))
    assert left == [{"source": "datasets/tea", "weight": 6.0}, {"source": "datasets/sums", "weight": 1.0}]
    assert told == ["tea: weight 6", "sums: weight 1", "noise: left out: it harms"]


def test_right_answers_count_before_losses(tmp_path: Path) -> None:
    told = proof("loss", tea=3.0, sums=2.0, noise=2.0)
    told["measures"] += proof("right", tea=2.0, sums=1.0, noise=2.0)["measures"]
    left = weighed(PARTS, written(tmp_path, told))
    assert [part["weight"] for part in left] == [3.0, 2.0, 0.5]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (proof("loss", None, tea=1.0), "no slices by source"),
        (proof("loss", "topic", tea=1.0), "no slices by source"),
        (proof("loss", tea=1.0, sums=1.0), "says nothing of this part: noise"),
        (proof("loss", tea=1.0, sums=1.0, noise=1.0), "every part harms, by loss"),
    ],
)
def test_a_proof_that_cannot_tell_is_one_line(told: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        weighed(PARTS, written(tmp_path, told))


def test_a_folder_without_a_proof_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no proof in this folder"):
        weighed(PARTS, tmp_path)
