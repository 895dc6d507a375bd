"""What is asked of every server, each through the command as a user runs it, or through the endpoint itself.

A check returns what the table shows. It raises AssertionError where the server and we together do not do it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint

ROOT = Path(__file__).parents[2]
JUDGE = Path(__file__).with_name("judge.py")
COMMAND_S, POLL_S = 1800, 0.1
LONG = "a long story " * 3000  # more than the model's own context of 8,192 tokens too
TOPICS = (
    "bread",
    "rivers",
    "tax forms",
    "chess",
    "knots",
    "solar panels",
    "letters to a landlord",
    "bees",
    "maps",
    "first aid",
    "poems",
    "bicycles",
    "interviews",
    "soup",
    "statistics",
    "gardens",
)


@dataclass(frozen=True)
class Place:
    """Where a check works, and the server that it asks: `model` as --model takes it, `weights` with its tokenizer."""

    folder: Path
    model: str
    weights: Path
    options: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """Options of every run here: small answers, and no run ends for a weak model's rejects."""
        return [
            "--model",
            self.model,
            "--set",
            "max_reject_fraction=1",
            "--set",
            f"model.tokenizer={self.weights}",
            "--set",
            "model.max_new_tokens=256",
            *self.options,
        ]


def command(place: Place, *arguments: str) -> list[str]:
    """The `stillroom` command with these arguments."""
    return [sys.executable, "-m", "flows.command.main", *arguments, *place.arguments, "--json"]


def environment(folder: Path) -> dict[str, str]:
    """A home of the check's own."""
    return {**os.environ, "STILLROOM_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}


def run(place: Place, *arguments: str) -> dict[str, Any]:
    """The summary of a run. Raises AssertionError with what it said where it does not end well."""
    done = subprocess.run(
        command(place, *arguments),
        cwd=place.folder,
        env=environment(place.folder),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    )
    assert done.returncode == 0, done.stderr.strip()[-500:]
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def seeds(place: Place, count: int, *more: str) -> str:
    """A file of questions, and these texts behind them."""
    texts = [f"Name {2 + index // len(TOPICS)} facts about {TOPICS[index % len(TOPICS)]}." for index in range(count)]
    file = place.folder / f"seeds{count}.jsonl"
    file.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in (*texts, *more)))
    return file.name


def made_of(place: Place, made: dict[str, Any]) -> str:
    """A run in a cell of the table: rows, requests, and rejects by reason."""
    rejects = pl.read_parquet(place.folder / made["dataset"] / "rejects.parquet")
    counts = rejects["reason"].value_counts().sort("count", "reason", descending=[True, False]).rows()
    refused = ", ".join(f"{count} {reason}" for reason, count in counts)
    return f"{made['rows']} rows, {made['requests']} requests, " + (f"rejects: {refused}" if refused else "no rejects")


def basic(place: Place) -> str:
    """Magpie: the server continues the chat template's beginning of a user turn."""
    made = run(place, "sft", "--recipe", "basic", "--rows", "4", "--out", "basic")
    assert made["rows"] == 4, made
    return made_of(place, made)


def evolved(place: Place) -> str:
    """Self-Instruct, Evol-Instruct, responses."""
    made = run(place, "sft", "--recipe", "evolved", "--seeds", seeds(place, 4), "--out", "evolved")
    assert made["rows"] > 0, made
    return made_of(place, made)


def critiqued(place: Place) -> str:
    """Pool, EvolQuality, UltraFeedback by aspects, pairs. A model this small gives few ratings that can be read."""
    made = run(
        place, "dpo", "--recipe", "critiqued", "--instructions", seeds(place, 6), "--out", "critiqued", "--allow-empty"
    )
    return made_of(place, made)


def structured_judge(place: Place) -> str:
    """The same with a judge whose answers are held to a JSON schema; where the server does not, they are checked."""
    made = run(
        place,
        "dpo",
        "--recipe",
        f"{JUDGE}:structured",
        "--instructions",
        seeds(place, 6),
        "--out",
        "structured",
        "--allow-empty",
    )
    return made_of(place, made)


def kill_and_resume(place: Place) -> str:
    """SIGKILL with answers on record; the same command goes on and asks for none of them again."""
    arguments = (
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        seeds(place, 32),
        "--out",
        "resumed",
        "--set",
        "model.max_in_flight=4",
    )
    child = subprocess.Popen(
        command(place, *arguments),
        cwd=place.folder,
        env=environment(place.folder),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + COMMAND_S
    while (kept := on_record(place.folder)) < 8:
        assert child.poll() is None and time.monotonic() < deadline, f"ended with {kept} answers on record"
        time.sleep(POLL_S)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    kept = on_record(place.folder)
    made = run(place, *arguments)
    assert made["ledger_hits"] >= kept, made
    assert made["requests"] + kept <= 32 + made["rejects"] * 2 + 4, made
    return f"{kept} answers kept, {made_of(place, made)}"


def on_record(folder: Path) -> int:
    """Answers in the ledger."""
    file = folder / "home" / "ledger.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as ledger:
            return int(ledger.execute("select count(*) from completions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def context_overflow(place: Place) -> str:
    """One prompt that is longer than the context: that row alone is refused, by its name."""
    made = run(place, "sft", "--recipe", "respond", "--seeds", seeds(place, 3, LONG), "--out", "long")
    rejects = pl.read_parquet(place.folder / "long" / "rejects.parquet")
    reasons = rejects["reason"].to_list()
    assert "context_too_long" in reasons or "prompt_cut" in reasons, "it is read and answered like any other"
    assert made["rows"] >= 1, made
    return made_of(place, made)


def a_hundred_at_once(place: Place) -> str:
    """A hundred requests in flight."""
    made = run(
        place,
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        seeds(place, 100),
        "--out",
        "hundred",
        "--set",
        "model.max_in_flight=100",
        "--set",
        "model.max_new_tokens=24",
        "--allow-empty",
    )
    reasons = pl.read_parquet(place.folder / "hundred" / "rejects.parquet")["reason"].value_counts().to_dicts()
    faults = [reason for reason in reasons if reason["reason"] != "truncated"]
    assert made["rows"] + made["rejects"] == 100 and not faults, (made, faults)
    return made_of(place, made)


def structured(place: Place) -> str:
    """An answer that is held to a JSON schema, as a structured judge asks for it."""
    schema = {
        "type": "object",
        "properties": {"reason": {"type": "string", "maxLength": 80}, "score": {"enum": [1, 2, 3, 4, 5]}},
        "required": ["reason", "score"],
        "additionalProperties": False,
    }
    completion = ask(place, "Rate this from 1 to 5 and say why: 2 + 2 = 5.", schema=json.dumps(schema))
    try:
        found = json.loads(completion.text)
    except ValueError as error:
        raise AssertionError("what comes back is no JSON; answers are checked") from error
    assert found["score"] in (1, 2, 3, 4, 5), completion.text
    return "obeyed"


def many_stop_texts(place: Place) -> str:
    """More stop texts than some servers take."""
    stops = ("\n\n", "###", "<|a|>", "<|b|>", "<|c|>", "<|d|>", "seven")
    completion = ask(place, "Count from one to ten in words, a word a line.", stop=stops)
    assert completion.finish_reason == "stop" and "seven" not in completion.text, completion
    return "kept to"


def ask(place: Place, text: str, *, stop: tuple[str, ...] = (), schema: str | None = None) -> Completion:
    """One answer of the endpoint, outside of any run."""
    sampling = Sampling(temperature=0, max_new_tokens=200, stop=stop)

    async def answered() -> Completion:
        model = open_endpoint(ModelConfig(name=place.model, tokenizer=str(place.weights)))
        try:
            messages = ({"role": "user", "content": text},)
            return await model.complete(Request(sampling, seed=1, messages=messages, schema=schema))
        finally:
            await model.close()

    return asyncio.run(answered())


CHECKS: dict[str, Callable[[Place], str]] = {
    "basic (Magpie)": basic,
    "evolved": evolved,
    "critiqued": critiqued,
    "critiqued, structured judge": structured_judge,
    "JSON schema": structured,
    "seven stop texts": many_stop_texts,
    "kill and resume": kill_and_resume,
    "context overflow": context_overflow,
    "100 at once": a_hundred_at_once,
}
