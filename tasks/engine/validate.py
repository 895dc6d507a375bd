"""Validation: a table in, its good rows and the reasons against the others out (law 6).

Bad rows are data: they go to the rejects. A fault of the whole table (a column missing, of another type) stops the task.
"""

from __future__ import annotations

import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from tasks.schemas import Rows


class TableError(RuntimeError):
    """A table as a whole is not what its schema says: a bug in the step that wrote it, or a wrong input."""


def validate(frame: pl.DataFrame, schema: type[Rows]) -> tuple[pl.DataFrame, dict[int, str]]:
    """The rows that pass, in order, and for each other row its position and the checks that it failed.

    Of rows with the same id the first stays. Raises TableError for a fault without a row.
    """
    repeated = frame["row_id"].is_first_distinct().not_().arg_true().to_list() if "row_id" in frame.columns else []
    faults = dict.fromkeys(repeated, "row_id: repeated")
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        faults = _faults(errors, schema) | faults
    except SchemaError as error:
        raise TableError(f"{schema.__name__}: {error}") from error
    if not faults:
        return frame, {}
    bad = pl.Series(list(faults), dtype=pl.UInt32)
    return frame.with_row_index("_position").filter(~pl.col("_position").is_in(bad.implode())).drop("_position"), faults


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
