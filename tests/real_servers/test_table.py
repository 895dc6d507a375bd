"""The table of docs/servers.md: a run writes its own cells, and leaves the others as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_servers import __main__ as runner
from tests.real_servers.checks import CHECKS, Place
from tests.real_servers.servers import SERVERS

DOCUMENT = runner.TABLE.read_text()


def test_a_column_that_is_put_in_leaves_the_others() -> None:
    now = runner.put_in(DOCUMENT, {"transformers": {"version": "9", "evolved": "3 rows"}})
    before, after = (runner.cells_in(text.split(runner.BEGIN)[1].split(runner.END)[0]) for text in (DOCUMENT, now))
    assert after["transformers"] | {"version": "9", "evolved": "3 rows"} == after["transformers"]
    assert {name: cells for name, cells in after.items() if name != "transformers"} == {
        name: cells for name, cells in before.items() if name != "transformers"
    }
    assert now.split(runner.END)[1] == DOCUMENT.split(runner.END)[1]


def test_the_document_is_as_the_runner_writes_it() -> None:
    assert runner.put_in(DOCUMENT, {}) == DOCUMENT


def test_the_first_table_is_made_where_there_is_none() -> None:
    empty = f"a\n{runner.BEGIN}\n{runner.END}\nb"
    made = runner.put_in(empty, {"vllm": {"version": "1"}})
    assert made.startswith(f"a\n{runner.BEGIN}\n| | vllm |\n|---|---|\n| version | 1 |") and made.endswith("\nb")


def test_a_note_stands_behind_what_came_of_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vllm = next(server for server in SERVERS if server.name == "vllm")
    place = Place(tmp_path, "m", tmp_path, ())

    def refused(_: Place) -> str:
        raise AssertionError("it is\nrefused")

    monkeypatch.setitem(CHECKS, "seven stop texts", lambda _: "kept to")
    monkeypatch.setitem(CHECKS, "evolved", refused)
    monkeypatch.setitem(CHECKS, "100 at once", refused)
    assert runner.cell_of("seven stop texts", place, vllm) == f"kept to; {vllm.notes['seven stop texts']}"
    assert runner.cell_of("evolved", place, vllm) == "**no**: it is refused"
    assert runner.cell_of("100 at once", place, vllm) == f"**no**: it is refused; {vllm.notes['100 at once']}"
