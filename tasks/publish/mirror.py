"""A dataset at a URL: a run works on a folder of this home, its mirror, and what others read lies below the URL.

    stillroom sft --recipe evolved --seeds seeds.jsonl --out s3://bucket/demo

    URL/revisions/r3/...     all files of a revision, in a folder of its own, as a dataset has them
    URL/README.md            the card; its `configs` name the files of the newest revision there
    URL/revisions.jsonl      which revision that is; a run goes by this file

A store of objects renames nothing, so a publication is as atomic as one put: a new revision is written under its own name, where
nobody looks yet, then the card, then `revisions.jsonl`; what no longer stays is removed after that. A publication without a
changed row has no new name: its files are put over those of before one by one, and of those none holds a row. Two machines that
publish to one URL at the same moment are told apart by `revisions.jsonl` alone, which is read just before: a store has no lock.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tasks.errors import ConfigError, first_line
from tasks.publish.revisions import (
    BESIDE_FILES,
    CARD,
    DATA,
    HISTORY,
    Publication,
    every_data_file,
    history,
    history_text,
    newest,
    pointed_at,
)
from tasks.storage import places
from tasks.storage.digest import digest
from tasks.storage.files import write_atomically
from tasks.storage.home import home

FOLDER = "datasets"
REVISIONS = "revisions"
SENT = re.compile(rf"{re.escape(CARD)}|{REVISIONS}/r\d+/.+")
"""What a publication puts there before `revisions.jsonl`."""
LOADING = re.compile(r'load_dataset\("(?!parquet")[^"]*"')
EARLIER = re.compile(r'load_dataset\("[^"]*", "(r\d+)"\)')


def mirror_of(url: str) -> Path:
    """The folder of this home that a run works on, where its dataset lies at a URL."""
    return home() / FOLDER / digest(url)[:16] / url.rpartition("/")[2]


def check_url(url: str) -> None:
    """Raise ConfigError where the dataset cannot be written below the URL, or something else lies there."""
    places.check_writable(url)
    if places.is_there(f"{url}/{HISTORY}"):
        return
    there = [entry.place.removeprefix(f"{url}/") for entry in places.entries(url)]
    is_begun = bool(history(mirror_of(url))) and all(map(SENT.fullmatch, there))  # a first publication was cut short
    if there and not is_begun:
        raise ConfigError("something lies there that is no dataset of ours", url, "choose another --out")


def fetch_mirror(url: str) -> Path:
    """The mirror of a dataset at a URL, brought up to date where others have published there; empty where nothing is there.

    What this home has published and not sent stays, where it follows what is there.
    """
    folder, there = mirror_of(url), _lines_at(url)
    if not there or history(folder)[: len(there)] == there:
        return folder
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    now, published = f"{url}/{REVISIONS}/r{there[-1].revision}/", {f"r{line.revision}" for line in there}
    for entry in places.entries(f"{url}/{REVISIONS}"):
        name = entry.place.removeprefix(f"{url}/")
        if name.split("/")[1] in published:  # another one was cut short
            places.fetch(entry.place, draft / (entry.place.removeprefix(now) if entry.place.startswith(now) else name))
    write_atomically(draft / HISTORY, history_text(there))
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return folder


def send(url: str) -> bool:
    """Publish at the URL what the mirror has and the URL has not; whether there was anything.

    Raises ConfigError where others have published there since `fetch_mirror`; faults of a store pass.
    """
    folder = mirror_of(url)
    lines, there = history(folder), _lines_at(url)
    if lines == there or not lines:
        return False
    if lines[: len(there)] != there:
        raise ConfigError("another run has published there meanwhile", url, "give the same command again")
    files = newest(folder)
    assert files is not None, "a mirror with lines has files"
    revision = lines[-1].revision
    is_new = not there or there[-1].revision != revision
    kept = [path for path in sorted((folder / REVISIONS).glob("r*")) if path.name != f"r{revision}"]
    have = {name.split("/")[0] for name in _names_below(f"{url}/{REVISIONS}")}
    whole = have & {f"r{line.revision}" for line in there}  # of another one only the first files may be there
    for earlier in kept:
        if earlier.name not in whole:
            _put(earlier, url, int(earlier.name[1:]), rows=True)
    _put(files, url, revision, rows=is_new)
    card = _loading_from((files / CARD).read_text(encoding="utf-8"), url, revision)
    places.write(f"{url}/{CARD}", pointed_at(card, revision).encode())
    places.write(f"{url}/{HISTORY}", history_text(lines))
    stay = {f"r{revision}", *(path.name for path in kept)}
    for name in _names_below(f"{url}/{REVISIONS}"):
        if name.split("/")[0] not in stay:
            places.remove(f"{url}/{REVISIONS}/{name}")
    return True


def _loading_from(text: str, url: str, revision: int) -> str:
    """A card that says how to load the rows from the URL, in place of a folder of this machine."""

    def loading(revision: str) -> str:
        return f'load_dataset("parquet", data_files="{url}/{REVISIONS}/{revision}/{DATA}/*.parquet"'

    earlier = EARLIER.sub(lambda found: f"{loading(found[1])})", text)
    return LOADING.sub(loading(f"r{revision}"), earlier)


def _put(folder: Path, url: str, revision: int, *, rows: bool) -> None:
    """Put the files of a revision into its folder at the URL, those with rows too; others that lie there go."""
    place = f"{url}/{REVISIONS}/r{revision}"
    beside = [file for name in BESIDE_FILES if (file := folder / name).exists()]
    data = every_data_file(folder)
    own = {file.relative_to(folder).as_posix() for file in [*beside, *data]}
    for name in _names_below(place):
        if name not in own | {CARD}:  # of a publication that was cut short, or that had more to say
            places.remove(f"{place}/{name}")
    for file in beside + (data if rows else []):
        places.put(file, f"{place}/{file.relative_to(folder).as_posix()}")
    card = (folder / CARD).read_text(encoding="utf-8")
    places.write(f"{place}/{CARD}", _loading_from(card, url, revision).encode())


def _names_below(place: str) -> list[str]:
    return [entry.place.removeprefix(f"{place}/") for entry in places.entries(place)]


def _lines_at(url: str) -> list[Publication]:
    try:
        text = places.read(f"{url}/{HISTORY}").decode()
    except FileNotFoundError:
        return []
    except ConfigError:
        raise
    except Exception as error:  # each store has errors of its own: all of them end the run before it has begun
        raise ConfigError(
            "cannot read there", f"{url}: {first_line(error)}", "check the URL and your credentials"
        ) from error
    return [Publication.model_validate_json(line) for line in text.splitlines()]
