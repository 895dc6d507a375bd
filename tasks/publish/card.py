"""The dataset's card: what it is, where it came from, how to load it. Written last: a dataset without it is unfinished."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, StrictUndefined

from tasks.models.open import is_built_in
from tasks.publish.describe.asked import asked_of
from tasks.publish.describe.citations import cited
from tasks.publish.describe.fits import fit_section, fits_of, with_section
from tasks.publish.describe.licences import licence_of
from tasks.publish.describe.metadata import KIND_TAGS, dataset_info, size_category
from tasks.publish.describe.proofs import proof_of, proof_section
from tasks.publish.format_names import OF_KTO
from tasks.publish.revisions import CARD, DATA, Publication, config_entries, data_files, kept, makers
from tasks.storage.files import write_atomically
from tasks.storage.tables import Table, height_of

DEMO_NOTE = "The demo model is a toy that shows how the pipeline works: do not train on what it writes."
BROUGHT = {
    "greeting": "begin with a greeting",
    "label": "begin with a label",
    "confidence": "state a confidence",
    "offer": "end with an offer of help",
    "repeats_instruction": "repeat the instruction",
}
"""What is said of each thing that an answer may bring along."""
TEMPLATE = """\
---
configs:
{{ configs }}{{ metadata }}---
# {{ name }}

{{ line.rows }} {{ "preference pairs" if line.kind == "dpo" else "rows" if line.kind == "curate" else "conversations" }} \
{% if line.kind == "curate" %}left by [Stillroom] of a dataset that was there{% else %}made by [Stillroom], recipe `{{ line.recipe }}`, to \
{{ "train a model on which of two answers is better" if line.kind == "dpo" else "fine-tune a model on" }}{% endif %}; {{ rejects }} rows were \
rejected, each with its reason in `rejects.parquet`.{% if line.kind != "curate" %} Everything in it was written by models, but for what was given as seeds, \
and no person has reviewed it.{% elif models %} Judged by: {{ models | join(", ") }}.{% endif %}
{% if is_demo %}

**{{ demo_note }}**
{% endif %}
{% if pending %}

The run reached its budget: {{ pending }} rows are pending. The same run with a higher budget, or none, goes on from there.
{% endif %}

```python
from datasets import load_dataset
rows = load_dataset("{{ dataset }}", split="{{ first_split }}"{{ "" if line.rows else ", streaming=True" }})
```
{% if not line.rows %}

Without a row in it, `datasets` opens a split as a stream only.
{% endif %}
{% if "kto" in line.formats or line.format == "kto" %}

{{ of_kto }}
{% endif %}
{% if splits | length > 1 %}

Splits, by what a prompt begins with: {{ splits }}.
{% endif %}
{% if left_out %}

What a format cannot say is left out of it: {{ left_out }}.
{% endif %}
{% if samples %}

## Rows

{% for sample in samples %}
~~~~json
{{ sample }}
~~~~

{% endfor %}
{% endif %}
## How it was made

The run `{{ line.run }}`:

{% if steps %}
```mermaid
graph LR
{% for step in steps %}
  s{{ loop.index }}["{{ step.name }}<br>{{ step.rows }} rows"]
{% if not loop.first %}
  s{{ loop.index0 }} --> s{{ loop.index }}
{% endif %}
{% endfor %}
```

{% endif %}
| step | rows in | rows out | rejected | lost inside a row |
|---|---|---|---|---|
{% for step in steps %}
| {{ step.name }} | {{ step.rows_in }} | {{ step.rows }} | {{ step.rejects }} | {{ step.losses }} |
{% endfor %}

{% if selection %}
{{ selection }}

{% endif %}
{% if brought %}

What is no part of an answer was counted, and left in: {{ brought }}.
{% endif %}
{% if about.curation %}

Curation: {{ about.curation | join("; ") }}.
{% endif %}

`provenance.parquet` has a line for each request behind each row; `losses.parquet` what was lost inside rows that live on.
{% if about.config %}
`stillroom {{ line.kind }} --config dataset.yaml` makes it again: all settings are in that file.
{% endif %}

### Models

| model | revision | licence | which means |
|---|---|---|---|
{% for model in models %}
| {{ model }} | {{ about.revisions.get(model.split(" (served:")[0]) or "not stated" }} | {{ licence_of(model).name }} | {{ licence_of(model).means }} |
{% endfor %}

What a licence means is said as far as this tool knows: its own text decides.
{% if asked %}

### What was asked

| step | role | prompt | model | sampling | requests | tokens in | tokens out |
|---|---|---|---|---|---|---|---|
{% for one in asked %}
| {{ one.technique }} | {{ one.role }} | `{{ one.template }}` | {{ one.model }} | {{ one.sampling }} | {{ one.requests }} | {{ one.tokens[0] }} | {{ one.tokens[1] }} |
{% endfor %}

In all {{ asked | sum(attribute="requests") }} requests for these rows and the rejects, in every run that made them{{ about.paid }}.
{% if about.prompts %}

Prompts: the set `{{ line.prompt_set }}`, {% for name, digest in about.prompts.items() %}`{{ name }}` {{ digest[:12] }}{{ ", " if not loop.last }}{% endfor %}.
{% endif %}
{% endif %}

## Limits

What models write may be wrong, out of date or unfair to people, in words that sound sure of it. The rows carry the habits of \
the models above: their opinions, their style, and the topics that they know.{% if line.kind == "dpo" %} Which answer is better was \
judged by models, which favour long answers, the first of two, and their own.{% endif %} Look at rows and at what was rejected \
before you train.

## Revisions

{% if kept %}
An earlier version: `load_dataset("{{ dataset }}", "r{{ kept[-1] }}")`. `revisions.jsonl` has these lines for programs.

{% endif %}
| revision | rows | added | changed | gone | by |
|---|---|---|---|---|---|
{% for entry in lines %}
| r{{ entry.revision }}{{ "" if entry.revision == line.revision or entry.revision in kept else ", not kept" }} | {{ entry.rows }} | {{ entry.changes.added }} | {{ entry.changes.changed }} | {{ entry.changes.gone }} | `{{ entry.run }}`{{ ", retrying `" ~ entry.retried ~ "`" if entry.retried else "" }}, recipe `{{ entry.recipe }}`{{ ", " ~ entry.models | join(", ") if entry.models else "" }} |
{% endfor %}
{% if citations %}

## Citations

```bibtex
{{ citations }}
```
{% endif %}

[Stillroom]: a tool that distils datasets out of language models
"""
SAMPLES = 3
SAMPLE_CHARS = 300
"""Of a text in a sample row."""


@dataclass(frozen=True)
class About:
    """What a card says besides the counts of a run.

    `licence`: of the dataset, as the Hub names it; `languages`: of the prompts; `config`: all that the run was told;
    `revisions`: of models, by name; `prompts`: digests, by technique; `curation`: what was thrown away, in words; `cost` of the
    run at hand, where anything is known of it. `brought_along`: how many answers the run has, and how many of them bring along
    what is no part of one; `left_out`: of each format, how many rows, by reason.
    """

    licence: str | None = None
    languages: Sequence[str] = ("en",)
    config: Mapping[str, Any] = field(default_factory=dict)
    revisions: Mapping[str, str | None] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    curation: Sequence[str] = ()
    cost: float | None = None
    brought_along: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def paid(self) -> str:
        """What the run at hand has cost, in words."""
        return "" if self.cost is None else f"; the run at hand has cost {self.cost:.6g}"


def write_card(
    draft: Path,
    out: Path,
    lines: Sequence[Publication],
    rejects: int,
    steps: Mapping[str, Sequence[Table]],
    keep: int,
    about: About | None = None,
    selection: str = "",
) -> None:
    """Write README.md for the dataset `out` into a folder. `lines`: its publications, the one at hand last."""
    about = about or About()
    line, splits = lines[-1], data_files(draft)
    models = sorted({model for maker in makers(lines) for model in maker.models})
    text = _template().render(
        name=out.name,
        dataset=out,
        line=line,
        lines=_that_made_one(lines),
        rejects=rejects,
        steps=[_of_step(name, tables) for name, tables in steps.items()],
        kept=kept(line.revision, keep),
        configs=config_entries(draft, out, line, keep),
        metadata=_metadata(draft, out, line, about, models),
        models=models,
        licence_of=licence_of,
        is_demo=is_built_in(models),
        demo_note=DEMO_NOTE,
        of_kto=OF_KTO,
        brought=told_of(about.brought_along),
        selection=selection,
        pending=sum(table.pending for tables in steps.values() for table in tables),
        about=about,
        asked=asked_of(draft / "provenance.parquet"),
        first_split=next(iter(splits), "train"),
        splits=", ".join(f"{name} {height_of(*files)}" for name, files in splits.items()) if len(splits) > 1 else "",
        left_out="; ".join(f"{name}: {by_reason([counts])}" for name, counts in about.left_out.items()),
        samples=_samples(splits),
        citations=cited(steps),
    )
    text = with_section(text, fit_section(fits_of(draft)), "fit")
    proof = proof_of(out, line.revision)
    text = with_section(text, proof_section(proof) if proof else "", "proof")
    write_atomically(draft / CARD, text.encode())


def _of_step(name: str, tables: Sequence[Table]) -> dict[str, Any]:
    """What a step has made of its rows."""
    return {
        "name": name,
        "rows_in": sum(t.rows_in for t in tables),
        "rows": sum(t.rows for t in tables),
        "rejects": by_reason(t.rejects for t in tables),
        "losses": by_reason(t.losses for t in tables),
    }


def _metadata(draft: Path, out: Path, line: Publication, about: About, models: Sequence[str]) -> str:
    """What the Hub reads besides the configs, as YAML."""
    splits = data_files(draft)
    demo = ["demo"] if is_built_in(models) else []
    told = {
        "pretty_name": out.name,
        "license": about.licence or "unknown",
        "language": list(about.languages),
        "size_categories": [size_category(line.rows)],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "stillroom", *KIND_TAGS.get(line.kind, ()), *demo],
        "dataset_info": dataset_infos(draft, line) if splits and line.rows else None,
    }
    import yaml

    return yaml.safe_dump({name: value for name, value in told.items() if value}, sort_keys=False, allow_unicode=True)


def dataset_infos(draft: Path, line: Publication) -> list[dict[str, Any]]:
    """What is in each config of the rows as they are now."""
    made = {name: data_files(draft, f"{DATA}/{name}") for name in line.formats}
    first = next((made[name] or data_files(draft) for name in line.formats), data_files(draft))
    named = {name: files for name, files in made.items() if files}
    return [dataset_info(name, files) for name, files in ({"default": first} | named).items()]


def _samples(splits: Mapping[str, Sequence[Path]]) -> list[str]:
    """A few rows as JSON, long texts cut; no line of it can end the block that it stands in."""
    if not splits:
        return []
    rows = pl.read_parquet(next(iter(splits.values()))[0], n_rows=SAMPLES).to_dicts()
    return [json.dumps(_cut(row), ensure_ascii=False, indent=1) for row in rows]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= SAMPLE_CHARS else f"{value[:SAMPLE_CHARS]}..."
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items() if one is not None}
    return [_cut(one) for one in value] if isinstance(value, list) else value


def told_of(brought_along: Mapping[str, int]) -> str:
    """What answers bring along, in words: "of 90 answers 3 begin with a greeting, 1 states a confidence"; "" for nothing."""
    found = [f"{brought_along[name]} {words}" for name, words in BROUGHT.items() if brought_along.get(name)]
    return f"of {brought_along['answers']} answers {', '.join(found)}" if found else ""


def _that_made_one(lines: Sequence[Publication]) -> list[Publication]:
    """The publications that made a new revision, the newest first."""
    firsts = {line.revision: line for line in reversed(lines)}
    return [firsts[number] for number in sorted(firsts, reverse=True)]


def by_reason(counts: Any) -> str:
    """Counts by reason, added up and written out: "empty 3, truncated 1"; "–" for none."""
    total: Counter[str] = sum((Counter(c) for c in counts), Counter())
    return ", ".join(f"{reason} {count}" for reason, count in sorted(total.items())) or "–"


@cache
def _template() -> Any:
    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
