#!/usr/bin/env bash
# Row ids that are unsigned 64-bit hashes (xxhash, MinHash), written as numbers to JSONL: 2**63 + 1, 2**63 + 2 and 7.
#   datasets 5.2.0       load_dataset gives float64, the two large ids are equal, and still are with features of
#                        uint64; Dataset.from_list raises OverflowError
#   pyarrow 26.0.1       float64 as well; exact with an explicit schema
#   polars 2.1.0         Int128, exact, if one is among the first 100 rows; otherwise ComputeError
#   pandas 3.1.1         uint64, exact
# Half of all such hashes are above 2**63, so a join or a removal by id then hits other rows. Write ids as text.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  "datasets==5.2.0" "pyarrow==26.0.1" "polars==2.1.0" "pandas==3.1.1" >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python - 2>/dev/null <<'PY'
import json
from pathlib import Path

import pandas
import polars
import pyarrow
import pyarrow.json
from datasets import Dataset, Features, Value, load_dataset

ids = [2**63 + 1, 2**63 + 2, 7]
rows = [{"id": one} for one in ids]
Path("ids.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
Path("late.jsonl").write_text("".join(json.dumps({"id": one}) + "\n" for one in [1] * 100 + ids))
exact = pyarrow.json.ParseOptions(explicit_schema=pyarrow.schema({"id": pyarrow.uint64()}))


def outcome(read):
    try:
        found = read()
    except Exception as error:
        return type(error).__name__
    return "exact" if found == ids else f"{len(set(found))} different"


def loaded(**options):
    return load_dataset("json", data_files="ids.jsonl", split="train", **options)["id"][:]


seen = {
    "datasets": outcome(loaded),
    "datasets, features": outcome(lambda: loaded(features=Features({"id": Value("uint64")}))),
    "datasets, from_list": outcome(lambda: Dataset.from_list(rows)["id"][:]),
    "pyarrow": outcome(lambda: pyarrow.json.read_json("ids.jsonl")["id"].to_pylist()),
    "pyarrow, schema": outcome(lambda: pyarrow.json.read_json("ids.jsonl", parse_options=exact)["id"].to_pylist()),
    "polars": outcome(lambda: polars.read_ndjson("ids.jsonl")["id"].to_list()),
    "polars, late": outcome(lambda: polars.read_ndjson("late.jsonl")["id"].to_list()[-3:]),
    "pandas": outcome(lambda: pandas.read_json("ids.jsonl", lines=True)["id"].tolist()),
}
for case, what in seen.items():
    print(f"{case}: {what}")
assert seen["datasets"] == seen["datasets, features"] == seen["pyarrow"] == "2 different", seen
assert seen["datasets, from_list"] == "OverflowError" and seen["polars, late"] == "ComputeError", seen
assert seen["pyarrow, schema"] == seen["polars"] == seen["pandas"] == "exact", seen
PY
echo "as described"
