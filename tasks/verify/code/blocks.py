"""The program in an answer: which of its code blocks is the solution.

    code_in("So:\n```python\ndef f(x):\n    return x\n```\nUse it:\n```python\nprint(f(1))\n```", {"f"})     # the first

Of the blocks that are Python it is the one that defines most of what the tests name, of several such the last: a model that
corrects itself says the better one last. An answer without blocks is the program itself, where it is Python.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Collection, Iterator

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^`]*$")
PYTHON = ("", "python", "py", "python3", "py3")
MOST_CHARS = 100_000


def code_in(answer: str, names: Collection[str]) -> str:
    """The program in an answer that defines these names; the last one that is Python where none does; "" for none."""
    blocks = [block for block in _blocks(answer) if python_tree(block) is not None]
    if not blocks:
        whole = textwrap.dedent(answer).strip()
        return whole if python_tree(whole) is not None and defined_in(whole) else ""
    most = max(len(defined_in(block) & set(names)) for block in blocks)
    return next(block for block in reversed(blocks) if len(defined_in(block) & set(names)) == most)


def is_cut_off(answer: str) -> bool:
    """Whether an answer has blocks of Python, and none of them can be read as such."""
    blocks = list(_blocks(answer))
    return bool(blocks) and all(python_tree(block) is None for block in blocks)


def python_tree(code: str) -> ast.Module | None:
    """The tree of a program; None where it is not Python, or too long to be looked at."""
    if len(code) > MOST_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, which are the model's affair
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def defined_in(code: str) -> set[str]:
    """The names that a program defines at its top level."""
    tree = python_tree(code)
    found: set[str] = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _blocks(answer: str) -> Iterator[str]:
    """The blocks of an answer that say they are Python, or say nothing; one without an end goes on to the last line."""
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for line in answer.splitlines():
        fence = FENCE.match(line)
        if opened is None:
            opened, lines = fence, []
        elif fence and _closes(fence, opened):
            yield from _python(opened, lines)
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        yield from _python(opened, lines)


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    mark = opened["mark"]
    return fence["mark"][0] == mark[0] and len(fence["mark"]) >= len(mark) and not fence["language"]


def _python(opened: re.Match[str], lines: list[str]) -> Iterator[str]:
    if opened["language"].lower() in PYTHON:
        yield textwrap.dedent("\n".join(lines)).strip("\n")
