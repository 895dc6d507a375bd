"""One constraint as a row holds it, how several are drawn for an instruction, and the verdicts on an answer.

constraints = draw_constraints(drawing, kinds, 2)
findings = findings_of(constraints, answer, "en")
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from tasks.errors import ConfigError, Filtered
from tasks.verify.constraints.kind import ConstraintFinding, ConstraintKind, Drawing
from tasks.verify.constraints.table import CONSTRAINTS, go_together
from tasks.verify.verifier import Verification

FAILED = "constraint_failed"
SIZED = frozenset({"length", "digits"})
"""What an instruction with figures in it may say itself."""


class Constraint(TypedDict):
    """A kind, its parameters as JSON, the language that its parts are counted in, and the words that say it."""

    kind: str
    parameters: str
    language: str
    text: str


def draw_constraints(drawing: Drawing, kinds: Sequence[ConstraintKind], count: int) -> list[Constraint]:
    """As many constraints that go together, in the order of their drawing: fewer where there are no more.

    A kind whose words are not in the lists is not drawn. An instruction with figures in it may tell a length itself: none
    is drawn for it then.
    """
    left = [kind for kind in sorted(kinds, key=lambda kind: kind.name) if drawing.lists.get(kind.name)]
    if any(sign.isdigit() for sign in drawing.instruction):
        left = [kind for kind in left if not kind.aspects & SIZED or kind.name == "repeat_prompt"]
    drawn: list[tuple[ConstraintKind, dict[str, Any]]] = []
    while left and len(drawn) < count:
        kind = left.pop(drawing.rng.randrange(len(left)))
        parameters = kind.draw(replace(drawing, rng=random.Random(drawing.rng.random())))
        if _allowed(kind, parameters, drawn, drawing.language):
            drawn.append((kind, parameters))
            left = [other for other in left if go_together(kind, other)]
    return [constraint_of(kind, parameters, drawing) for kind, parameters in drawn]


def _allowed(
    kind: ConstraintKind,
    parameters: Mapping[str, Any],
    drawn: Sequence[tuple[ConstraintKind, dict[str, Any]]],
    language: str,
) -> bool:
    """Whether no constraint forbids a text that another one demands."""
    for other, told in drawn:
        for forbids, its, demands, theirs in ((kind, parameters, other, told), (other, told, kind, parameters)):
            if forbids.forbids and not _lets_pass(forbids, its, demands, theirs, language):
                return False
    return True


def _lets_pass(
    forbids: ConstraintKind, its: Mapping[str, Any], demands: ConstraintKind, theirs: Mapping[str, Any], language: str
) -> bool:
    texts = demands.literals(theirs)
    if forbids.name == "questions":
        return not any("?" in text or "？" in text for text in texts)
    return not texts or forbids.check(" ".join(texts), its, language).passed


def constraint_of(kind: ConstraintKind, parameters: Mapping[str, Any], drawing: Drawing) -> Constraint:
    """The constraint with the words that say it. Raises ConfigError where the prompts' words name no such parameter."""
    wording = drawing.rng.choice(list(drawing.lists[kind.name]))
    left, right, between = drawing.lists["quote"]
    said = {
        name: between.join(f"{left}{one}{right}" for one in value) if isinstance(value, list) else value
        for name, value in parameters.items()
    }
    try:
        text = wording.format(**said)
    except (KeyError, IndexError, ValueError) as error:
        fix = f"its parameters are {', '.join(parameters) or 'none'}"
        raise ConfigError(f"the words of the constraint {kind.name} cannot be filled", wording, fix) from error
    told = json.dumps(dict(parameters), ensure_ascii=False, sort_keys=True)
    return Constraint(kind=kind.name, parameters=told, language=drawing.language, text=text)


def finding_of(constraint: Mapping[str, Any], answer: str) -> ConstraintFinding:
    """Whether an answer keeps a constraint. Raises Filtered (unknown_constraint) for one that we cannot check."""
    kind = CONSTRAINTS.get(constraint["kind"])
    try:
        parameters = json.loads(constraint["parameters"])
        if kind is None:
            raise Filtered("unknown_constraint", str(constraint["kind"]))
        return kind.check(answer, parameters, constraint["language"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise Filtered("unknown_constraint", f"{constraint['kind']}: {constraint['parameters']}") from error


def verify_constraints(row: Mapping[str, Any], answer: str) -> Verification:
    """Whether an answer keeps all constraints of its row. Raises Filtered (no_constraints, unknown_constraint)."""
    constraints = row.get("constraints")
    if not constraints:
        raise Filtered("no_constraints", "the row has nothing to verify an answer by")
    findings = [(one["kind"], finding_of(one, answer)) for one in constraints]
    figure = "; ".join(f"{kind}: {finding.figure}" for kind, finding in findings)
    failed = next((kind for kind, finding in findings if not finding.passed), None)
    return Verification(failed is None, figure, f"{FAILED}:{failed}" if failed else "")
