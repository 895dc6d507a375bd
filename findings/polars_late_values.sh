#!/usr/bin/env bash
# polars 2.1.0, rows as dicts: the dtype of a field comes from the first 100 rows (infer_schema_length), and a value after them
# that does not fit is not always refused. Grades that are whole for 100 rows, then 4.5:
#   pl.from_dicts, pl.DataFrame(rows)    4, with strict=True too
#   pl.DataFrame({"grade": [...]})       TypeError
#   pl.read_ndjson                       ComputeError
# With True for 100 rows, then 5, from_dicts gives False; with [] for 100 rows, then ["late"], read_ndjson gives [None], which
# has the right length. Whoever builds a table of what models answered has to pass the schema.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "polars==2.1.0" >/dev/null
env/bin/python - <<'PY'
import json
from pathlib import Path

import polars as pl


def rows(first, later):
    return [{"grade": first}] * 100 + [{"grade": later}]


def from_file(first, later):
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(first, later)))
    return pl.read_ndjson("rows.jsonl")


def outcome(make):
    try:
        return make()["grade"].to_list()[-1]
    except (TypeError, pl.exceptions.PolarsError) as error:
        return type(error).__name__


seen = {
    "from_dicts, 4 and 4.5": outcome(lambda: pl.from_dicts(rows(4, 4.5))),
    "DataFrame of rows, strict, 4 and 4.5": outcome(lambda: pl.DataFrame(rows(4, 4.5), strict=True)),
    "DataFrame of columns, 4 and 4.5": outcome(lambda: pl.DataFrame({"grade": [4] * 100 + [4.5]})),
    "read_ndjson, 4 and 4.5": outcome(lambda: from_file(4, 4.5)),
    "from_dicts with a schema, 4 and 4.5": outcome(lambda: pl.from_dicts(rows(4, 4.5), schema={"grade": pl.Float64})),
    "from_dicts, True and 5": outcome(lambda: pl.from_dicts(rows(True, 5))),
    "read_ndjson, [] and ['late']": outcome(lambda: from_file([], ["late"])),
}
for case, what in seen.items():
    print(f"{case}: {what!r}")
assert list(seen.values())[:5] == [4, 4, "TypeError", "ComputeError", 4.5], seen
assert seen["from_dicts, True and 5"] is False and seen["read_ndjson, [] and ['late']"] == [None], seen
PY
echo "as described"
