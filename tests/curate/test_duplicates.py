"""Duplicates and contamination as steps of a run: what goes, what stays, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from tasks.curate.decontaminate import Decontaminate
from tasks.curate.deduplicate import Deduplicate
from tasks.engine.sieve import Sieve
from tasks.errors import ConfigError
from tasks.notices import heard
from tests.benchmarks.curation import MT_BENCH, recall_of_contamination, seed_texts
from tests.benchmarks.seeded import KINDS, copies_of

SOCKS = "How many euros does Maria pay for 2 socks in the little shop near the station?"


def frame_of(*texts: str, first: int = 0) -> pl.DataFrame:
    ids = [f"{first + at:032x}" for at in range(len(texts))]
    return pl.DataFrame({"row_id": ids, "instruction": texts, "response": ["An answer."] * len(texts)})


def reasons(sieve: Sieve, frame: pl.DataFrame) -> list[tuple[int, str, str]]:
    return [(int(row_id, 16), loss.reason, loss.detail) for row_id, loss in sieve.sift(frame).items()]


def test_the_first_of_a_group_stays_and_is_named_with_the_figure(tmp_path: Path) -> None:
    sieve = Deduplicate().open(tmp_path)
    assert reasons(sieve, frame_of(SOCKS, f" {SOCKS}\n", SOCKS.replace("2", "3"), "Name a town.")) == [
        (1, "duplicate", f"{0:032x}")
    ]
    later = frame_of(SOCKS.upper() + "!", SOCKS.replace("little", "tiny"), "Name a town", first=4)
    assert reasons(sieve, later) == [
        (4, "near_duplicate", f"{0:032x}, Jaccard 1.00"),
        (5, "near_duplicate", f"{0:032x}, Jaccard 0.82"),
        (6, "near_duplicate", f"{3:032x}, Jaccard 1.00"),
    ]
    sieve.close()
    assert list(tmp_path.iterdir()) == []


def test_a_table_without_rows_has_none_that_go(tmp_path: Path) -> None:
    sieve = Deduplicate().open(tmp_path)
    empty = frame_of(SOCKS).clear()
    sieve.hold(empty)
    assert reasons(sieve, empty) == reasons(sieve, empty.with_columns(chosen=pl.lit(None))) == []
    assert reasons(Decontaminate(benchmarks=(MT_BENCH,)).open(tmp_path), empty) == []
    sieve.close()


def test_rows_of_the_dataset_stay_when_they_come_again_and_turn_out_others(tmp_path: Path) -> None:
    sieve = Deduplicate().open(tmp_path)
    published = frame_of(SOCKS, SOCKS.upper())
    sieve.hold(published)
    assert reasons(sieve, published) == []
    assert reasons(sieve, frame_of(SOCKS, SOCKS + "?", first=2)) == [
        (2, "duplicate_of_earlier", f"{0:032x}"),
        (3, "near_duplicate", f"{0:032x}, Jaccard 1.00"),
    ]
    sieve.close()


def test_system_prompts_do_not_count_and_turns_do(tmp_path: Path) -> None:
    def talk(*turns: str) -> list[dict[str, str]]:
        return [
            {"role": role, "content": turn}
            for role, turn in zip(("system", "user", "assistant") * 2, turns, strict=False)
        ]

    talks = [talk("Be kind.", SOCKS, "10."), talk("Be brief.", SOCKS, "Ten euros."), talk("", "Name a town.", "Ulm.")]
    longer = [*talk("Be kind.", SOCKS, "10."), {"role": "user", "content": "And five of the shirts that hang there?"}]
    talks.append([*longer, {"role": "assistant", "content": "30."}])
    sieve = Deduplicate().open(tmp_path)
    assert reasons(sieve, pl.DataFrame({"row_id": [f"{at:032x}" for at in range(4)], "messages": talks})) == [
        (1, "duplicate", f"{0:032x}")
    ]
    sieve.close()


def test_pairs_of_one_prompt_stay_or_go_together(tmp_path: Path) -> None:
    def pairs(first: int, *prompts: str) -> pl.DataFrame:
        asked = [[{"role": "user", "content": prompt}] for prompt in prompts]
        said = [[{"role": "assistant", "content": f"Answer {at}"}] for at in range(len(prompts))]
        ids = [f"{first + at:032x}" for at in range(len(prompts))]
        return pl.DataFrame({"row_id": ids, "prompt": asked, "chosen": said, "rejected": said[::-1]})

    sieve = Deduplicate().open(tmp_path)
    assert reasons(sieve, pairs(0, SOCKS, SOCKS, "Name a town.")) == []
    assert [(row, reason) for row, reason, _ in reasons(sieve, pairs(3, "Name a town.", SOCKS, SOCKS))] == [
        (3, "duplicate"),
        (4, "duplicate"),
        (5, "duplicate"),
    ]
    sieve.close()


def test_prompts_of_other_data_do_not_come_again(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(
        json.dumps({"question": "Name a town.", "answer": "Ulm."}) + "\n" + json.dumps({"question": SOCKS})
    )
    params = Deduplicate(against=(str(other),))
    params.check()
    sieve = params.open(tmp_path)
    assert reasons(sieve, frame_of(SOCKS, "Name two towns of France.")) == [(0, "duplicate", f"{other} row 2")]
    sieve.close()


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_human_texts_are_found_and_nothing_else(kind: str, tmp_path: Path) -> None:
    texts = list(dict.fromkeys(seed_texts()))
    sieve = Deduplicate().open(tmp_path)
    assert reasons(sieve, frame_of(*texts)) == []
    copies = [copy for copy in copies_of(texts) if copy.kind == kind]
    found = reasons(sieve, frame_of(*(copy.text for copy in copies), first=len(texts)))
    least = {"one word changed": 0.85, "word order": 0.85, "embedded": 0.01}.get(kind, 0.98)
    assert len(found) >= least * len(copies)
    right = [int(detail[:32], 16) == copies[row - len(texts)].of for row, _, detail in found]
    assert sum(right) >= 0.9 * len(found)  # what is in one frame may be like another in the same


def test_questions_of_a_benchmark_are_found_and_nothing_else() -> None:
    lines = list(recall_of_contamination())
    assert len(lines) == len(KINDS) + 1
    assert [str(line) for line in lines if not line.met] == []


def test_a_contaminated_row_is_told_with_benchmark_item_and_share() -> None:
    params = Decontaminate(benchmarks=(MT_BENCH,))
    params.check()
    sieve = params.open(Path())
    asked = "Compose an engaging travel blog post about a recent trip to Hawaii, highlighting cultural experiences and must-see attractions."
    rows = frame_of("Write about a journey.", asked.lower(), "Solve this.")
    rows = rows.with_columns(response=pl.Series(["An answer.", "Aloha.", f"You said: {asked} I will."]))
    told: list[str] = []
    with heard(told.append):
        found = reasons(sieve, rows)
        sieve.close()
    detail = "mt_bench/mt_bench_question 81 turn 1, share 1.00"
    assert found == [(1, "contaminated", detail), (2, "contaminated", detail)]
    assert told == ["rows that hold what a benchmark asks, and are left out: mt_bench/mt_bench_question 2"]


def test_a_folder_of_a_benchmark_is_read_without_what_asks_nothing(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.txt").write_text("Do as you like with the whole of it.")
    (tmp_path / "test.jsonl").write_text(
        json.dumps({"task_id": "T/1", "prompt": "Say in two sentences where the moon goes by day."})
    )
    (tmp_path / "answers.jsonl").write_text(json.dumps({"task_id": "T/1", "answer": "Down."}))
    told: list[str] = []
    with heard(told.append):
        sieve = Decontaminate(benchmarks=(str(tmp_path),)).open(tmp_path)
    [line] = told
    assert line.startswith(f"{tmp_path}/answers.jsonl: left out")
    [(_, _, detail)] = reasons(
        sieve, frame_of("Say in two sentences where the moon goes by night.", "Down with the whole of it.")
    )
    assert detail == f"{tmp_path.name}/test T/1, share 0.90"


@pytest.mark.parametrize(
    ("files", "benchmarks", "told"),
    [
        ({}, ["nowhere"], "no such file: nowhere"),
        ({"empty/.hidden": ""}, ["empty"], "a benchmark folder without data: empty"),
        ({"own/a.jsonl": '{"answer": "5"}'}, ["own"], "a benchmark that asks nothing: own"),
        ({"a.jsonl": '{"answer": "5"}'}, ["a.jsonl"], "a benchmark that asks nothing: a.jsonl"),
    ],
)
def test_a_benchmark_that_is_none_is_told_beforehand(
    files: dict[str, str], benchmarks: Sequence[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as error:
        Decontaminate(benchmarks=tuple(benchmarks)).check()
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [{"threshold": 0}, {"threshold": 1.2}, {"against": "x", "more": 1}])
def test_what_is_out_of_range_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Deduplicate.model_validate(given)


def test_other_data_that_is_not_there_is_told_beforehand() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Deduplicate(against=("nowhere.jsonl",)).check()
    with pytest.raises(ValidationError):
        Decontaminate(benchmarks=())


def test_of_answers_to_one_prompt_the_longest_stays_and_turns_out_later_ones(tmp_path: Path) -> None:
    rows = frame_of(SOCKS, SOCKS, SOCKS.upper(), "Name a town.").with_columns(
        response=pl.Series(["10.", "Ten euros.", "10 EUR", "Ulm."])
    )
    sieve = Deduplicate(longest=True).open(tmp_path)
    assert reasons(sieve, rows) == [
        (0, "shorter_answer", f"{1:032x}, 3 of 10 characters"),
        (2, "duplicate", f"{1:032x}"),
    ]
    again = frame_of(SOCKS, "Name a town.", "Name two towns.", first=4)
    assert [(row, reason) for row, reason, _ in reasons(sieve, again)] == [(4, "duplicate"), (5, "duplicate")]
    assert reasons(sieve, rows.clear()) == []
    sieve.close()
