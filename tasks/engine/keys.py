"""The key of a task: a digest of everything that shapes its table, code and prompts included (law 3).

The key may change too often (a comment in the code changes it): the ledger below answers then, row by row.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tasks.engine.requests.asking import Member
from tasks.models.config import NOT_SHAPING
from tasks.storage.digest import canonical, digest
from tasks.text.prompts import Prompts

ROOT = Path(__file__).parents[2]
_parsing = threading.Lock()


def step_key(name: str, function: Callable[..., Any], prompts: Prompts, folder: str = "") -> str:
    """The part of the key that all shards of a step share: its code and its prompts (`folder`: if not under its name)."""
    return digest(name, code_digest(Path(inspect.getfile(function))), prompts.digest_of(folder or name))


class CommonKey(NamedTuple):
    """What the keys of all shards of a step have in common, as they are digested."""

    step: str
    params: bytes
    models: bytes
    shaping: bytes


def common_key(step: str, params: Any, roles: Mapping[str, Sequence[Member]], shaping: Mapping[str, Any]) -> CommonKey:
    """`step`: its `step_key`. `shaping`: seed, language, attempts."""
    models = {
        role: [(m.model.identity, m.config.model_dump(exclude=set(NOT_SHAPING))) for m in members]
        for role, members in roles.items()
    }
    return CommonKey(step, canonical(params), canonical(models), canonical(shaping))


def shard_key(common: CommonKey, fingerprints: Sequence[str], epochs: Mapping[str, int]) -> str:
    """The key of one task run. `fingerprints`: of the tables that go in; `epochs`: of the rows of this shard that have any."""
    return digest(common.step, common.params, common.models, *fingerprints, common.shaping, canonical(epochs))


def epochs_of(frame: pl.DataFrame | None, row_ids: Sequence[str]) -> dict[str, int]:
    """How often each of these rows has failed at this step before; rows that never have are left out."""
    if frame is None:
        return {}
    mine = frame.filter(pl.col("row_id").is_in(list(row_ids)))
    return dict(sorted(zip(mine["row_id"].to_list(), mine["epoch"].to_list(), strict=True)))


def code_digest(module: Path) -> str:
    """The digest of a module's source and of all `tasks` modules that it imports, however far down."""
    with _parsing:  # CPython 3.11 cannot parse in two threads at once
        return _digest_of_ours(module) if module.is_relative_to(ROOT) else _code_digest(module)


@cache
def _digest_of_ours(module: Path) -> str:
    return _code_digest(module)


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
    for name in _names_in(path.read_text(encoding="utf-8")):
        if name.split(".")[0] == "tasks" and (found := _file_of(name)):
            _imported(found, seen)
        beside = path.parent / f"{name}.py"  # of a file of the user's own
        if not path.is_relative_to(ROOT) and beside.is_file():
            _imported(beside, seen)
    return seen


@lru_cache(512)
def _names_in(source: str) -> tuple[str, ...]:
    """What a module imports. Kept by its text: a user's own step is read anew for each run, with all that it imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return tuple(names)


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None
