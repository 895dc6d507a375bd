#!/usr/bin/env bash
# pandera 0.35.0 on polars 2.1.0, a chat column declared as List(Struct(role, content)). Without coerce, a struct of the same
# fields in another order is refused as a wrong type. With coerce=True, which is the way round that, and strict=True and
# nullable=False all the same:
#   a turn with another field (tool_calls)         valid, the field is gone from what comes back
#   a turn without content                         valid, its content is null
#   a score of 4.9 in a column of Int64            valid, 4
# No failure case and no warning: strict and nullable speak of the columns and rows of the table, not of what is inside.
# Whoever coerces nested columns has to compare the dtype first, and check the fields of the turns by an expression.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "pandera[polars]==0.35.0" "polars==2.1.0" >/dev/null
env/bin/python -W error::UserWarning - <<'PY'
import pandera.polars as pa
import polars as pl

turns = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def outcome(column, values, dtype, coerce):
    schema = pa.DataFrameSchema({column: pa.Column(dtype, nullable=False)}, strict=True, coerce=coerce)
    try:
        return schema.validate(pl.DataFrame({column: values}), lazy=True)[column].to_list()
    except pa.errors.SchemaErrors as error:
        return error.failure_cases["check"].to_list()[0].split("(")[0]


call = [[{"role": "assistant", "content": "", "tool_calls": [{"name": "clock"}]}]]
cases = {
    "other order": ("messages", [[{"content": "Hi", "role": "user"}]], turns),
    "tool call": ("messages", call, turns),
    "no content": ("messages", [[{"role": "user"}]], turns),
    "score": ("score", [4.9], pl.Int64),
}
seen = {(case, coerce): outcome(*what, coerce) for case, what in cases.items() for coerce in (False, True)}
for case, what in seen.items():
    print(*case, "->", what)
assert [seen[case, False] for case in cases] == ["dtype"] * 4, seen
assert seen["other order", True] == [[{"role": "user", "content": "Hi"}]], seen
assert seen["tool call", True] == [[{"role": "assistant", "content": ""}]], seen
assert seen["no content", True] == [[{"role": "user", "content": None}]], seen
assert seen["score", True] == [4], seen
PY
echo "as described"
