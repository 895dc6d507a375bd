"""Seeds written to files, and what a source makes of them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.seeds.batches import Source
from tasks.seeds.sources import open_source


def written(folder: Path, name: str, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def rows(source: Source, size: int = 100, **window: Any) -> list[dict[str, Any]]:
    return [row for frame in source.batches(size, **window) for row in frame.iter_rows(named=True)]


def instructions(source: Source, size: int = 100, **window: Any) -> list[str]:
    return [row["instruction"] for row in rows(source, size, **window)]


def fault(spec: Any, **options: Any) -> str:
    """The one line that a source is refused with, on opening or on checking."""
    with pytest.raises(ConfigError) as caught:
        open_source(spec, **options).check()
    line = str(caught.value)
    assert "\n" not in line and line.endswith(")"), "one line that ends with the fix"
    return line
