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

DEMO_NOTE = "The demo model is a toy that shows how the pipeline works: do not train on what it writes."
TEMPLATE = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.parquet
tags:
- synthetic
- stillroom
---
# {{ name }}

{{ summary.rows }} rows made by [Stillroom], recipe `{{ recipe }}`; {{ summary.rejects }} rows were rejected, each with
its reason in `rejects.parquet`. Written by: {{ models | join(", ") }}. Text written by a model may carry that model's licence.
{% if "demo" in models %}
**{{ demo_note }}**
{% endif %}
```python
from datasets import load_dataset
rows = load_dataset("{{ summary.dataset }}", split="train")
```

| step | rows in | rows out | rejected | lost inside a row |
|---|---|---|---|---|
{% for step in steps %}
| {{ step.name }} | {{ step.rows_in }} | {{ step.rows }} | {{ step.rejects }} | {{ step.losses }} |
{% endfor %}

`provenance.parquet` has a line for each request behind each row; `losses.parquet` what was lost inside rows that live on.

[Stillroom]: a tool that distils datasets out of language models
"""


def write_card(
    out: Path, recipe: str, models: Sequence[str], steps: Mapping[str, Sequence[Table]], summary: Mapping[str, Any]
) -> None:
    """Write README.md."""
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
    text = _template().render(
        name=out.name, recipe=recipe, models=models, steps=rows, summary=summary, demo_note=DEMO_NOTE
    )
    write_atomically(out / "README.md", text.encode())


def by_reason(counts: Any) -> str:
    """Counts by reason, added up and written out: "empty 3, truncated 1"; "–" for none."""
    total: Counter[str] = sum((Counter(c) for c in counts), Counter())
    return ", ".join(f"{reason} {count}" for reason, count in sorted(total.items())) or "–"


@cache
def _template() -> Any:
    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
