"""The key of a task: a digest of everything that shapes its table, code and prompts included (law 3).

The key may change too often (a comment in the code changes it): the ledger below answers then, row by row.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.ask import Member
from tasks.engine.digest import canonical, digest
from tasks.engine.templates import digest_of
from tasks.models.config import NOT_SHAPING

ROOT = Path(__file__).parents[2]
_parsing = threading.Lock()


def step_key(name: str, function: Callable[..., Any], language: str) -> str:
    """The part of the key that all shards of a step share: its code and its prompts."""
    return digest(name, code_digest(Path(inspect.getfile(function))), digest_of(name, language))


def shard_key(step: str, params: Any, roles: Mapping[str, Sequence[Member]], fingerprints: Sequence[str],
              shaping: Mapping[str, Any], epochs: Mapping[str, int]) -> str:  # fmt: skip
    """The key of one task run. `shaping`: seed, language, attempts; `epochs`: of the rows of this shard that have any."""
    models = {
        role: [(m.model.identity, m.config.model_dump(exclude=set(NOT_SHAPING))) for m in members]
        for role, members in roles.items()
    }
    return digest(step, canonical(params), canonical(models), *fingerprints, canonical(shaping), canonical(epochs))


def epochs_of(frame: pl.DataFrame | None, row_ids: Sequence[str]) -> dict[str, int]:
    """How often each of these rows has failed at this step before; rows that never have are left out."""
    if frame is None:
        return {}
    mine = frame.filter(pl.col("row_id").is_in(list(row_ids)))
    return dict(sorted(zip(mine["row_id"].to_list(), mine["epoch"].to_list(), strict=True)))


def code_digest(module: Path) -> str:
    """The digest of a module's source and of all `tasks` modules that it imports, however far down."""
    with _parsing:  # CPython 3.11 cannot parse in two threads at once
        return _code_digest(module)


@cache
def _code_digest(module: Path) -> str:
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(_imported(module, set())):
        state.update(path.relative_to(ROOT).as_posix().encode() if path.is_relative_to(ROOT) else path.name.encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def _imported(path: Path, seen: set[Path]) -> set[Path]:
    if path in seen:
        return seen
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "tasks" and (found := _file_of(name)):
                _imported(found, seen)
    return seen


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None
