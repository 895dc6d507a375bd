"""Two proofs are compared item by item where items and base are the same, and not at all where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.command.main import app
from tasks.errors import ConfigError
from tasks.train.compared import proof_in, proofs_compared
from tasks.train.proof import measure_told


def proof(taught: float, key: str = "k", identity: str = "base", items: int = 40) -> dict[str, Any]:
    figures = {"base": [float(n % 2) for n in range(items)], "dataset": [n % 2 + taught for n in range(items)]}
    told = measure_told("loss", figures) | {"key": key, "figures": figures["dataset"]}
    return {"identity": identity, "measures": [told]}


def test_the_same_items_are_held_against_each_other() -> None:
    (told,) = proofs_compared(proof(-0.2), proof(-0.5))
    assert told["difference"]["mean"] == pytest.approx(-0.3)
    assert told["finding"].startswith("loss: the second has taught more, -0.300")
    (told,) = proofs_compared(proof(-0.2), proof(-0.2))
    assert told["finding"] == "loss: the same in each of 40 items"


@pytest.mark.parametrize(
    "other", [proof(-0.5, key="others"), proof(-0.5, identity="another"), proof(-0.5, key="x", items=50)]
)
def test_other_items_and_another_base_are_no_comparison(other: dict[str, Any]) -> None:
    (told,) = proofs_compared(proof(-0.2), other)
    assert told["difference"] is None
    assert "other items or another base" in told["finding"]
    assert [gain["mean"] for gain in told["gains"]] == pytest.approx([-0.2, -0.5])


def test_the_command_compares_folders_that_hold_nothing_but_proofs(tmp_path: Path) -> None:
    for name, taught in (("one", -0.2), ("other", -0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "proof.json").write_text(json.dumps(proof(taught)))
    said = CliRunner().invoke(app, ["compare", str(tmp_path / "one"), str(tmp_path / "other")])
    assert said.exit_code == 0, said.output
    assert "the second has taught more" in said.output


def test_a_file_that_is_no_proof_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text('{"items": 3}')
    with pytest.raises(ConfigError, match="not what `stillroom prove` writes"):
        proof_in(tmp_path)
    assert proof_in(tmp_path / "nowhere") is None
