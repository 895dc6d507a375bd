"""All kinds of constraints by name: IFEval's (Zhou et al. 2023, arXiv:2311.07911), and those that it does not have.

IFBench (Pyatkin et al. 2025, arXiv:2507.02833) shows that models trained on IFEval's kinds alone fail on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tasks.errors import ConfigError, did_you_mean
from tasks.text.language_id import check_identifier
from tasks.verify.constraints.ends import OF_ENDS
from tasks.verify.constraints.kind import ConstraintKind
from tasks.verify.constraints.layout import OF_LAYOUT
from tasks.verify.constraints.lengths import OF_LENGTH
from tasks.verify.constraints.letters import OF_LETTERS
from tasks.verify.constraints.lexicon import OF_WORDS

CONSTRAINTS: Mapping[str, ConstraintKind] = MappingProxyType(
    {kind.name: kind for kind in (*OF_LENGTH, *OF_WORDS, *OF_LAYOUT, *OF_ENDS, *OF_LETTERS)}
)
WHOLE = "everything"
"""The aspect of a kind that goes with no other one."""


def kind_named(name: str) -> ConstraintKind:
    """A kind by its name. Raises ConfigError where there is none."""
    if name not in CONSTRAINTS:
        raise ConfigError(
            "no such kind of constraint", name, did_you_mean(name, CONSTRAINTS, f"known: {', '.join(CONSTRAINTS)}")
        )
    return CONSTRAINTS[name]


def kinds_for(language: str, names: Sequence[str] = ()) -> list[ConstraintKind]:
    """The kinds that make sense in a language: of those that are named, or of all that need not be named."""
    named = [kind_named(name) for name in names] or [kind for kind in CONSTRAINTS.values() if not kind.by_name_only]
    return [kind for kind in named if language in kind.languages]


def go_together(one: ConstraintKind, other: ConstraintKind) -> bool:
    """Whether an answer can keep constraints of both kinds, whatever their parameters."""
    return one is not other and WHOLE not in one.aspects | other.aspects and not one.aspects & other.aspects


def check_kinds(names: Sequence[str], languages: Sequence[str]) -> None:
    """Raise ConfigError for a kind that there is not, that none of the languages has, or that lacks what it needs."""
    for name in names:
        kind = kind_named(name)
        if not kind.languages.intersection(languages):
            told = f"{name} in {', '.join(languages)}"
            fix = f"it has one in {', '.join(sorted(kind.languages))}"
            raise ConfigError("this kind of constraint has no check in the language", told, fix)
        if name == "response_language":
            check_identifier()
