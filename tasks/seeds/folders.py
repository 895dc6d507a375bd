"""Seeds from folders and from the Hub, as `datasets` knows them: which files make a split, and what is in it.

A folder's own files are read by our readers, one after the other, so that columns that are not needed may be of another
type in each; `datasets` reads what we have no reader for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.errors import ConfigError
from tasks.seeds.parquet_rows import arrow_rows, parquet_reader
from tasks.seeds.readers import Placed, Reader, bytes_of, short_error, text_reader
from tasks.storage.digest import digest
from tasks.storage.home import home

ARROW_ROWS = 1000  # rows decoded at a time
CONFIG = "a dataset with several configs is hf:NAME:CONFIG"
MEND = "mend it, or give the one file that holds the seeds"
OURS = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv", ".txt")  # files of a folder that we read ourselves
HUB = re.compile(r"hf:(?P<name>[^:@\s]+)(:(?P<config>[^@\s]+))?(@(?P<revision>\S+))?")


def folder_reader(path: Path, name: str, split: str | None, known: str, *, as_text: bool) -> Reader:
    """A reader for a folder: `known` says what it may hold, `as_text` whether cells of CSV files may be texts."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if not files:
        raise ConfigError("the folder is empty", name, known)
    saved = (path / "dataset_dict.json").exists() or (path / "state.json").exists()

    def content() -> str:
        parts = ((file.relative_to(path).as_posix(), bytes_of(file, name)) for file in files)
        return digest(split or "", *(part for pair in parts for part in pair))

    size = sum(file.stat().st_size for file in files)
    own = None if saved else _own_files(path, name, split, known, as_text=as_text)
    if own:
        return _joined(
            [_reader_of(file, f"{name}/{file.relative_to(path.resolve()).as_posix()}") for file in own],
            name,
            size,
            content,
        )
    return _dataset_reader(_dataset(name, split, known, path=str(path), saved=saved), name, size, content)


def _own_files(path: Path, name: str, split: str | None, known: str, *, as_text: bool) -> list[Path]:
    """The files of a split, in order, where all are of a kind that we read; else none."""
    import datasets

    with _dataset_faults("not a dataset that can be opened", name, known):
        builder = datasets.load_dataset_builder(str(path), cache_dir=str(home() / "huggingface"))
    splits = builder.config.data_files or {}
    files = [Path(file) for file in splits.get(_chosen(split, splits, name), ())] if splits else []
    ours = OURS if as_text else tuple(kind for kind in OURS if kind not in (".csv", ".tsv"))
    is_ours = all(
        file.name.lower().removesuffix(".gz").endswith(ours) and file.is_relative_to(path.resolve()) for file in files
    )
    return files if is_ours else []


def _reader_of(file: Path, name: str) -> Reader:
    if file.suffix.lower() == ".parquet":
        return parquet_reader(file, name)
    reader = text_reader(file, name)
    assert reader is not None, file
    return reader


def _joined(readers: Sequence[Reader], name: str, size: int, content: Callable[[], str]) -> Reader:
    """One reader for several files, whose rows are counted through."""

    def records(start: int, columns: Sequence[str] | None) -> Placed:
        row = 0
        for reader in readers:
            there = None if columns is None or reader.header is None else set(reader.header())
            wanted = columns if there is None or columns is None else [column for column in columns if column in there]
            for _, record in reader.records(0, wanted):
                row += 1
                if row > start:
                    yield row, record

    def at(row: int) -> str:
        """The file, and the place in it."""
        for reader in readers:
            for number, _ in reader.records(0, []):
                row -= 1
                if row == 0:
                    return reader.at(number)
        return f"{name} row {row}"

    headers = [reader.header for reader in readers]

    def header() -> list[str]:
        return list(dict.fromkeys(column for own in headers if own is not None for column in own()))

    schemas = [reader.schema for reader in readers]

    def schema() -> Any:
        """That of all files together. Raises ConfigError where a column is of two kinds."""
        with _dataset_faults("the files have other types in one column", name, MEND):
            return pa.unify_schemas([own() for own in schemas if own is not None], promote_options="permissive")

    whole = header if all(headers) else None
    return Reader(name, "row", size, records, content, whole, at_row=at, schema=schema if all(schemas) else None)


def hub_reader(name: str, split: str | None) -> Reader:
    """A reader for a split of a dataset on the Hub."""
    parts = HUB.fullmatch(name)
    if parts is None:
        raise ConfigError("not a dataset of the Hub", name, "write hf:NAME, hf:NAME:CONFIG or hf:NAME@REVISION")
    from huggingface_hub import HfApi

    try:  # one quick request first: where there is no network, `datasets` goes on trying for half a minute
        commit = HfApi().dataset_info(parts["name"], revision=parts["revision"], timeout=20).sha or ""
    except Exception as error:  # the client lets through whatever its network library raises
        fix = "see to the name and the network, or give a file or folder"
        raise ConfigError("cannot reach the dataset on the Hub", f"{name}: {short_error(error)}", fix) from error
    dataset = _dataset(name, split, CONFIG, path=parts["name"], config=parts["config"], revision=commit)
    return _dataset_reader(
        dataset, name, None, lambda: digest(parts["name"], parts["config"] or "", commit, split or "")
    )


def _dataset(
    name: str,
    split: str | None,
    known: str,
    *,
    path: str,
    saved: bool = False,
    config: str | None = None,
    revision: str | None = None,
) -> Any:
    """One split as a dataset of `datasets`: streaming, except that one saved to disk is mapped into memory."""
    import datasets

    with _dataset_faults("not a dataset that can be opened", name, known):
        if saved:
            splits = datasets.load_from_disk(path)
        else:
            cache = str(home() / "huggingface")  # a stream caches nothing but takes a lock there
            splits = datasets.load_dataset(path, config, revision=revision, streaming=True, cache_dir=cache)
    if not isinstance(splits, dict):
        return splits
    return splits[_chosen(split, splits, name)]


def _chosen(split: str | None, splits: Mapping[str, Any], name: str) -> str:
    chosen = split or (next(iter(splits)) if len(splits) == 1 else "train")
    if chosen not in splits:
        raise ConfigError("no such split", f"{chosen} in {name}", f"it has {', '.join(map(str, splits))}")
    return str(chosen)


@contextmanager
def _dataset_faults(what: str, name: str, fix: str) -> Iterator[None]:
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException, DatasetsError) as error:
        raise ConfigError(what, f"{name}: {short_error(error)}", fix) from error


def _dataset_reader(dataset: Any, name: str, size: int | None, content: Callable[[], str]) -> Reader:
    def records(start: int, columns: Sequence[str] | None) -> Placed:
        chosen = dataset.select_columns(columns) if columns else dataset
        if hasattr(dataset, "__len__") and start >= len(dataset):
            return  # where a stream is merely at its end, a dataset on disk objects
        row = start
        with _dataset_faults("cannot read the dataset", name, MEND):
            for table in chosen.skip(start).with_format("arrow").iter(ARROW_ROWS):
                yield from arrow_rows(table, row, start)
                row += table.num_rows

    def header() -> list[str]:
        with _dataset_faults("cannot read the dataset", name, MEND):
            return list(dataset.column_names or next(iter(dataset), {}))

    features = getattr(dataset, "features", None)
    schema = None if features is None else lambda: features.arrow_schema
    return Reader(name, "row", size, records, content, header, schema=schema)
