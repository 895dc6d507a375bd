"""What a person at a terminal sees of a preview: each row on its way through the steps, word by word."""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import json
from collections.abc import Callable
from textwrap import indent
from typing import Any

from rich.console import Console

from flows.command.running import stoppable
from flows.config import RunConfig
from flows.preview import preview

RULE = "-" * 72


def run_preview(load: Callable[[], RunConfig], rows: int, as_json: bool) -> None:
    """Preview a run and print it. Raises ConfigError."""
    console = Console(stderr=True)
    with stoppable(console):
        if as_json:
            print(json.dumps(preview(load(), rows)))
            return
        with console.status(f"{rows} rows through all steps"):
            told = preview(load(), rows)
        show_preview(told)


def show_preview(told: dict[str, Any]) -> None:
    """Print each row with its steps: what went in, each prompt and raw answer, what came out, what was refused and why."""
    entries = [(step["step"], entry) for step in told["steps"] for entry in step["rows"]]
    for lane in sorted({entry["lane"] for _, entry in entries}, key=lambda lane: -1 if lane is None else lane):
        print("all rows together" if lane is None else f"row {lane + 1}", RULE, sep="\n")
        for step, entry in entries:
            if entry["lane"] == lane:
                show_passage(step, entry)
    if not entries:
        print("there are no rows to show")
    tokens = f"{told['prompt_tokens']} + {told['completion_tokens']} tokens"
    cost = "" if told["cost"] is None else f", cost {told['cost']:.6g}"
    print(
        f"{told['recipe']}: {told['requests']} requests paid, {told['ledger_hits']} answers on record, {tokens}{cost}; "
        f"{told['seconds']:.1f} s, {told['model_seconds']:.1f} s of them the model's"
    )
    if told["ended"] != "completed":
        print("budget reached: the steps that are missing were not asked for")
    print("nothing is published; the answers are in the ledger: the run does not pay for them again")


def show_passage(step: str, entry: dict[str, Any]) -> None:
    """Print what went into a step, each prompt and raw answer, what came out, what was refused and why."""
    print(f"{step}: {entry['rows_in']} in, {len(entry['made'])} out")
    _show_columns("in", entry["input"])
    for asked in entry["asked"]:
        _show_asked(asked)
    for number, made in enumerate(entry["made"]):
        _show_columns("out" if not number else "out, but not followed here", made)
    for kind in ("losses", "rejects"):
        for loss in entry[kind]:
            name = "lost inside the row" if kind == "losses" else f"rejected ({loss['kind']})"
            print(f"  {name}: {loss['reason']}{_after(loss['detail'])}")
    if entry["pending"]:
        print("  not finished")
    print()


def _show_asked(asked: dict[str, Any]) -> None:
    again = f", attempt {asked['attempt']}" if asked["attempt"] > 1 else ""
    print(f"  {asked['role']} {asked['model']} is asked with {asked['template']} #{asked['sample']}{again}")
    if "prompt" in asked:
        _show_text("raw prompt", asked["prompt"])
    for message in asked.get("messages", []):
        _show_text(message["role"], message["content"])
    if asked["answer"] is None:
        print(f"    no answer{_after(asked['refused'])}")
        return
    if asked["reasoning"]:
        _show_text("reasoning", asked["reasoning"])
    source = "on record" if asked["on_record"] else f"{asked['completion_tokens']} tokens, {asked['finish_reason']}"
    _show_text(f"answer ({source})", asked["answer"])
    if asked["refused"]:
        print(f"    not used: {asked['refused']}")


def _show_columns(title: str, columns: dict[str, Any]) -> None:
    """A row: its id, and below it the columns that have something in them."""
    if columns:
        print(f"  {title}: {columns['row_id']}")
    for name, value in columns.items():
        if name != "row_id" and value is not None:
            _show_text(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _show_text(title: str, text: str) -> None:
    """A line where it is one, else the text below its title."""
    if "\n" in text:
        print(f"    {title}:\n{indent(text, '      | ', lambda _: True)}")
    else:
        print(f"    {title}: {text}")


def _after(detail: str | None) -> str:
    return f": {detail}" if detail else ""
