"""Validation: a table in, its good rows and the reasons against the others out (law 6).

Bad rows are data: they go to the rejects. A fault of the whole table (a column missing, of another type) stops the task.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import polars as pl

from tasks.column_types import with_plain_turns

if TYPE_CHECKING:
    from pandera.api.checks import Check
    from pandera.api.polars.types import PolarsData
    from pandera.errors import SchemaErrors

    from tasks.schemas import Rows

Schema: TypeAlias = "str | type[Rows]"
"""A schema by its name in `tasks/schemas.py`, or one of the user's own.

By name, since pandera takes 1.5 s to import: a mistake is told, and a run whose tables are there begins, without it.
"""


SCHEMAS = Path(__file__).parents[1] / "schemas.py"


class TableError(RuntimeError):
    """A table as a whole is not what its schema says: a bug in the step that wrote it, or a wrong input."""


def validate(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, dict[int, str]]:
    """The rows that pass, in order, and for each other row its position and the checks that it failed.

    Of rows with the same id the first stays. Turns of conversations may have more fields than the schema names. Raises TableError for a fault without a row.
    """
    from pandera.errors import SchemaError, SchemaErrors

    model = schema_of(schema)
    given, frame = frame, with_plain_turns(frame, schema_dtypes(model))
    if _is_good(frame, model):
        return given, {}
    repeated = frame["row_id"].is_first_distinct().not_().arg_true().to_list() if "row_id" in frame.columns else []
    faults = dict.fromkeys(repeated, "row_id: repeated")
    try:
        model.validate(frame, lazy=True)
    except SchemaErrors as errors:
        faults = _faults(errors, model) | faults
    except SchemaError as error:
        raise TableError(f"{model.__name__}: {error}") from error
    if not faults:
        return given, {}
    bad = pl.Series(list(faults), dtype=pl.UInt32)
    return given.with_row_index("_position").filter(~pl.col("_position").is_in(bad.implode())).drop("_position"), faults


def schema_of(schema: Schema) -> type[Rows]:
    """The pandera model of a schema. Raises LookupError for a name that there is not."""
    if not isinstance(schema, str):
        return schema
    import tasks.schemas as schemas

    if (model := getattr(schemas, schema, None)) is None:
        raise LookupError(f"tasks/schemas.py has no schema {schema!r}")
    return cast("type[Rows]", model)


def schema_columns(schema: Schema) -> frozenset[str]:
    """The columns that a schema names: of one of ours as its source has them, so that pandera is not imported for it.

    Raises LookupError for a name that there is not.
    """
    if not isinstance(schema, str):
        return frozenset(schema_dtypes(schema))
    if schema not in (ours := _columns_of_ours()):
        raise LookupError(f"tasks/schemas.py has no schema {schema!r}")
    return ours[schema]


@cache
def _columns_of_ours() -> dict[str, frozenset[str]]:
    columns: dict[str, frozenset[str]] = {}
    for node in ast.parse(SCHEMAS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            inherited = [columns.get(base.id, frozenset()) for base in node.bases if isinstance(base, ast.Name)]
            own = (part.target for part in node.body if isinstance(part, ast.AnnAssign))
            columns[node.name] = frozenset().union(*inherited, (name.id for name in own if isinstance(name, ast.Name)))
    return columns


def schema_dtypes(schema: Schema) -> dict[str, Any]:
    """Column name -> polars type, for the columns that a schema names."""
    return {name: column.dtype.type for name, column in schema_of(schema).to_schema().columns.items()}


def _is_good(frame: pl.DataFrame, schema: type[Rows]) -> bool:
    """Whether no row has a fault: all of the schema's checks in one pass, where pandera makes several for each.

    Mostly so, and then there is nothing that it would have to name.
    """
    wanted, checks = _loaded(schema)
    if wanted.strict or wanted.coerce or wanted.unique or wanted.ordered:
        return False  # none of ours is; whatever they ask for is pandera's to say
    for name, column in wanted.columns.items():
        if frame.schema.get(name) != column.dtype.type or column.coerce:
            return False
        if (frame[name].null_count() and not column.nullable) or (column.unique and frame[name].is_duplicated().any()):
            return False
    from pandera.api.polars.types import PolarsData

    lazy = frame.lazy()
    results = [_passed(check, PolarsData(lazy, name), number) for number, (name, check) in enumerate(checks)]
    return all(pl.concat(results, how="horizontal").collect().row(0)) if results else True


@cache
def _loaded(schema: type[Rows]) -> tuple[Any, list[tuple[str, Check]]]:
    """The schema as pandera sees it, and its checks, each with its column, or "*" for all of them."""
    made = schema.to_schema()
    checks = [(name, check) for name, column in made.columns.items() for check in column.checks]
    checks += [("*", check) for check in made.checks]
    nothing = pl.LazyFrame(schema=schema_dtypes(schema))
    made.get_backend(nothing)  # has pandera load what it knows of polars
    for name, check in checks:
        check(nothing, name)  # has the check find its version for polars
    return made, checks


def _passed(check: Check, data: PolarsData, number: int) -> pl.LazyFrame:
    """One row and one column, `number`: whether the check holds of all rows."""
    from pandera.constants import CHECK_OUTPUT_KEY

    made: pl.LazyFrame | bool = check.get_backend(data.lazyframe)(check).apply(data)  # type: ignore[no-untyped-call]
    if isinstance(made, bool):
        return pl.LazyFrame({str(number): [made]})
    holds = pl.col(CHECK_OUTPUT_KEY)
    return made.select((holds if check.ignore_na else holds.fill_null(False)).all().alias(str(number)))


def _faults(errors: SchemaErrors, schema: type[Rows]) -> dict[int, str]:
    faults: dict[int, str] = {}
    for case in errors.failure_cases.iter_rows(named=True):
        if case["index"] is None:
            raise TableError(
                f"{schema.__name__}: {case['column']}: {case['check']}: {case['failure_case']}"
            ) from errors
        if case["check"] == "field_uniqueness":
            continue  # reports every copy; the first is good, and the others are known already
        position = int(case["index"])
        said = f"{case['column']}: {case['check']}"
        faults[position] = f"{faults[position]}; {said}" if position in faults else said
    return faults
