"""A dataset in another format, in a folder of its own that `datasets` and the trainers open: no run, and nothing is asked.

    stillroom export datasets/demo-sft --format sharegpt                     # datasets/demo-sft-sharegpt
    stillroom export datasets/demo-sft --format messages --jsonl --out s3://bucket/demo

All of it is written beside its place, and put there when it is whole; to a URL the card is put last.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl

from tasks.column_types import message_type, plain_turns
from tasks.engine.validate import schema_dtypes
from tasks.errors import ConfigError
from tasks.publish.card import by_reason
from tasks.publish.derive import Derived
from tasks.publish.format_names import OF_KTO
from tasks.publish.formats.all_formats import MAIN
from tasks.publish.formats.curated import kind_of_records, rows_of_records
from tasks.publish.revisions import CARD, DATA, Publication, all_data_files, config_entry, data_files, history, newest
from tasks.storage import places
from tasks.storage.files import write_atomically
from tasks.storage.shard_files import FILE_BYTES, shard_name, write_shards
from tasks.storage.tables import read_stream

MARK = "exported by stillroom"
_CARD_TEXT = """\
---
configs:
{configs}tags:
- synthetic
- stillroom
---
# {name}

<!-- {mark} -->
The rows of revision r{revision} of `{source}`, in the format {formats}, made by recipe `{recipe}`. Its own card says how.
{of_kto}{left_out}"""
_UNFINISHED = f"<!-- {MARK} -->\nThis export is not whole yet, or was cut short: the same command makes it.\n"
"""The card at a URL until all files are there: it names none of them, and says that the place is an export's."""


@dataclass(frozen=True)
class Exported:
    """What an export has written: rows by format, and what each left out, by reason."""

    out: str
    rows: Mapping[str, int]
    left_out: Mapping[str, Mapping[str, int]]


def export(dataset: Path, derived: Derived, out: str, *, as_json: bool = False) -> Exported:
    """Write a dataset in these formats to a folder or URL, each a config, the first the default.

    `as_json`: as JSON Lines. Raises ConfigError where there is no dataset, where its rows cannot be given in a format, and
    where something else is at `out`.
    """
    source, line = exportable_at(dataset)
    own = line.format not in MAIN or _kind_of_ours(source) is not None
    derived.check()
    if line.format not in MAIN:
        _check_own(line, derived)
    _check_free(out)
    rows: dict[str, int] = {}
    left_out: dict[str, Counter[str]] = {name: Counter() for name in derived.formats}
    with TemporaryDirectory(dir=_beside(out)) as folder:
        draft = Path(folder) / "export"
        entries = []
        for at, name in enumerate(derived.formats):
            below = DATA if at == 0 else f"{DATA}/{name}"
            rows[name] = 0
            for split, files in data_files(source).items():
                frames: Iterator[pl.DataFrame] = (read_stream if own else rows_of_records)(*files)
                if line.format in MAIN:
                    frames = derived.frames(frames, source / "provenance.parquet", name, left_out[name])
                rows[name] += (_write_json if as_json else write_shards)(draft / below, split, frames)
            entries.append((name, _files(draft, below)))
        if not sum(rows.values()):
            raise ConfigError("no row can be given in the format", ", ".join(derived.formats), _said(left_out) or "")
        told = {name: counts for name, counts in left_out.items() if counts}
        write_atomically(draft / CARD, _card(dataset, line, out, entries, told).encode())
        _put(draft, out)
    return Exported(out, rows, told)


def _card(
    dataset: Path,
    line: Publication,
    out: str,
    entries: Sequence[tuple[str, dict[str, list[str]]]],
    left_out: Mapping[str, Mapping[str, int]],
) -> str:
    """The card of an export. `entries`: its formats, each with its files by split."""
    return _CARD_TEXT.format(
        configs="".join(config_entry(name, files) for name, files in [("default", entries[0][1]), *entries]),
        name=out.rstrip("/").rpartition("/")[2],
        mark=MARK,
        revision=line.revision,
        source=dataset.absolute().name,
        formats=", ".join(f"`{name}`" for name, _ in entries),
        recipe=line.recipe,
        of_kto=f"\n{OF_KTO}\n" if any(name == "kto" for name, _ in entries) else "",
        left_out=f"\nLeft out, since the format cannot say them: {_said(left_out)}.\n" if left_out else "",
    )


def published_at(dataset: Path) -> tuple[Path, Publication]:
    """The folder with the files of a dataset's newest revision, and its publication. Raises ConfigError where there is none."""
    lines = history(dataset) if dataset.is_dir() else []
    folder = newest(dataset) if lines else None
    if folder is None or not data_files(folder):
        raise ConfigError("no dataset there", dataset, "give the folder of a dataset, as a run has written it")
    return folder, lines[-1]


def exportable_at(dataset: Path) -> tuple[Path, Publication]:
    """As `published_at`, for a dataset that can be exported; a curated one gets the kind that its columns have.

    Raises ConfigError, too, where what was curated is in no form of ours.
    """
    folder, line = published_at(dataset)
    if line.kind in MAIN:
        return folder, line
    if kind := _kind_of_ours(folder) or kind_of_records(all_data_files(folder)[0]):
        return folder, line.model_copy(update={"kind": kind, "format": kind})
    fix = "curate a dataset whose answers are texts, or whose `messages` are; else train on it as it is"
    columns = pl.read_parquet_schema(all_data_files(folder)[0])
    raise ConfigError("what was curated keeps its own columns, of which no format is made", ", ".join(columns), fix)


def _kind_of_ours(folder: Path) -> str | None:
    """sft or dpo, where the rows of a dataset have the columns of ours."""
    schema = pl.read_parquet_schema(all_data_files(folder)[0])
    if "messages" in schema and _is_talk(schema["messages"]):
        return "sft"
    is_pair = all(plain_turns(schema.get(name)) == kind for name, kind in schema_dtypes("Pairs").items())
    return "dpo" if is_pair else None


def _is_talk(kind: pl.DataType) -> bool:
    """Whether a column holds conversations as ours do: texts, and calls whose arguments are JSON text."""
    if not (isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct)):
        return False
    turn = {field.name: field.dtype for field in kind.inner.fields}
    ours = {field.name: field.dtype for field in message_type(turn).fields}
    return all(turn.get(name, of_ours) in (of_ours, pl.Null()) for name, of_ours in ours.items()) and {
        "role",
        "content",
    } <= set(turn)


def _check_own(line: Publication, derived: Derived) -> None:
    """Raise ConfigError unless rows that were published in one format alone are wanted in it."""
    own = line.format.removeprefix("sft-")
    if derived.formats != (own,) or not derived.is_plain:
        fix = f"run it again with format {MAIN[line.kind]}, which asks nothing anew; of {own} nothing else can be made"
        raise ConfigError("the dataset is in another format", own, fix)


def _check_free(out: str) -> None:
    """Raise ConfigError where something lies there that is no earlier export."""
    card = f"{out.rstrip('/')}/{CARD}"
    if places.is_url(out):
        is_ours = places.is_there(card) and MARK.encode() in places.read(card)
        is_taken = any(True for _ in places.entries(out))
    else:
        folder = Path(out)
        is_ours = Path(card).is_file() and MARK in Path(card).read_text(encoding="utf-8")
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if is_taken and not is_ours:
        raise ConfigError("something lies there that is no export", out, "choose another --out")


def _beside(out: str) -> str | None:
    """Where to write before all of it is put in its place."""
    if places.is_url(out):
        return None
    parent = Path(out).absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("cannot write there", f"{out}: {error.strerror}", "choose another --out") from error
    return str(parent)


def _put(draft: Path, out: str) -> None:
    """Put what is written in its place, the card last; what an earlier export left there goes.

    Cut short at a URL, the card there says so, and the same command begins anew.
    """
    if not places.is_url(out):
        shutil.rmtree(out, ignore_errors=True)
        draft.replace(out)
        return
    files = sorted(file for file in draft.rglob("*") if file.is_file() and file.name != CARD)
    base = out.rstrip("/")
    new = {f"{base}/{file.relative_to(draft).as_posix()}": file for file in files}
    places.write(f"{base}/{CARD}", _UNFINISHED.encode())
    for entry in list(places.entries(base)):
        if entry.place not in {*new, f"{base}/{CARD}"}:
            places.remove(entry.place)
    for place, file in new.items():
        places.put(file, place)
    places.write(f"{base}/{CARD}", (draft / CARD).read_bytes())


def _files(draft: Path, below: str) -> dict[str, list[str]]:
    """The files of each split; one without a row, which `datasets` does not open, is removed."""
    found: dict[str, list[str]] = {}
    for file in sorted((draft / below).glob("*")):
        if not file.is_file():
            continue
        is_empty = (
            not file.stat().st_size if file.suffix == ".jsonl" else not pl.scan_parquet(file).limit(1).collect().height
        )
        if is_empty:
            file.unlink()
        else:
            found.setdefault(file.name.split("-")[0].split(".")[0], []).append(file.relative_to(draft).as_posix())
    return {name: found[name] for name in sorted(found, key=lambda name: (name != "train", name))}


def _write_json(folder: Path, name: str, frames: Iterable[pl.DataFrame]) -> int:
    """Write rows as JSON Lines, in files of a bounded size; fields of a turn that are null are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, parts, size = 0, [folder / f".{name}-0"], 0
    file = parts[0].open("wb")
    try:
        for frame in frames:
            for row in frame.iter_rows(named=True):
                text = orjson.dumps({column: _said_only(value) for column, value in row.items()}) + b"\n"
                if size and size + len(text) > FILE_BYTES:
                    file.close()
                    parts.append(folder / f".{name}-{len(parts)}")
                    file, size = parts[-1].open("wb"), 0
                size += file.write(text)
                rows += 1
    finally:
        file.close()
    for at, part in enumerate(parts):
        part.rename(folder / shard_name(name, at, len(parts)).replace(".parquet", ".jsonl"))
    return rows


def _said_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _said_only(one) for name, one in value.items() if one is not None}
    return [_said_only(one) for one in value] if isinstance(value, list) else value


def _said(left_out: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(f"{name}: {by_reason([counts])}" for name, counts in left_out.items() if counts)
