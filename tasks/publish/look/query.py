"""Which rows are looked at: a filter as a URL, and a URL as a filter.

    ?is.topic=maths&is.topic=physics&min.score=4&text=two%20socks&sort=-score&page=2

`is.COLUMN`: any of these values, an empty one for no value; `min.` and `max.`: bounds, both of them within; `text`: rows that hold it,
whatever its case; `group`: rows of a group of the map; `near`: rows like this one; `sort`: by a column, from the highest down with `-`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlencode

from tasks.errors import ConfigError, did_you_mean

TablePart = Literal["rows", "rejects", "losses"]
TABLE_PARTS: tuple[TablePart, ...] = get_args(TablePart)
PLAIN = ("table", "text", "group", "near", "sort", "page")
FILTER_FIX = "a filter is written ?is.topic=maths&min.score=4&text=socks&sort=-score&page=2"
MOST_PAGES = 10**9


@dataclass(frozen=True)
class Bounds:
    """What a number has to be between; None: any."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class RowQuery:
    """A filter, an order and a page (from 1 on). `values`: by column, in the order of their names; so are `bounds`."""

    table: TablePart = "rows"
    text: str = ""
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    bounds: tuple[tuple[str, Bounds], ...] = ()
    group: int | None = None
    near: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @property
    def is_filtered(self) -> bool:
        """Whether some rows are left out."""
        return bool(self.text or self.values or self.bounds or self.near or self.group is not None)

    def on(self, page: int) -> RowQuery:
        """The same filter and order, at another page."""
        return replace(self, page=page)

    def sorted_by(self, column: str, *, descending: bool) -> RowQuery:
        """The same filter from the first page on, in another order."""
        return replace(self, sort=column, descending=descending and bool(column), page=1)

    def toggled(self, column: str, value: str) -> RowQuery:
        """The same filter with a value of a column added, or taken out where it was in."""
        values = {name: set(some) for name, some in self.values}
        values[column] = values.get(column, set()) ^ {value}
        return replace(self, values=_values(values), page=1)

    def wants(self, column: str, value: str) -> bool:
        """Whether a value of a column is asked for."""
        return value in dict(self.values).get(column, ())

    def without(self, column: str) -> RowQuery:
        """The same filter without any choice of values in this column."""
        return replace(self, values=tuple(one for one in self.values if one[0] != column), page=1)

    @property
    def url(self) -> str:
        """The filter as the query of a URL, without the question mark; "" for all rows."""
        told: list[tuple[str, str]] = [("table", self.table)] if self.table != "rows" else []
        told += [(f"is.{name}", value) for name, some in self.values for value in some]
        for name, bound in self.bounds:
            told += [(f"min.{name}", _written(bound.least))] if bound.least is not None else []
            told += [(f"max.{name}", _written(bound.most))] if bound.most is not None else []
        told += [("text", self.text)] if self.text else []
        told += [("group", str(self.group))] if self.group is not None else []
        told += [("near", self.near)] if self.near else []
        told += [("sort", f"-{self.sort}" if self.descending else f"+{self.sort}")] if self.sort else []
        told += [("page", str(self.page))] if self.page != 1 else []
        return urlencode(told)


def query_of(url: str) -> RowQuery:
    """The filter that the query of a URL says. Raises ConfigError where it says something else; empty fields say nothing."""
    values: dict[str, set[str]] = {}
    bounds: dict[str, dict[str, float]] = {}
    plain: dict[str, str] = {}
    for key, value in parse_qsl(url.removeprefix("?"), keep_blank_values=True):
        how, dot, column = key.partition(".")
        if key in PLAIN:
            plain[key] = value
        elif dot and column and how == "is":
            values.setdefault(column, set()).add(value)
        elif dot and column and how in ("min", "max"):
            if value:
                bounds.setdefault(column, {})[how] = _number(key, value)
        else:
            raise ConfigError("no part of a filter", key, did_you_mean(key, PLAIN, FILTER_FIX))
    table = plain.get("table") or "rows"
    if table not in TABLE_PARTS:
        raise ConfigError("no part of a dataset", table, did_you_mean(table, TABLE_PARTS, " or ".join(TABLE_PARTS)))
    sort = plain.get("sort", "")
    column = sort[1:] if sort[:1] in "+- " else sort
    return RowQuery(
        table=next(one for one in TABLE_PARTS if one == table),
        text=plain.get("text", ""),
        values=_values(values),
        bounds=tuple((name, Bounds(some.get("min"), some.get("max"))) for name, some in sorted(bounds.items())),
        group=_whole("group", plain["group"], least=0) if plain.get("group") else None,
        near=plain.get("near", ""),
        sort=column,
        descending=sort.startswith("-") and bool(column),
        page=_whole("page", plain["page"], least=1) if plain.get("page") else 1,
    )


def _values(values: dict[str, set[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(sorted(some))) for name, some in sorted(values.items()) if some)


def _written(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def _number(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ConfigError(f"{key} is no number", value, FILTER_FIX) from None
    if not math.isfinite(number):
        raise ConfigError(f"{key} is no number", value, FILTER_FIX)
    return number


def _whole(key: str, value: str, least: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 11 and least <= int(value) <= MOST_PAGES):
        raise ConfigError(f"{key} is a whole number from {least} on", value, FILTER_FIX)
    return int(value)
