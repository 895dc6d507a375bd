"""The versions of a dataset: each publication that changes its rows is a new revision, and the earlier ones stay.

    load_dataset(DIR)           the newest, below data/
    load_dataset(DIR, "r2")     an earlier one, below revisions/r2/data/

`revisions.jsonl` has a line for each publication: which run, and how many rows it added, changed and took away. It says
what the newest revision is. While one is published, every reader finds a whole one: the files that will be replaced
first get a second name under `revisions/rN/` (a link: nothing is copied), to which the card points meanwhile; the new ones
are written in full beside the old and renamed, the card last. Cut short, the next publication takes `revisions/rN/` for
what the dataset holds.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from filecmp import cmp
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from tasks.publish.changes import Changes
from tasks.publish.splits import NO_SPLITS, TRAIN_SPLIT
from tasks.storage.files import link_file, write_atomically
from tasks.storage.shard_files import shard_files

DATA = "data"
CARD = "README.md"
SEEDS_FILE = "seeds.parquet"
REJECTS_FILE = "rejects.parquet"
CONFIG_FILE = "dataset.yaml"
RUN_FILE = "run.json"
FIT_FILE = "fit.json"
REPORT = "report.html"
BESIDE_FILES = (
    "provenance.parquet",
    "losses.parquet",
    REJECTS_FILE,
    SEEDS_FILE,
    CONFIG_FILE,
    RUN_FILE,
    FIT_FILE,
    REPORT,
)
HISTORY = "revisions.jsonl"
DRAFT = ".draft"
OF_NOW = re.compile(rf"^(    (?:path: |- ))({DATA}/)", re.MULTILINE)
"""In a card's `configs`: a file of the newest revision."""


def count_rejects(folder: Path) -> int:
    """How many rejects a dataset has."""
    return int(pl.scan_parquet(folder / REJECTS_FILE).select(pl.len()).collect().item())


class Publication(BaseModel, frozen=True):
    """A line of `revisions.jsonl`.

    `revision`: the version that the dataset is at since, that of the line before where no row changed. `replaces`:
    whether the run made the whole dataset, or added to what was there. `retried`: the run whose failed rows it asked
    for again. `prompt_set`: which prompts it asked with; lines of old, which do not say, had the one that there was.
    `rows`: of the whole dataset. `splits`: which share of the prompts each has. `formats`: which it is given in, its default
    first; empty where it is in `format` alone. `blank_rows`: how many the recipe `basic` has used up. `at`: UTC.
    """

    revision: int
    run: str
    replaces: bool
    retried: str | None
    kind: str
    recipe: str
    format: str
    models: list[str]
    prompt_set: str = "demo"
    rows: int
    splits: dict[str, float] = dict(NO_SPLITS)
    formats: list[str] = []
    changes: Changes
    blank_rows: int
    at: str


def history(out: Path) -> list[Publication]:
    """All publications of a dataset, the newest last; none where nothing was published there."""
    path = out / HISTORY
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Publication.model_validate_json(line) for line in lines]


def history_text(lines: Sequence[Publication]) -> bytes:
    """What `revisions.jsonl` holds."""
    return "".join(f"{line.model_dump_json()}\n" for line in lines).encode()


def makers(lines: Sequence[Publication]) -> list[Publication]:
    """The publications whose rows the dataset holds: the last that made all of it, and those that added to it."""
    begin = max((at for at, line in enumerate(lines) if line.replaces), default=0)
    return list(lines[begin:])


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
    for name in BESIDE_FILES:
        _replace(draft / name, out / name)
    _replace_data(draft, out)
    write_atomically(out / HISTORY, history_text([*lines, line]))
    _replace(draft / CARD, out / CARD)
    _prune(out, line.revision, keep)


def leave_rejects(out: Path, draft: Path) -> None:
    """Put the rejects of a draft that is not published, and nothing else, into a folder that has no dataset."""
    _replace(draft / REJECTS_FILE, out / REJECTS_FILE)


def kept(revision: int, keep: int) -> range:
    """The earlier revisions that stay beside this one, the oldest first."""
    return range(max(1, revision - keep + 1), revision)


def data_files(folder: Path, below: str = DATA) -> dict[str, list[Path]]:
    """The files with the rows of a dataset, in order, by split: `train` first."""
    found = shard_files(folder / below)
    return {name: found[name] for name in sorted(found, key=lambda name: (name != TRAIN_SPLIT, name))}


def all_data_files(folder: Path) -> list[Path]:
    """The files of all splits, in order."""
    return [file for files in data_files(folder).values() for file in files]


def every_data_file(folder: Path) -> list[Path]:
    """The files with rows in all formats."""
    return sorted(file for file in (folder / DATA).rglob("*.parquet") if not file.name.startswith("."))


def earlier_folder(out: Path, revision: int) -> Path:
    """Where the files of an earlier revision lie, or will have lain by the end of a publication: till then, in `out`."""
    kept_there = _folder(out, revision)
    return kept_there if kept_there.exists() else out


def config_entry(name: str, splits: Mapping[str, Sequence[str]]) -> str:
    """A line of the card's `configs`: a name for `load_dataset`, and the files of each split, within the dataset."""
    lines = [f"- config_name: {name}", "  data_files:"]
    for split, files in splits.items():
        one = [f"    path: {files[0]}"] if len(files) == 1 else ["    path:", *(f"    - {file}" for file in files)]
        lines += [f"  - split: {split}", *one]
    return "".join(f"{line}\n" for line in lines)


def config_entries(draft: Path, out: Path, line: Publication, keep: int) -> str:
    """The card's `configs`: the rows of the draft in each format and by their revision, and those that are kept."""
    revision, new = line.revision, _files_of(draft, DATA)
    formats = {name: _files_of(draft, f"{DATA}/{name}") for name in line.formats}
    made = {name: files for name, files in formats.items() if files}
    by_name = {name: made.get(name, new) for name in line.formats} if made or len(line.formats) > 1 else {}
    default = next(iter(by_name.values()), new)
    if made and new not in by_name.values():
        by_name["rows"] = new
    earlier = [
        config_entry(f"r{number}", _as_kept(data_files(earlier_folder(out, number)), number))
        for number in kept(revision, keep)
    ]
    named = [config_entry(name, files) for name, files in by_name.items()]
    return "".join([config_entry("default", default), *named, *earlier, config_entry(f"r{revision}", new)])


def _files_of(draft: Path, below: str) -> dict[str, list[str]]:
    found = data_files(draft, below)
    return {split: [file.relative_to(draft).as_posix() for file in files] for split, files in found.items()}


def _as_kept(splits: Mapping[str, Sequence[Path]], revision: int) -> dict[str, list[str]]:
    below = f"revisions/r{revision}/{DATA}"
    return {split: [f"{below}/{file.name}" for file in files] for split, files in splits.items()}


def _folder(out: Path, revision: int) -> Path:
    return out / "revisions" / f"r{revision}"


def _keep(out: Path, revision: int) -> None:
    """Give the files of the newest revision the names that they have as an earlier one, in the card too."""
    folder = _folder(out, revision)
    if not folder.exists():  # else they have them, and what lies in their place is of a publication cut short
        linked = folder.with_name(f".{folder.name}")
        shutil.rmtree(linked, ignore_errors=True)
        for file in [*(out / name for name in (*BESIDE_FILES, CARD)), *every_data_file(out)]:
            link_file(file, linked / file.relative_to(out))
        linked.replace(folder)
    if (out / CARD).exists():
        write_atomically(out / CARD, pointed_at((out / CARD).read_text(encoding="utf-8"), revision).encode())


def pointed_at(card: str, revision: int) -> str:
    """A card whose newest files are those below `revisions/rN/`."""
    head, separator, body = card.partition("\n---\n")
    return OF_NOW.sub(rf"\1revisions/r{revision}/\2", head) + separator + body


def _replace_data(draft: Path, out: Path) -> None:
    """Put the files with rows in the place of those that are there, which may be others."""
    new = [file.relative_to(draft) for file in every_data_file(draft)]
    for name in new:
        _replace(draft / name, out / name)
    for file in every_data_file(out):
        if file.relative_to(out) not in new:
            file.unlink()
            with suppress(OSError):  # others are there still
                file.parent.rmdir()


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
