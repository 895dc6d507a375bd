"""The dataset's card: what it is, where it came from, how to load it. Written last: a dataset without it is unfinished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from tasks.engine.files import write_atomically
from tasks.engine.tables import Table
from tasks.publish.revisions import CARD, TRAIN, Publication, data_of, entry_of, kept, makers

DEMO_NOTE = "The demo model is a toy that shows how the pipeline works: do not train on what it writes."
TEMPLATE = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.parquet
{{ configs }}tags:
- synthetic
- stillroom
---
# {{ name }}

{{ line.rows }} rows made by [Stillroom], recipe `{{ line.recipe }}`; {{ rejects }} rows were rejected, each with
its reason in `rejects.parquet`. Written by: {{ models | join(", ") }}. Text written by a model may carry that model's licence.
{% if "demo" in models %}
**{{ demo_note }}**
{% endif %}
{% if pending %}
The run reached its budget: {{ pending }} rows are pending. The same run with a higher budget, or none, goes on from there.
{% endif %}
```python
from datasets import load_dataset
rows = load_dataset("{{ dataset }}", split="train"{{ "" if line.rows else ", streaming=True" }})
```
{% if not line.rows %}

Without a row in it, `datasets` opens a split as a stream only.
{% endif %}

The run `{{ line.run }}`:

| step | rows in | rows out | rejected | lost inside a row |
|---|---|---|---|---|
{% for step in steps %}
| {{ step.name }} | {{ step.rows_in }} | {{ step.rows }} | {{ step.rejects }} | {{ step.losses }} |
{% endfor %}

`provenance.parquet` has a line for each request behind each row; `losses.parquet` what was lost inside rows that live on.

## Revisions

{% if kept %}
An earlier version: `load_dataset("{{ dataset }}", "r{{ kept[-1] }}")`. `revisions.jsonl` has these lines for programs.

{% endif %}
| revision | rows | added | changed | gone | by |
|---|---|---|---|---|---|
{% for entry in lines %}
| r{{ entry.revision }}{{ "" if entry.revision == line.revision or entry.revision in kept else ", not kept" }} | {{ entry.rows }} | {{ entry.changes.added }} | {{ entry.changes.changed }} | {{ entry.changes.gone }} | `{{ entry.run }}`{{ ", retrying `" ~ entry.retried ~ "`" if entry.retried else "" }}, recipe `{{ entry.recipe }}`, {{ entry.models | join(", ") }} |
{% endfor %}

[Stillroom]: a tool that distils datasets out of language models
"""


def write_card(
    draft: Path, out: Path, lines: Sequence[Publication], rejects: int, steps: Mapping[str, Sequence[Table]], keep: int
) -> None:
    """Write README.md for the dataset `out` into a folder. `lines`: its publications, the one at hand last."""
    rows = [
        {
            "name": name,
            "rows_in": sum(t.rows_in for t in tables),
            "rows": sum(t.rows for t in tables),
            "rejects": by_reason(t.rejects for t in tables),
            "losses": by_reason(t.losses for t in tables),
        }
        for name, tables in steps.items()
    ]
    line = lines[-1]
    earlier = kept(line.revision, keep)
    configs = [entry_of(number, data_of(number)) for number in earlier] + [entry_of(line.revision, TRAIN)]
    text = _template().render(
        name=out.name, dataset=out, line=line, lines=_that_made_one(lines), rejects=rejects, steps=rows, kept=earlier,
        configs="".join(configs), models=sorted({model for maker in makers(list(lines)) for model in maker.models}),
        demo_note=DEMO_NOTE, pending=sum(table.pending for tables in steps.values() for table in tables),
    )  # fmt: skip
    write_atomically(draft / CARD, text.encode())


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
