"""Places: where a whole file lies, a path or any URL that fsspec opens (`s3://bucket/prefix/file`).

A local file is written to a temporary name and renamed; an object store takes an object whole or not at all by itself.

    STILLROOM_TABLES=s3://my-bucket/tables stillroom sft --recipe seeded
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.errors import ConfigError
from tasks.storage.files import write_atomically

FOLDERLESS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})
"""Stores that know no folders. Asked to make one they would make the bucket, which is not ours to do."""
MODIFIED = ("LastModified", "last_modified", "mtime", "updated")
"""Under which of these a store tells when an object was written."""


def is_url(place: str) -> bool:
    """Whether a place is not simply a path."""
    return "://" in place


def root(place: str) -> str:
    """A place to begin others with: a path made absolute, a URL without its last slash.

    Raises ConfigError for a URL with a password in it, or one that nothing installed can open.
    """
    place = place.removeprefix("file://")
    if not is_url(place):
        return str(Path(place).absolute())
    url = urlsplit(place)
    if url.password is not None:
        shown = f"{url.scheme}://...@{url.hostname}"
        raise ConfigError("a password in a URL ends up in logs", shown, "give it by the store's own variables or files")
    _store(place)
    return place.rstrip("/")


def read(place: str) -> bytes:
    """The whole file. Raises FileNotFoundError where there is none."""
    if not is_url(place):
        return Path(place).read_bytes()
    data: bytes = _store(place).cat_file(place)
    return data


def write(place: str, data: bytes) -> None:
    """Write a whole file. Raises ConfigError where that is not allowed; other faults of a store pass (they may pass)."""
    if not is_url(place):
        return write_atomically(Path(place), data)
    try:
        _store_with_folder(place).pipe_file(place, data)
    except (PermissionError, FileNotFoundError) as error:
        raise _closed(place, error) from error


def put(file: Path, place: str) -> None:
    """Put a file of this machine to a URL, in a stream. Raises ConfigError where that is not allowed."""
    try:
        _store_with_folder(place).put_file(str(file), place)
    except PermissionError as error:
        raise _closed(place, error) from error


def fetch(place: str, file: Path) -> None:
    """Get a file at a URL to this machine, in a stream. Raises FileNotFoundError where there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _store(place).get_file(place, str(file))


def is_there(place: str) -> bool:
    """Whether there is a file."""
    return bool(_store(place).exists(place)) if is_url(place) else Path(place).is_file()


def remove(place: str) -> None:
    """Remove a file; one that is not there is no error."""
    with suppress(FileNotFoundError):
        _store(place).rm_file(place) if is_url(place) else Path(place).unlink()


def files_in(folder: str) -> list[str]:
    """The files of a folder by name, the subfolders left out; none where there is no such folder."""
    if not is_url(folder):
        return sorted(str(path) for path in Path(folder).glob("[!.]*") if path.is_file())
    store = _store(folder)
    store.invalidate_cache()
    try:
        found = store.ls(folder, detail=True)
    except FileNotFoundError:
        return []
    return sorted(f"{folder}/{entry['name'].rpartition('/')[2]}" for entry in found if entry["type"] == "file")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its bytes, when it was written last (POSIX time), and how many names a file on a disk has, by its inode."""

    place: str
    bytes: int
    modified: float
    names: int = 1
    inode: tuple[int, int] | None = None


def entries(folder: str) -> Iterator[Entry]:
    """All files below a folder, however deep; none where there is no such folder."""
    if not is_url(folder):
        for path in sorted(Path(folder).rglob("*")):
            with suppress(FileNotFoundError):  # gone meanwhile
                status = path.lstat()
                if not stat.S_ISDIR(status.st_mode):
                    inode = status.st_dev, status.st_ino
                    yield Entry(str(path), status.st_size, status.st_mtime, status.st_nlink, inode)
        return
    store = _store(folder)
    store.invalidate_cache()
    base = store._strip_protocol(folder).rstrip("/")  # stores differ in whether names begin with a slash
    for name, about in sorted(store.find(folder, detail=True).items()):
        below = store._strip_protocol(name).removeprefix(base)
        yield Entry(f"{folder.rstrip('/')}{below}", about["size"] or 0, _modified(store, name, about))


def _modified(store: Any, name: str, about: Mapping[str, Any]) -> float:
    """When an object was written last; of a store that does not say so: now."""
    told = next((about[key] for key in MODIFIED if about.get(key) is not None), None)
    if told is None:
        try:
            told = store.modified(name)
        except NotImplementedError:
            return time.time()
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    if isinstance(told, datetime):
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return float(told)


def check_writable(place: str) -> None:
    """Raise ConfigError where nothing can be written below a place."""
    probe = f"{place}/.writable"
    try:
        write(probe, b"")
        remove(probe)
    except ConfigError:
        raise
    except Exception as error:  # each store has errors of its own: all of them end the run before it has begun
        raise _closed(place, error) from error


def _closed(place: str, error: Exception) -> ConfigError:
    return ConfigError(
        "cannot write", f"{place}: {error}", "see that the bucket exists and is open to your credentials"
    )


def _store(place: str) -> Any:
    """The file system behind a URL; fsspec keeps one for each store."""
    import fsspec  # type: ignore[import-untyped]  # it ships no types

    try:
        return fsspec.core.url_to_fs(place)[0]
    except ImportError as error:
        raise ConfigError("a package is missing to open this", place, str(error)) from error
    except ValueError as error:
        raise ConfigError("not a place that can be opened", place, str(error)) from error


def _store_with_folder(place: str) -> Any:
    """The same, with the folder made that the place is in, where the store has folders."""
    store = _store(place)
    if urlsplit(place).scheme not in FOLDERLESS:
        store.makedirs(place.rpartition("/")[0], exist_ok=True)
    return store
