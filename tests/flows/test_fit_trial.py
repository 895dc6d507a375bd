"""A new user's file of SFT that needs three fixes, mended as `fit` says, with nothing but the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.models.target import open_target
from tests.flows.command.in_process import run_command
from tests.models.tiny import CHATML, save_tiny_model

pytestmark = pytest.mark.slow
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
LONG = " ".join(["a cup of sugar and three jars of quince"] * 60)


def rows() -> list[dict[str, Any]]:
    """Forty conversations: of ten, one has a system message and one a long answer."""
    made = []
    for at in range(40):
        said = LONG if at % 10 == 1 else f"It takes {at} days."
        turns = [{"role": "user", "content": f"How long does jar {at} take?"}, {"role": "assistant", "content": said}]
        system = [{"role": "system", "content": "Answer in one sentence."}] if at % 10 == 2 else []
        made.append({"messages": system + turns})
    return made


def write(made: list[dict[str, Any]]) -> None:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))


def without_system(row: dict[str, Any]) -> dict[str, Any]:
    """The words of the system before the user's first."""
    first, *rest = row["messages"]
    if first["role"] != "system":
        return row
    asked, *others = rest
    return {"messages": [asked | {"content": f"{first['content']}\n\n{asked['content']}"}, *others]}


def test_three_fixes_make_a_file_fit(home: Path, prefect_server: str, tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny")
    (model / "chat_template.jinja").write_text(NO_SYSTEM)
    command = ["fit", "rows.jsonl", "--model", str(model)]
    write(rows())

    first = run_command(*command, "--max-unfit-fraction", "0.1")
    assert first.returncode == 3, first.stderr
    for said in (
        "refused: 4 rows (10.0%)",
        "System role not supported",
        "answer_cut: 4 rows",
        "end_is_no_stop: 36 rows",
    ):
        assert said in first.stdout
    assert "put its words before the user's first" in first.stdout
    whole = next(line for line in first.stdout.splitlines() if "keeps 100% of the rows whole" in line)
    length = whole.split()[1].replace(",", "")

    write([without_system(row) for row in rows()])
    config = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [0, 2]}))
    open_target.cache_clear()  # which a new command begins without
    last = run_command(*command, "--max-unfit-fraction", "0", "--max-length", length)
    assert last.returncode == 0, last.stderr
    assert "0 unfit" in last.stdout and "a setting mends it" not in last.stdout
