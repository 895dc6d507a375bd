"""What a dataset is made of, where its recipe draws attributes: the quotas of a run, and what was asked for beside what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flows.recipes.recipe import Step
from tasks.curate.quotas import Quotas
from tasks.engine.sieve import SieveParams
from tasks.engine.technique import Params
from tasks.errors import ConfigError
from tasks.generate.attributed_prompts import AttributedPrompts
from tasks.storage.tables import Table
from tasks.text.prompts import Prompts

Outlined = Sequence[tuple[Step, Params]]


def attributed(steps: Outlined) -> AttributedPrompts | None:
    """The attributes that are drawn, None where none are."""
    return next((params for _, params in steps if isinstance(params, AttributedPrompts) and params.attributes), None)


def quotas(steps: Outlined, rows: int | None) -> list[SieveParams]:
    """The sieve that holds rows to their shares, where there is one."""
    told = attributed(steps)
    return [Quotas(attributes=told.attributes, rows=rows)] if told and told.exact and rows is not None else []


def check_composition(steps: Outlined, prompts: Prompts, *, chosen: bool) -> None:
    """Raise ConfigError where rows would be chosen twice, or are to be in a language that the run does not have.

    `chosen`: whether a selector chooses the rows.
    """
    for _, params in steps:
        languages = prompts.languages or (prompts.language,)
        odd = next((one for one in params.row_languages if one not in languages), None)
        if odd is not None:
            fix = f"give --set language={','.join(sorted({*params.row_languages}))}"
            raise ConfigError("an attribute names a language that the run does not have", odd, fix)
    told = attributed(steps)
    if chosen and told is not None and told.exact:
        fix = "leave out curate.diversify, or give --set attributed_prompts.exact=false"
        raise ConfigError("the rows would be chosen twice, by their shares and by curate.diversify", None, fix)


def composition_told(steps: Outlined, tables: Sequence[Table], rows: int | None) -> str:
    """What was asked for and what came, of each value of each attribute, as a table of the card; "" where none is drawn.

    `tables`: those of the rows of this run, of which the first `rows` are published.
    """
    told = attributed(steps)
    if told is None:
        return ""
    got: Counter[tuple[str, str]] = Counter()
    left = rows
    for table in tables:
        held = table.read(["attributes"])["attributes"][:left]
        left = None if left is None else left - len(held)
        got.update((one["name"], one["value"]) for values in held.to_list() for one in values)
    lines = [
        "What the rows of this run are made of:",
        "",
        "| attribute | value | asked | got | rows |",
        "|---|---|---|---|---|",
    ]
    for one in told.attributes:
        whole = sum(count for (name, _), count in got.items() if name == one.name)
        for value, share in one.shares.items():
            count = got[one.name, value]
            came = f"{count / whole:.1%}" if whole else "–"
            lines.append(f"| {one.name} | {value} | {share:.1%} | {came} | {count} |")
    return "\n".join(lines)
