"""What of a dataset goes to the Hub: of each revision its rows, its card, its report, and what tells how it came to be.

The folders of earlier revisions are none there: each revision is a commit with a tag.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tasks.errors import ConfigError
from tasks.models.open import is_built_in
from tasks.publish.describe.proofs import PROOF_FILE
from tasks.publish.report.page import write_report
from tasks.publish.revisions import (
    BESIDE_FILES,
    CARD,
    DATA,
    HISTORY,
    REPORT,
    Publication,
    all_data_files,
    earlier_folder,
    every_data_file,
    history,
    history_text,
    makers,
    newest,
)
from tasks.storage.files import link_file, write_atomically

BY_PEOPLE = ("reviews.parquet", PROOF_FILE)
DATASET_FILES = frozenset({*BESIDE_FILES, *BY_PEOPLE, CARD, HISTORY})
"""The files of a dataset that do not lie below `data/`."""
MODEL_COLUMN = re.compile(r"(\w+_)?models?")
LOADING = re.compile(r'load_dataset\("[^"]*"')
EARLIER = re.compile(r"^An earlier version: `load_dataset\(.*?\)`\. ", re.MULTILINE)
LINKS = ".push"


@dataclass(frozen=True)
class Contents:
    """The files of a revision as they go to the Hub: by their names there, where each lies here. `line`: its publication."""

    line: Publication
    files: Mapping[str, Path]


def check_pushable(dataset: Path, *, allow_demo: bool = False) -> Publication:
    """The newest publication of a dataset. Raises ConfigError where there is none, of 0 rows, and of a built-in model's rows."""
    lines = history(dataset) if dataset.is_dir() else []
    folder = newest(dataset) if lines else None
    if folder is None:
        raise ConfigError("no dataset there", dataset, "give the folder of a dataset, as a run has written it")
    if not lines[-1].rows:
        raise ConfigError("a dataset of 0 rows is not pushed", dataset, "run it again until there are rows")
    if not allow_demo and is_built_in(_models(folder, lines)):
        raise demo_refused(dataset)
    return lines[-1]


def demo_refused(what: object, allowing: str = "--allow-demo") -> ConfigError:
    """The error for rows of a built-in model. `allowing`: what has them pushed all the same."""
    fix = f"use a real model; {allowing} pushes them"
    return ConfigError("the demo model's rows are not for others to train on", what, fix)


@contextmanager
def files_to_push(dataset: Path, repo: str, *, allow_demo: bool = False) -> Iterator[list[Contents]]:
    """The files of a dataset's revisions for a repository, as they are now, the newest last, whatever a run publishes meanwhile.

    Those before the newest are the ones that are kept and could be pushed themselves (`check_pushable`). The files are
    links below `.push`, gone at the end of the block. The report is written where the run wrote none. Raises ConfigError
    where the dataset is being pushed already.
    """
    links = dataset / LINKS
    try:
        links.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError("cannot write there", f"{dataset}: {error.strerror}", "push a copy of it") from error
    lock = os.open(links, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError("the dataset is being pushed by another process", dataset, "wait for it") from error
        _empty(links)
        with _not_published_meanwhile(dataset):
            lines = history(dataset)
            pushed = [*_earlier(dataset, lines, allow_demo=allow_demo), lines]
            for some in pushed:
                _link_all(dataset, some, links / f"r{some[-1].revision}", is_newest=some is lines)
        yield [_contents(links / f"r{some[-1].revision}", repo, some[-1]) for some in pushed]
    finally:
        os.close(lock)
        shutil.rmtree(links, ignore_errors=True)


def _earlier(dataset: Path, lines: Sequence[Publication], *, allow_demo: bool) -> Iterator[Sequence[Publication]]:
    """The publications up to each revision before the newest that is kept and can be pushed, the oldest first."""
    for number in range(1, lines[-1].revision):
        until = [line for line in lines if line.revision <= number]
        folder = earlier_folder(dataset, number)
        if folder == dataset or not (folder / CARD).exists() or not until[-1].rows:
            continue
        if allow_demo or not is_built_in(_models(folder, until)):
            yield until


def _contents(links: Path, repo: str, line: Publication) -> Contents:
    """The files below a folder of links, the card as it is to stand in the repository."""
    card = (links / CARD).read_text(encoding="utf-8")
    write_atomically(links / CARD, hub_card(card, repo, line.revision).encode())
    found = (file for file in sorted(links.rglob("*")) if file.is_file())
    return Contents(line, {file.relative_to(links).as_posix(): file for file in found})


def hub_card(text: str, repo: str, revision: int) -> str:
    """The card as it stands in a repository: configs of the rows that are there, and the repository's name to load it by."""
    import yaml

    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    told: dict[str, Any] = yaml.safe_load(head)
    told["configs"] = [config for config in told["configs"] if _is_of_now(config)]
    body = LOADING.sub(f'load_dataset("{repo}"', body)
    body = EARLIER.sub(f'Each revision is a tag: `load_dataset("{repo}", revision="r{revision}")`. ', body)
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---\n{body}"


def _is_of_now(config: Mapping[str, Any]) -> bool:
    """Whether the files of a config are those of the newest revision."""
    paths = [split["path"] for split in config["data_files"]]
    return all(
        str(path).startswith(f"{DATA}/") for some in paths for path in ([some] if isinstance(some, str) else some)
    )


def _models(folder: Path, lines: Sequence[Publication]) -> set[str]:
    """The models behind the rows: those that the runs name, and those that the rows name (of a curated dataset only these)."""
    named = {model.split(" (served:")[0] for line in makers(lines) for model in line.models}
    rows = pl.scan_parquet(all_data_files(folder))
    columns = [
        name for name, kind in rows.collect_schema().items() if MODEL_COLUMN.fullmatch(name) and kind == pl.String
    ]
    for name in columns:
        named.update(rows.select(pl.col(name).drop_nulls().unique()).collect(engine="streaming")[name])
    return named


@contextmanager
def _not_published_meanwhile(dataset: Path) -> Iterator[None]:
    """Hold the lock of publications (`revisions.drafting`) while the block runs."""
    lock = os.open(dataset, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _link_all(dataset: Path, lines: Sequence[Publication], links: Path, *, is_newest: bool) -> None:
    """Give all files of the last of these publications that go to the Hub a second name."""
    folder = newest(dataset) if is_newest else earlier_folder(dataset, lines[-1].revision)
    assert folder is not None, "a dataset that is pushed is there"
    if is_newest and not (folder / REPORT).exists():
        write_report(dataset)
    for file in [folder / name for name in (*BESIDE_FILES, CARD)] + every_data_file(folder):
        link_file(file, links / file.relative_to(folder))
    for name in BY_PEOPLE if is_newest else ():
        link_file(dataset / name, links / name)
    write_atomically(links / HISTORY, history_text(lines))


def _empty(folder: Path) -> None:
    """Remove what a push that was killed has left there."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
