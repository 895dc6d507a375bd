"""Solutions with one thing changed each, which good tests fail on.

    list(mutants("def add(a, b):\n    return a + b", random.Random(0), 4))       # a - b, None

Operators, comparisons, constants and what is returned, as mutation testing has them (DeMillo, Lipton and Sayward 1978,
"Hints on test data selection"). A mutant may do the same as what it was made of: some survive the best of tests.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

OTHER_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
OTHER_COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
Change = Callable[[Any], None]


def mutants(code: str, rng: random.Random, most: int) -> Iterator[str]:
    """At most so many programs, each with another change, drawn by `rng`. Code that is not Python has none."""
    tree = ast.parse(code)
    changes = list(_changes(tree))
    rng.shuffle(changes)
    made = {ast.unparse(tree)}
    for at, change in changes:
        if most <= 0:
            return
        mutant = copy.deepcopy(tree)
        change(list(ast.walk(mutant))[at])
        text = ast.unparse(ast.fix_missing_locations(mutant))
        if text not in made:
            made.add(text)
            most -= 1
            yield text


def _changes(tree: ast.Module) -> Iterator[tuple[int, Change]]:
    """Each change of each node, by the node's number."""
    nodes = list(ast.walk(tree))
    silent = {id(node) for node in _never_run(nodes)}
    for at, node in enumerate(nodes):
        if id(node) not in silent:
            for change in _changes_of(node):
                yield at, change


def _never_run(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """What changes nothing that a test could see: docstrings, annotations, the parts of formatted strings."""
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        quiet = [getattr(node, name, None) for name in ("annotation", "returns")]
        quiet += [node] if isinstance(node, ast.JoinedStr) else []
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            quiet.append(node)
        for part in filter(None, quiet):
            yield from ast.walk(part)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in OTHER_OPERATORS:
        yield lambda one: setattr(one, "op", OTHER_OPERATORS[type(one.op)]())
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in OTHER_COMPARISONS:
                yield _other_comparison(place)
    elif isinstance(node, ast.Constant) and node.value is not None and node.value is not ...:
        yield lambda one: setattr(one, "value", _other_constant(one.value))
    elif isinstance(node, ast.If | ast.While):
        yield lambda one: setattr(one, "test", ast.UnaryOp(ast.Not(), one.test))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield lambda one: setattr(one, "value", ast.Constant(None))


def _other_comparison(place: int) -> Change:
    def change(one: Any) -> None:
        one.ops[place] = OTHER_COMPARISONS[type(one.ops[place])]()

    return change


def _other_constant(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float | complex):
        return value + 1
    return type(value)() if value else type(value)(b"x" if isinstance(value, bytes) else "x")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
