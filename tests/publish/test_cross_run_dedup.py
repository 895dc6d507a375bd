from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.publish.cross_run_dedup import not_of_earlier, prompts_of
from tasks.publish.dataset import conversations
from tasks.publish.formats.preference import FORMATS
from tasks.storage.digest import digest
from tasks.storage.tables import Table, write_stream, write_table
from tests.publish.test_formats import a_pair, pairs, said


def responses(folder: Path, *instructions: str, first: int = 0) -> Table:
    rows: list[dict[str, Any]] = [
        {
            "row_id": digest(first + at),
            "instruction": text,
            "response": "so",
            "response_model": "m",
            "system": "Be brief.",
        }
        for at, text in enumerate(instructions)
    ]
    return write_table(folder / f"{digest(first, *instructions)}.parquet", "text_generation", pl.DataFrame(rows), {})


def instructions_of(tables: list[Table]) -> list[str]:
    return [text for table in tables for text in table.read()["instruction"]]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    write_stream(tmp_path / "train", [conversations(responses(tmp_path, "Why?", "How many\n eggs?").read())])
    return tmp_path / "train"


def test_a_row_that_asks_what_an_earlier_one_asks_is_filtered_with_the_earlier_ones_id(
    earlier: Path, tmp_path: Path
) -> None:
    night = [responses(tmp_path, "who?", "WHY? ", first=10), responses(tmp_path, "how many eggs?", "When?", first=20)]
    kept = not_of_earlier(night, [earlier], str(tmp_path / "tables"))
    assert instructions_of(kept) == ["who?", "When?"]
    assert [(table.rows_in, table.rejects) for table in kept] == [(2, {"duplicate_of_earlier": 1})] * 2
    refused = pl.concat(frame for table in kept if (frame := table.read_beside("rejects")) is not None)
    assert refused["detail"].to_list() == [digest(0), digest(1)]
    assert set(refused["kind"]) == {"filtered"}


def test_rows_of_one_night_may_ask_the_same(earlier: Path, tmp_path: Path) -> None:
    night = [responses(tmp_path, "When?", "When?", first=10)]
    assert instructions_of(not_of_earlier(night, [earlier], str(tmp_path / "tables"))) == ["When?", "When?"]


def test_a_row_with_the_id_of_an_earlier_one_is_not_taken_twice(earlier: Path, tmp_path: Path) -> None:
    night = [responses(tmp_path, "another text under the old id", first=0)]
    assert instructions_of(not_of_earlier(night, [earlier], str(tmp_path / "tables"))) == []


def test_a_healed_row_stays_beside_those_that_its_own_run_has_published(earlier: Path, tmp_path: Path) -> None:
    again = [responses(tmp_path, "Why?", "How many\n eggs?", "why?", "who?")]
    kept = not_of_earlier(again, [earlier], str(tmp_path / "tables"), frozenset({digest(0), digest(1)}))
    assert instructions_of(kept) == ["Why?", "How many\n eggs?", "why?", "who?"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_prompt_is_the_same_in_every_format_of_pairs(name: str) -> None:
    turns = said(("system", "Cook."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Soup?"))
    frame = pairs(a_pair(0, turns), a_pair(1, said(("user", " TEA?"))))
    expected = prompts_of(pairs(a_pair(0, turns[1:]), a_pair(1, said(("user", "tea?")))))
    assert list(dict.fromkeys(prompts_of(FORMATS[name](frame)))) == expected


def called(name: str) -> list[dict[str, Any]]:
    calls = [{"type": "function", "function": {"name": name, "arguments": "{}"}}]
    talk = ({"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": calls})
    return [*talk, {"role": "tool", "content": "fine"}, {"role": "assistant", "content": "It is fine."}]


def test_who_says_the_words_and_which_tools_are_called_tell_prompts_apart() -> None:
    talks = [called("weather"), called("forecast"), called("weather")]
    talks += [
        [{"role": role, "content": "Hello"} for role in roles] for roles in (("user",) * 3, ("user", "tool", "x"))
    ]
    found = prompts_of(pl.DataFrame({"messages": talks}))
    assert found[0] == found[2] and len(set(found)) == 4
