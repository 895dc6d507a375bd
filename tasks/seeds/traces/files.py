"""A log of an agent, or a folder of them, as records: a conversation each, without its secrets.

    stillroom sft --recipe traces --seeds ~/.claude/projects/my-project

Takes Claude Code's sessions, Codex's, and OpenAI's messages (.jsonl, .json). A line that is no JSON, and each part of a log that
is in no conversation, is a reject by its file, and the rest goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError, Filtered
from tasks.notices import tell
from tasks.seeds.readers import BadRecord, Placed, Reader, Record, bytes_of
from tasks.seeds.traces.claude_code import claude_code_traces, is_claude_code
from tasks.seeds.traces.codex import codex_traces, is_codex
from tasks.seeds.traces.conversation import Leftover, Trace, TraceReading, settled_trace
from tasks.seeds.traces.plain_messages import is_plain, plain_records, plain_trace
from tasks.seeds.traces.secrets import redacted, redacted_turn, redacted_value
from tasks.storage.digest import digest

TRACE_READ = {name: name for name in ("messages", "tools", "agent", "session", "redactions")}
"""What a record holds: the conversation, its tools as JSON, whose log it is of, its session, and how many secrets were taken out."""
KINDS = (".jsonl", ".json", ".ndjson")
HELD_CHARS = 2000


def trace_reader(path: Path, name: str, reading: TraceReading) -> Reader:
    """A reader for logs. Raises ConfigError where there is none."""
    files = (
        [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file() and one.suffix in KINDS)
    )
    if not files:
        raise ConfigError("no log of an agent in the folder", name, f"logs are {', '.join(KINDS)}")
    told: set[str] = set()

    def records(start: int, _: Sequence[str] | None) -> Placed:
        count = hidden = 0
        for file in files:
            for record in file_records(file, _shown(file, path, name), reading):
                count += 1
                hidden += record["redactions"] if isinstance(record, dict) else 0
                if count > start:
                    yield count, record
        if hidden and not start and "redacted" not in told:
            told.add("redacted")
            tell(f"{name}: {hidden:,} secrets are taken out of the logs; look at the rows before you publish them")

    def content() -> str:
        parts = ((_shown(file, path, name), bytes_of(file, name)) for file in files)
        return digest("traces", repr(reading), *(part for pair in parts for part in pair))

    size = sum(file.stat().st_size for file in files)
    return Reader(name, "conversation", size, records, content)


def _shown(file: Path, path: Path, name: str) -> str:
    return name if file == path else f"{name}/{file.relative_to(path).as_posix()}"


def file_records(file: Path, name: str, reading: TraceReading) -> Iterator[Record]:
    """The conversations in a log, and what of it is in none."""
    events: list[Any] = []
    for number, line in enumerate(_lines(file), 1):
        if isinstance(line, ValueError):
            yield _bad("this line is no JSON", f"{name} line {number}", str(line), reading)
        else:
            events.append(line)
    for make in _traces(events):
        try:
            trace = make()
        except (Filtered, TypeError, KeyError, AttributeError) as fault:
            yield _bad("a conversation that cannot be read", name, f"{fault}", reading)
            continue
        made = settled_trace(trace, reading)
        for one in trace.left:
            yield _left(one, name, reading)
        if made is not None:
            yield _record(made, reading)
    if not events:
        yield _bad("a log with nothing in it", name, "", reading)


def _lines(file: Path) -> Iterator[Any]:
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix == ".json" and text.lstrip().startswith("["):
        try:
            yield from json.loads(text)
        except ValueError as fault:
            yield fault
        return
    for line in filter(str.strip, text.splitlines()):
        try:
            yield json.loads(line)
        except ValueError as fault:
            yield fault


def _traces(events: Sequence[Any]) -> Iterator[Callable[[], Trace]]:
    """What makes each conversation of a file."""
    whole = [one for one in events if isinstance(one, dict)]
    if is_claude_code(whole) or is_codex(whole):
        found: list[Trace | Exception] = []
        try:
            found += (claude_code_traces if is_claude_code(whole) else codex_traces)(whole)
        except (Filtered, TypeError, KeyError, AttributeError) as fault:
            found.append(fault)
        for one in found:
            yield _giving(one)
    elif is_plain(whole):
        for record in plain_records(whole):
            yield lambda record=record: plain_trace(record)  # type: ignore[misc]
    elif whole:
        yield _giving(TypeError("it is no log of Claude Code or Codex, and has no messages"))


def _giving(one: Trace | Exception) -> Callable[[], Trace]:
    def give() -> Trace:
        if isinstance(one, Exception):
            raise one
        return one

    return give


def _record(trace: Trace, reading: TraceReading) -> dict[str, Any]:
    turns, hidden = trace.turns, 0
    tools = trace.tools
    if reading.redact:
        cleaned = [redacted_turn(turn) for turn in turns]
        turns, hidden = [turn for turn, _ in cleaned], sum(count for _, count in cleaned)
        tools, more = redacted_value(json.loads(tools) if isinstance(tools, str) and tools.strip() else tools)
        hidden += more
    about = {"agent": trace.agent, "session": trace.session, "redactions": hidden}
    return {"messages": turns, "tools": json.dumps(tools, ensure_ascii=False) if tools else None, **about}


def _left(one: Leftover, name: str, reading: TraceReading) -> BadRecord:
    return _bad(one.what, name, json.dumps(one.held, ensure_ascii=False, default=str), reading)


def _bad(what: str, where: str, held: str, reading: TraceReading) -> BadRecord:
    text = redacted(held)[0] if reading.redact else held
    return BadRecord(ConfigError(what, where, "the rest of the log goes on"), text[:HELD_CHARS])
