"""What a benchmark asks: the texts that must not stand in what a model is trained on.

A benchmark is a file of any kind that seeds come in, a folder of such files, or `hf:NAME`. Of each record the user's turns
are read (answers are not), and its id. Further files of a folder that ask nothing (reference answers, notes) are left
out, and it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.notices import tell
from tasks.seeds.batches import sound_records
from tasks.seeds.readers import Reader
from tasks.seeds.sources import reader_of
from tasks.seeds.there import HUB_PREFIX, SEED_FORMS, path_there

ASKED = ("turns", "instruction", "prompt", "question", "query", "problem", "messages", "conversations", "text")
ID_FIELDS = ("id", "question_id", "task_id", "uid", "key", "row_id")
KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PLAIN = (".txt",)  # of a folder only where there is nothing else: most are licences
USERS = ("user", "human", "prompter")


@dataclass(frozen=True, slots=True)
class Item:
    """A text of a benchmark: a question, or one user's turn of several (`id` then ends with `turn 2`)."""

    benchmark: str
    id: str
    text: str


def benchmark_items(specs: Sequence[str]) -> list[Item]:
    """The texts of these benchmarks, each once. Raises ConfigError where one is not there or asks nothing."""
    found: dict[str, Item] = {}
    for spec in specs:
        for item in list(_items(spec)):
            found.setdefault(item.text, item)
    return list(found.values())


def check_benchmarks(specs: Sequence[str]) -> None:
    """Raise ConfigError where one of these is not there, or asks nothing. Those of the Hub are looked at when needed."""
    for spec in specs:
        if not spec.startswith(HUB_PREFIX):
            next(_items(spec))


def _items(spec: str) -> Iterator[Item]:
    """The texts of one benchmark. At least one."""
    has_any = False
    for reader, name in _readers(spec):
        for item in _items_in(reader, name):
            has_any = True
            yield item
    if not has_any:
        raise ConfigError("a benchmark that asks nothing", spec, f"give one with a column {' or '.join(ASKED[:4])}")


def _readers(spec: str) -> Iterator[tuple[Reader, str]]:
    if spec.startswith(HUB_PREFIX):
        yield reader_of(spec, None, as_text=True), spec
        return
    path = path_there(spec)
    if not path.is_dir() or (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        yield reader_of(spec, None, as_text=True), _name_of(path)
        return
    there = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    files = [file for file in there if _is_of(file, KINDS)] or [file for file in there if _is_of(file, PLAIN)]
    if not files:
        raise ConfigError("a benchmark folder without data", spec, SEED_FORMS)
    for file in files:
        reader = reader_of(file, None, as_text=True)
        if next(_items_in(reader, ""), None) is None:
            tell(f"{file}: left out of the benchmarks, since it has no column {', '.join(ASKED)}")
        else:
            yield reader, _name_of(file)


def _is_of(file: Path, kinds: tuple[str, ...]) -> bool:
    return file.name.lower().removesuffix(".gz").endswith(kinds)


def _name_of(path: Path) -> str:
    """Folder and file: `gsm8k/test`, since many a file is called test."""
    path = path.resolve()
    return f"{path.parent.name}/{path.name.removesuffix('.gz').removesuffix(Path(path.name).suffix)}"


def _items_in(reader: Reader, name: str) -> Iterator[Item]:
    for number, record in sound_records(reader.records(0, None), lenient=True):
        own = next((str(record[column]) for column in ID_FIELDS if record.get(column) is not None), None)
        turns = [turn for turn in _turns(record) if turn.strip()]
        for at, turn in enumerate(turns, 1):
            yield Item(name, (own or f"{reader.place} {number}") + (f" turn {at}" if len(turns) > 1 else ""), turn)


def _turns(record: Mapping[str, Any]) -> list[str]:
    """What a record asks, turn by turn: the first column that asks anything."""
    for column in ASKED:
        value = record.get(column)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and (turns := list(_said(value))):
            return turns
    return []


def _said(turns: Sequence[Any]) -> Iterator[str]:
    for turn in turns:
        if isinstance(turn, str):
            yield turn
        elif isinstance(turn, Mapping) and (turn.get("role") or turn.get("from")) in USERS:
            content = turn.get("content") or turn.get("value")
            if isinstance(content, str):
                yield content
