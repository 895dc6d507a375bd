"""The user's own code, named as `FILE.py:NAME`: a technique, a recipe, a provider, a scripted model's rule.

    load("my_steps.py:shorten", "a technique")

The file lies wherever the user keeps it; it can import what lies beside it, at its top. It runs in this process, as any
code that the user starts.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tasks.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
_loaded: dict[Path, tuple[ModuleType, dict[Path, str]]] = {}
"""By file: what was run, and the digests of the texts that it was made of, those of modules beside it too."""


def is_own(spec: str) -> bool:
    """Whether a name has the form `FILE.py:NAME`."""
    file, colon, name = spec.rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


def absolute(spec: str, beside: Path | None = None) -> str:
    """The name with the absolute path of its file, so that it holds in another process and folder.

    A file that is not in the working folder is looked for in `beside`, the folder of the config that names it.
    """
    file, _, name = spec.rpartition(":")
    path = Path(file).expanduser()
    if beside is not None and not path.exists() and (beside / path).exists():
        path = beside / path
    return f"{path.absolute()}:{name}"


def load(spec: str, what: str) -> Any:
    """What `FILE.py:NAME` names; the file is run once, and again when its text or that of a module beside it has changed.

    `what` says in an error what was looked for: "a technique". Raises ConfigError where there is no such file, or no
    such name in it, or its own code fails.
    """
    file, _, name = spec.rpartition(":")
    path = Path(file).absolute()
    try:
        digest = _digest(path)
    except OSError as error:
        raise ConfigError(f"cannot read {what}", f"{file}: {error.strerror}", "write FILE.py:NAME") from error
    if path not in _loaded or any(not p.is_file() or _digest(p) != known for p, known in _loaded[path][1].items()):
        _loaded[path] = _run(path, digest, what)
    module = _loaded[path][0]
    if not hasattr(module, name):
        there = [n for n, value in vars(module).items() if not n.startswith("_") and _is_defined_in(value, path)]
        raise ConfigError(f"the file has no {what.partition(' ')[2]} of this name", spec, f"it has {', '.join(there)}")
    return getattr(module, name)


def digest_of_file(spec: str) -> str:
    """The digest of the file that a name is in."""
    return _digest(Path(spec.rpartition(":")[0]))


def name_of_own(function: Callable[..., Any]) -> str | None:
    """`FILE.py:NAME` of a function that is the user's own; None for one of this project, which has a module's name."""
    path = Path(inspect.getfile(function)).resolve()
    ours = any(path.is_relative_to(ROOT / package) for package in ("tasks", "flows"))
    return None if ours or "." in function.__qualname__ else f"{path}:{function.__name__}"


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _run(path: Path, digest: str, what: str) -> tuple[ModuleType, dict[Path, str]]:
    """Run a file. It and what it imports from beside it are no modules of the process afterwards.

    So two folders may have files of one name, and what is sent to another process goes there by value.
    """
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}_{digest[:8]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[spec.name] = module  # while it is made: dataclasses and pydantic look their module up
    try:
        with _beside(path.parent):
            spec.loader.exec_module(module)
    except ConfigError:
        raise
    except Exception as error:
        line = _line_in(error, path)
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigError(f"the file of {what} does not run", f"{path}{line}", said) from error
    finally:
        beside = _taken_out(path.parent, before)
    return module, {path: digest} | {file: _digest(file) for file in beside}


def _taken_out(folder: Path, before: set[str]) -> list[Path]:
    """Take the modules of a folder that are new out of the process; their files."""
    files = []
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]
            files.append(Path(file))
    return files


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import what lies beside it; what is on the path already comes first."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _line_in(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f":{lines[-1]}" if lines else ""


def _is_defined_in(value: Any, path: Path) -> bool:
    value = getattr(value, "function", value)
    try:
        return Path(inspect.getfile(value)).absolute() == path
    except TypeError:
        return False
