"""Versions of a dataset: what a reader finds, also while and after a publication was cut short."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.publish import revisions
from tasks.publish.card import write_card
from tasks.publish.changes import Changes, changes_between
from tasks.publish.revisions import BESIDE_FILES, Publication, data_files, drafting, history, makers, newest, switch
from tasks.storage.tables import PROVENANCE, REJECTS, write_stream

TRAIN_FILE = "data/train.parquet"
FILES = (*BESIDE_FILES, TRAIN_FILE)


def publish(out: Path, texts: str, keep: int = 10, **about: Any) -> Publication:
    """A publication of rows a, b, ... with these letters as their texts; all other files stay the same."""
    out.mkdir(exist_ok=True)
    frame = pl.DataFrame({"row_id": [f"{at:032x}" for at in range(len(texts))], "text": list(texts)})
    with drafting(out) as draft:
        lines, before = history(out), newest(out)
        write_stream(draft / TRAIN_FILE, [frame])
        for name in BESIDE_FILES:
            if name.endswith(".json"):
                (draft / name).write_text("[]\n")
                continue
            write_stream(draft / name, [pl.DataFrame(schema=PROVENANCE if "prov" in name else REJECTS)])
        changes = changes_between([before / TRAIN_FILE] if before else None, [draft / TRAIN_FILE], draft)
        revision = (lines[-1].revision if lines else 0) + (changes is not None)
        line = Publication(
            revision=revision,
            run=f"sft-{len(lines) + 1}",
            replaces=True,
            retried=None,
            kind="sft",
            recipe="respond",
            format="sft",
            models=["m"],
            rows=len(texts),
            changes=changes or Changes(),
            blank_rows=0,
            at="2026-01-01",
        ).model_copy(update=about)
        write_card(draft, out, [*lines, line], 0, {}, keep)
        switch(out, draft, line, keep)
    return line


Load = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The texts of a version, as `datasets` opens it."""

    def open_version(out: Path, version: str | None = None) -> str:
        from datasets import load_dataset

        cache = str(tmp_path / "cache" / str(len(list(tmp_path.glob("cache/*")))))  # a reader that saw nothing before
        return "".join(load_dataset(str(out), version, split="train", cache_dir=cache)["text"])

    return open_version


def test_every_version_is_found_by_name_and_the_newest_without(tmp_path: Path, load: Load) -> None:
    out = tmp_path / "out"
    for texts in ("abc", "abcd", "xbc"):
        publish(out, texts)
    assert [load(out, version) for version in (None, "r1", "r2", "r3")] == ["xbc", "abc", "abcd", "xbc"]
    assert load(out / "revisions" / "r2") == "abcd"  # a dataset of its own, with its card
    assert pl.read_parquet(out / TRAIN_FILE)["text"].to_list() == list("xbc")
    told = [json.loads(line) for line in (out / "revisions.jsonl").read_text().splitlines()]
    assert [(line["revision"], line["run"], line["changes"]) for line in told] == [
        (1, "sft-1", {"added": 3, "changed": 0, "gone": 0}),
        (2, "sft-2", {"added": 1, "changed": 0, "gone": 0}),
        (3, "sft-3", {"added": 0, "changed": 1, "gone": 1}),
    ]
    assert "| r3 | 3 | 0 | 1 | 1 | `sft-3`" in (out / "README.md").read_text()


def test_the_same_rows_make_no_new_revision_and_leave_the_files_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "abc")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert publish(out, "abc").revision == 1
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    assert [(line.revision, line.run) for line in history(out)] == [(1, "sft-1"), (1, "sft-2")]
    assert (out / "README.md").read_text().count("| r1 |") == 1


def test_an_earlier_version_takes_no_disk_for_files_that_did_not_change(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "abc")
    first = {name: (out / name).stat().st_ino for name in FILES}
    publish(out, "abcd")
    earlier = out / "revisions" / "r1"
    assert {name: (earlier / name).stat().st_ino for name in FILES} == first  # renamed or linked, never copied
    assert [name for name in FILES if (out / name).stat().st_ino != first[name]] == [TRAIN_FILE]


def test_no_more_versions_are_kept_than_asked_for(tmp_path: Path, load: Load) -> None:
    out = tmp_path / "out"
    for at in range(5):
        publish(out, "abcdefgh"[: at + 1], keep=3)
    assert sorted(path.name for path in (out / "revisions").iterdir()) == ["r3", "r4"]
    assert [load(out, version) for version in (None, "r3", "r4", "r5")] == ["abcde", "abc", "abcd", "abcde"]
    with pytest.raises(ValueError, match="BuilderConfig 'r2' not found"):
        load(out, "r2")
    assert "r2, not kept" in (out / "README.md").read_text()
    publish(out, "z", keep=1)
    assert not (out / "revisions").exists()
    assert load(out) == "z"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("cut", range(26))
def test_a_publication_cut_short_anywhere_leaves_a_whole_version_and_the_next_one_mends_it(
    cut: int, tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    publish(out, "abc")
    publish(out, "abcd")
    left = [cut]

    def until_killed(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Path, *others: Any) -> Any:
            if path.is_relative_to(out):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
            return change(path, *others)

        return changed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        for name in ("replace", "hardlink_to"):
            patch.setattr(Path, name, until_killed(getattr(Path, name)))
        patch.setattr(revisions.shutil, "rmtree", lambda *_args, **_options: None)  # the dead do not tidy up
        publish(out, "abcde")
        raise Killed("after all of it")
    assert load(out) in ("abcd", "abcde")
    assert load(out, "r1") == "abc"
    assert load(out, "r2") == "abcd"
    line = publish(out, "abcdef")
    assert line.revision == history(out)[-1].revision
    assert [load(out, version) for version in (None, "r1", "r2")] == ["abcdef", "abc", "abcd"]
    assert load(out, f"r{line.revision}") == "abcdef"
    assert line.changes.added == (1 if line.revision == 4 else 2)  # counted from the last that is on record
    there = {path.name for folder in (out, out / "revisions") for path in folder.iterdir()}
    assert not [name for name in there if name.startswith(".")]


def test_a_version_that_was_cut_short_is_no_version_when_the_rows_go_back(
    tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    publish(out, "abc")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(revisions, "write_atomically", _killed_at(out / "revisions.jsonl"))
        publish(out, "xyz")
    assert load(out) == "abc"  # the card points to the earlier files until all of the new ones are there
    assert publish(out, "abc").revision == 1
    assert load(out) == load(out, "r1") == "abc"
    assert not (out / "revisions").exists()


def test_what_a_killed_publication_has_left_is_in_no_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "abc")
    write_stream(out / ".draft/data/test.parquet", [pl.DataFrame({"row_id": ["f"], "text": ["left"]})])
    publish(out, "abcd")
    assert list(data_files(out)) == ["train"]


def is_free(folder: Path) -> bool:
    """Whether another process could take the lock of a folder now."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def test_one_publication_at_a_time(tmp_path: Path) -> None:
    with drafting(tmp_path):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def _killed_at(file: Path) -> Callable[[Path, bytes], None]:
    from tasks.storage.files import write_atomically

    def write(path: Path, data: bytes) -> None:
        if path == file:
            raise Killed
        write_atomically(path, data)

    return write


def test_a_dataset_is_made_by_the_last_run_that_made_all_of_it_and_those_that_added(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for texts, replaces in (("a", True), ("ab", False), ("abc", True), ("abcd", False), ("abcde", False)):
        publish(out, texts, replaces=replaces)
    assert [line.run for line in makers(history(out))] == ["sft-3", "sft-4", "sft-5"]
    assert makers([]) == []
