"""What the models were asked for a dataset, by prompt: how often, how sampled, at how many tokens. From `provenance.parquet`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

SHOWN = ("temperature", "top_p", "max_new_tokens")


@dataclass(frozen=True)
class AskedPrompt:
    """A prompt as it was put to a model. `sampling`: in words; `tokens`: of prompts and of completions."""

    technique: str
    role: str
    template: str
    model: str
    sampling: str
    requests: int
    tokens: tuple[int, int]


def asked_of(provenance: Path) -> list[AskedPrompt]:
    """What was asked for the rows of a dataset, rejects included, by technique and prompt. Memory is that of the answer."""
    keys = ["technique", "role", "template", "model", "sampling"]
    lines = pl.scan_parquet(provenance).filter(pl.col("model").is_not_null())
    sums = [pl.col(name).cast(pl.Int64).sum() for name in ("prompt_tokens", "completion_tokens")]
    found = lines.with_columns(pl.col("role").str.replace(r"\[\d+\]$", "")).group_by(keys).agg(pl.len(), *sums)
    return [
        AskedPrompt(technique, role, template, model, _in_words(sampling), requests, (prompt, completion))
        for technique, role, template, model, sampling, requests, prompt, completion in found.collect(
            engine="streaming"
        )
        .sort(keys)
        .iter_rows()
    ]


def _in_words(sampling: str) -> str:
    told = json.loads(sampling) if sampling else {}
    return ", ".join(f"{name} {told[name]:g}" for name in SHOWN if told.get(name) is not None)
