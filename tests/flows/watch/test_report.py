"""The words and numbers of what a run shows, and how far a step is said to be, without Prefect."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runs.progress import Progress, table_made
from flows.watch.report import grid, literal, money, progress_line, span
from flows.watch.sample import REJECT_ROWS, reject_rows, sample_rows
from tasks.engine.accounting import Tally
from tasks.storage.tables import REJECTS, Table, write_table


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_a_time_is_said_as_a_person_says_it(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("cost", "said"),
    [(None, "–"), (0.0, "–"), (0.00001, "< 0.0001"), (0.000134, "0.00013"), (0.7, "0.70"), (12345.678, "12,345.68")],
)
def test_a_cost_has_the_digits_that_count(cost: float | None, said: str) -> None:
    assert money(cost) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "`plain`"),
        ("a `b` c", "`` a `b` c ``"),
        ("two\nlines", "```\ntwo\nlines\n```"),
        ("```py\nx\n```", "````\n```py\nx\n```\n````"),
        ("word " * 20, "```\n" + "\n".join(["word word word word word word"] * 3) + "\nword word\n```"),
        ("  \n", "```\n\n```"),
    ],
    ids=["short", "ticks", "lines", "fence", "long", "blank"],
)
def test_a_text_of_a_model_is_shown_and_not_rendered(text: str, shown: str) -> None:
    assert literal(text, 30) == shown


def test_a_long_text_is_cut_with_its_length() -> None:
    assert literal("x" * 5000).endswith("… (5,000 characters)\n```")
    assert len(literal("x" * 5000)) < 700


def test_numbers_stand_to_the_right() -> None:
    assert grid(("step", "rows"), [("a", "1,200")]) == "| step | rows |\n| :--- | ---: |\n| a | 1,200 |"


class Ended:
    """A future of a task run that ends when it is told to, and its state, which holds no table itself."""

    data = None

    def __init__(self) -> None:
        self.name, self.state, self._table = "Completed", self, Table(path="", fingerprint="", rows=0, technique="")

    def add_done_callback(self, call: Any) -> None:
        self._call = call

    def wait(self) -> None:
        """It has ended."""

    def is_completed(self) -> bool:
        return True

    def result(self) -> Table:
        return self._table

    def end(self, rows_in: int, rows: int, name: str = "Completed", **rejects: int) -> None:
        self.name = name
        self._table = table(rows, rows_in=rows_in, rejects=rejects)
        self._call(self)


def table(rows: int, **counts: Any) -> Table:
    return Table(path="", fingerprint="", rows=rows, technique="", **counts)


def test_the_rows_of_a_later_step_are_estimated_from_what_has_come_so_far() -> None:
    counts, tally = Progress(), Tally()
    first, second = [Ended(), Ended()], [Ended(), Ended()]
    counts.follow("one", [table(100), table(100)], first)
    counts.follow("two", first, second)
    assert [(step.done, step.known) for step in counts.look(tally)] == [(0, 200), (0, 200)]
    first[0].end(100, 300, refused=20)
    one, two = counts.look(tally)
    assert (one.done, one.known, one.rejects, one.percent) == (100, 200, Counter(refused=20), 50)
    assert (two.done, two.known) == (0, 600)
    tally.rows_in["two"], tally.rows_done["two"] = 300, 150
    two = counts.look(tally)[1]
    assert (two.done, two.percent, two.is_over) == (150, 25, False)
    assert progress_line(two).startswith("**two**: 150 of 600 rows")
    first[1].end(100, 100)
    second[0].end(300, 300)
    second[1].end(100, 90, refused=10)
    one, two = counts.look(tally)
    assert (one.known, two.known, two.done, two.percent, two.is_over) == (200, 400, 400, 100, True)


def test_what_the_cache_answers_counts_as_done_but_not_for_the_pace() -> None:
    counts, tally = Progress(), Tally()
    shards = [Ended(), Ended()]
    counts.follow("one", [table(100), table(100)], shards)
    shards[0].end(100, 100, "Cached")
    step = counts.look(tally)[0]
    assert (step.done, step.shards_cached, step.left_s) == (100, 1, None)
    tally.rows_done["one"] = 50
    step = counts.look(tally)[0]
    assert (step.done, step.percent) == (150, 75)
    assert step.left_s == pytest.approx(step.seconds)


def test_a_later_wave_is_added() -> None:
    counts, tally = Progress(), Tally()
    for rows in (100, 20):
        shard = Ended()
        counts.follow("one", [table(rows)], [shard])
        assert not counts.look(tally)[0].is_over
        shard.end(rows, rows)
    assert (counts.look(tally)[0].done, counts.look(tally)[0].known) == (120, 120)


def rejected(folder: Path, name: str, rows: list[tuple[str, str]]) -> Table:
    records = [(f"{i:032x}", kind, reason, "", "one", 1, "raw", "{}") for i, (kind, reason) in enumerate(rows)]
    rejects = pl.DataFrame(records, schema=REJECTS, orient="row")
    return write_table(folder / f"{name}.parquet", "one", pl.DataFrame({"row_id": []}), {"rejects": rejects})


def test_a_rare_reject_is_shown_beside_a_million_common_ones(tmp_path: Path) -> None:
    many = [rejected(tmp_path, str(i), [("filtered", "tie")] * 500) for i in range(5)]
    rare = rejected(tmp_path, "rare", [("filtered", "tie")] * 9 + [("failed", "truncated")])
    rows = reject_rows({"one": [*many, rare]})
    assert rows[0]["reason"] == "truncated", "what a retry asks for again comes first"
    assert len(rows) <= REJECT_ROWS
    for table_ in many[1:]:
        Path(table_.beside("rejects")).unlink()
    assert len(reject_rows({"one": [*many, rare]})) == len(rows), "no more tables are read than needed"


def test_a_sample_shows_what_was_asked_and_answered_and_what_differs(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    rows = {
        "row_id": ["a" * 32, "b" * 32],
        "messages": [[*turns, {"role": "assistant", "content": text}] for text in ("So.", "Hence.")],
        "response_model": ["test", "test"],
        "score": [1 / 3, 2.0],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "train.parquet")
    first, second = sample_rows(tmp_path / "train.parquet")
    assert first == {
        "row_id": "a" * 12,
        "asked": "```\nsystem: Be brief.\n\nuser: Why?\n```",
        "answered": "`So.`",
        "score": 0.333,
    }
    assert second["answered"] == "`Hence.`"


def test_the_table_of_a_task_run_is_taken_where_its_state_holds_it_and_else_asked_for() -> None:
    from types import SimpleNamespace

    here, asked = (Table(path=name, fingerprint="", rows=0, technique="") for name in ("here", "asked"))

    def state(data: Any, *, completed: bool = True) -> Any:
        return SimpleNamespace(data=data, is_completed=lambda: completed, result=lambda: asked)

    assert table_made(state(SimpleNamespace(result=here))) is here
    assert table_made(state(SimpleNamespace(result="of another kind"))) is asked
    assert table_made(state(SimpleNamespace(result=here), completed=False)) is asked
    assert table_made(state(None)) is asked
