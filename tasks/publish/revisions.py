"""The versions of a dataset: each publication that changes its rows is a new revision, and the earlier ones stay.

    load_dataset(DIR)           the newest, data/train.parquet
    load_dataset(DIR, "r2")     an earlier one, revisions/r2/data/train.parquet

`revisions.jsonl` has a line for each publication: which run, and how many rows it added, changed and took away. It says
what the newest revision is. While one is published, every reader finds a whole one: the files that will be replaced
first get a second name under `revisions/rN/` (a link: nothing is copied), the new ones are written in full beside the
old and renamed, the card last. Cut short, the next publication takes `revisions/rN/` for what the dataset holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.engine.files import write_atomically
from tasks.publish.changes import Changes

TRAIN = "data/train.parquet"
CARD = "README.md"
SEEDS = "seeds.parquet"
REJECTS = "rejects.parquet"
FILES = ("provenance.parquet", "losses.parquet", REJECTS, SEEDS, TRAIN)  # in the order of their switching
HISTORY = "revisions.jsonl"
DRAFT = ".draft"


class Publication(BaseModel):
    """A line of `revisions.jsonl`.

    `revision`: the version that the dataset is at since, that of the line before where no row changed. `replaces`:
    whether the run made the whole dataset, or added to what was there. `retried`: the run whose failed rows it asked
    for again. `rows`: of the whole dataset. `blank_rows`: how many the recipe `basic` has used up. `at`: UTC.
    """

    model_config = ConfigDict(frozen=True)

    revision: int
    run: str
    replaces: bool
    retried: str | None
    kind: str
    recipe: str
    format: str
    models: list[str]
    rows: int
    changes: Changes
    blank_rows: int
    at: str


def history(out: Path) -> list[Publication]:
    """All publications of a dataset, the newest last; none where nothing was published there."""
    path = out / HISTORY
    lines = path.read_text().splitlines() if path.exists() else []
    return [Publication.model_validate_json(line) for line in lines]


def makers(lines: list[Publication]) -> list[Publication]:
    """The publications whose rows the dataset holds: the last that made all of it, and those that added to it."""
    begin = max((at for at, line in enumerate(lines) if line.replaces), default=0)
    return lines[begin:]


def newest(out: Path) -> Path | None:
    """The folder with the files of the newest revision: `out`, unless a publication was cut short there."""
    lines = history(out)
    if not lines:
        return None
    kept = _folder(out, lines[-1].revision)
    return kept if kept.exists() else out


@contextmanager
def drafting(out: Path) -> Iterator[Path]:
    """A folder for the files of a publication, gone at the end of the block. One publication at a time."""
    draft = out / DRAFT
    lock = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(lock)


def switch(out: Path, draft: Path, line: Publication, keep: int) -> None:
    """Put the files of the draft in the place of those of the dataset, the card last; `keep` revisions stay."""
    lines = history(out)
    before = lines[-1].revision if lines else 0
    if before and line.revision > before:
        _keep(out, before)
    for name in FILES:
        _replace(draft / name, out / name)
    write_atomically(out / HISTORY, "".join(f"{entry.model_dump_json()}\n" for entry in [*lines, line]).encode())
    _replace(draft / CARD, out / CARD)
    _prune(out, line.revision, keep)


def leave_rejects(out: Path, draft: Path) -> None:
    """Of a draft that is not published put the rejects, and nothing else, into a folder without a dataset."""
    _replace(draft / REJECTS, out / REJECTS)


def kept(revision: int, keep: int) -> range:
    """The earlier revisions that stay beside this one, the oldest first."""
    return range(max(1, revision - keep + 1), revision)


def data_of(revision: int) -> str:
    """Where the rows of an earlier revision lie, within the dataset."""
    return f"revisions/r{revision}/{TRAIN}"


def entry_of(revision: int, data: str) -> str:
    """A revision in the card's list of configs: its name for `load_dataset`, and its file."""
    return f"- config_name: r{revision}\n  data_files:\n  - split: train\n    path: {data}\n"


def _folder(out: Path, revision: int) -> Path:
    return out / "revisions" / f"r{revision}"


def _keep(out: Path, revision: int) -> None:
    """Give the files of the newest revision the names that they have as an earlier one, in the card too."""
    folder = _folder(out, revision)
    if not folder.exists():  # else they have them, and what lies in their place is of a publication cut short
        linked = folder.with_name(f".{folder.name}")
        shutil.rmtree(linked, ignore_errors=True)
        for name in (*FILES, CARD):
            if (out / name).exists():
                (linked / name).parent.mkdir(parents=True, exist_ok=True)
                _link(out / name, linked / name)
        linked.replace(folder)
    if (out / CARD).exists():
        card = (out / CARD).read_text()
        write_atomically(
            out / CARD, card.replace(entry_of(revision, TRAIN), entry_of(revision, data_of(revision))).encode()
        )


def _link(path: Path, second: Path) -> None:
    try:
        second.hardlink_to(path)
    except OSError:  # a file system without links: the only way is a copy
        shutil.copy2(path, second)


def _replace(new: Path, path: Path) -> None:
    """Rename the file of the draft to its place, unless the same bytes lie there: then they keep their age."""
    if not new.exists():
        path.unlink(missing_ok=True)
    elif not (path.exists() and cmp(new, path, shallow=False)):
        path.parent.mkdir(parents=True, exist_ok=True)
        new.replace(path)


def _prune(out: Path, revision: int, keep: int) -> None:
    stay = {f"r{number}" for number in kept(revision, keep)}
    for folder in (out / "revisions").glob("*"):
        if folder.name not in stay:
            shutil.rmtree(folder)
    if (out / "revisions").exists() and not stay:
        (out / "revisions").rmdir()
