"""No decision is lost: not by two who write at once, not by a process that is killed, not between the two files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.validate import validate
from tasks.errors import ConfigError
from tasks.reviews.decisions import Decision, Numbered, decision_of
from tasks.reviews.journal import FOLDED_AT, JOURNAL_FILE, REVIEWS_FILE, SCHEMA, Journal, as_rows
from tasks.reviews.standing import ReviewOutcome, by_row, review_outcome_of, standing

ROOT = Path(__file__).parents[2]


def said(decision: str, about: str = "r", reviewer: str = "anna", **more: object) -> Decision:
    return decision_of({"reviewer": reviewer, "about": about, "said": "s", "decision": decision, **more})


def test_decisions_are_numbered_and_come_back_before_and_after_they_are_folded(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    edit = said("edit", edits=[{"column": "messages", "turn": 1, "text": 'new\n"text" 猫'}])
    made = [said("accept"), edit, said("rate", rating=4), said("undo", undoes=1, note="no")]
    assert journal.add(made[:3]) == [1, 2, 3]
    assert journal.add(made[3:]) == [4]
    assert journal.read() == [Numbered(at, one) for at, one in enumerate(made, 1)]
    assert journal.fold() == 4
    assert (tmp_path / JOURNAL_FILE).read_bytes() == b""
    assert [one.decision for one in journal.read()] == made
    assert journal.add([said("skip")]) == [5]
    rows = pl.read_parquet(tmp_path / REVIEWS_FILE)
    assert validate(rows, SCHEMA)[1] == {}
    assert not [name for name in rows.columns if "time" in name or rows.schema[name].is_temporal()]


def test_a_line_cut_short_is_no_decision_and_one_that_stands_in_both_files_counts_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add([said("accept", "a"), said("accept", "b")])
    lines = (tmp_path / JOURNAL_FILE).read_bytes()
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        file.write(lines[:20])
    assert len(journal.read()) == 2
    assert journal.add([said("reject", "c")]) == [3]
    lines = (tmp_path / JOURNAL_FILE).read_bytes()
    journal.fold()
    (tmp_path / JOURNAL_FILE).write_bytes(lines)  # killed before the journal was emptied
    assert [one.number for one in journal.read()] == [1, 2, 3]
    assert journal.add([said("skip", "d")]) == [4]


def test_a_long_journal_goes_into_the_table_by_itself(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add([said("accept", str(at)) for at in range(FOLDED_AT)])
    assert (tmp_path / JOURNAL_FILE).stat().st_size == 0
    assert len(journal.read()) == FOLDED_AT


def test_two_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    numbers: list[int] = []

    def review(name: str) -> None:
        for at in range(60):
            numbers.extend(Journal(tmp_path).add([said("accept", str(at), name)]))
            if at % 20 == 0:
                Journal(tmp_path).fold()

    threads = [threading.Thread(target=review, args=(name,)) for name in ("anna", "ben", "cora")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(numbers) == list(range(1, 181))
    assert len({(one.decision.reviewer, one.decision.about) for one in Journal(tmp_path).read()}) == 180


WRITER = """
import sys
from pathlib import Path
from tasks.reviews.decisions import decision_of
from tasks.reviews.journal import Journal
journal = Journal(Path(sys.argv[1]))
for at in range(100_000):
    one = {"reviewer": sys.argv[2], "about": str(at), "said": "s", "decision": "accept", "note": "x" * 3000}
    print(journal.add([decision_of(one)])[0], flush=True)
    if at % 15 == 14:
        journal.fold()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_two_killed_processes_were_told_is_written_is_there(tmp_path: Path) -> None:
    told: dict[str, list[int]] = {}
    for round_ in range(2):
        names = [f"{name} {round_}" for name in ("anna", "ben")]
        writers = {
            name: subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path), name], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for name in names
        }
        for name, writer in writers.items():
            assert writer.stdout is not None
            told[name] = [int(writer.stdout.readline()) for _ in range(20)]
        for name, writer in writers.items():
            os.kill(writer.pid, signal.SIGKILL)
            assert writer.stdout is not None
            told[name] += [int(line) for line in writer.stdout.read().splitlines()]
            writer.stdout.close()
            writer.wait()
    held = Journal(tmp_path).read()
    assert [one.number for one in held] == list(range(1, len(held) + 1))
    for name, numbers in told.items():
        assert set(numbers) <= {one.number for one in held if one.decision.reviewer == name}


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "rate"},
        {"decision": "rate", "rating": 6},
        {"decision": "accept", "rating": 3},
        {"decision": "edit"},
        {"decision": "prefer", "preferred": "left"},
        {"decision": "undo"},
        {"decision": "delete"},
        {"decision": "accept", "reviewer": "  "},
        {"decision": "accept", "reviewer": "a\nb"},
        {"decision": "accept", "row": "x"},
    ],
)
def test_what_is_no_decision_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="no decision"):
        decision_of({"reviewer": "anna", "about": "r", "said": "s", **wrong})


KINDS = st.sampled_from(
    [
        ("accept", {}),
        ("reject", {}),
        ("skip", {}),
        ("rate", {"rating": 2}),
        ("swap", {}),
        ("prefer", {"preferred": "tie"}),
    ]
)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("rs"), KINDS, st.booleans()), max_size=20))
def test_what_is_undone_counts_as_never_made(made: list[tuple[str, str, tuple[str, dict[str, object]], bool]]) -> None:
    with_undo: list[Numbered] = []
    without: list[Numbered] = []
    for reviewer, about, (kind, more), undone in made:
        one = Numbered(len(with_undo) + 1, said(kind, about, reviewer, **more))
        with_undo.append(one)
        if undone:
            told = said("undo", about, reviewer, undoes=one.number)
            with_undo.append(Numbered(len(with_undo) + 1, told))
        else:
            without.append(one)
    assert standing(with_undo) == standing(without)


def test_how_several_are_counted() -> None:
    accept, reject = said("accept"), said("reject", reviewer="ben")
    assert review_outcome_of([accept, reject], "majority", 1) == ReviewOutcome(), "in doubt it stays"
    assert review_outcome_of([accept, reject], "any", 1).goes == "1 of 2: reject"
    assert not review_outcome_of([accept, reject], "all", 1).goes
    assert review_outcome_of([reject, said("reject", reviewer="cora"), accept], "majority", 1).goes == "2 of 3: reject"
    low, high = said("rate", rating=1), said("rate", rating=4, reviewer="ben")
    assert review_outcome_of([low, high], "majority", 3).goes == "2 of 2: rated too low"
    assert not review_outcome_of([low, high], "majority", 2).goes
    assert review_outcome_of([], "any", 1) == ReviewOutcome()


def test_an_edit_takes_a_rejection_back_and_a_rejection_counts_over_an_edit() -> None:
    edit = said("edit", edits=[{"column": "messages", "turn": 1, "text": "new"}])
    for made, goes in (
        ([said("reject"), edit], False),
        ([edit, said("reject")], True),
        ([edit, said("accept")], False),
    ):
        stand = by_row(standing([Numbered(at, one) for at, one in enumerate(made, 1)]))
        outcome = review_outcome_of([one.decision for one in stand["r"]], "majority", 1)
        assert bool(outcome.goes) is goes
        assert outcome.changes is not goes


def test_rows_of_decisions_have_ids_of_their_own() -> None:
    rows = as_rows([Numbered(1, said("accept")), Numbered(2, said("accept"))])
    assert rows["row_id"].n_unique() == 2
