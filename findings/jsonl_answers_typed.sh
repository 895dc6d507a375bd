#!/usr/bin/env bash
# Short answers as text in JSONL, where every answer of the file looks like a date or a time:
#                                datasets 5.2.0                  duckdb 2.0.1              polars 2.1.0, pandas 3.1.1
#   "2024-05-01"                 timestamp, at midnight          DATE                      text
#   "2024-05-01T10:00:00+09:00"  timestamp, 01:00, no zone       TIMESTAMP WITH TIME ZONE  text
#   "01-02-2024"                 text                            DATE, the 1st of February text
#   "3:30", "16:9" as a ratio    text                            TIME                      text
#   the same within messages     timestamp as content            DATE as content           text
# One other answer in the file, and all of them are text. So two shards of one set have two types, a trainer gets a datetime
# as the content of a turn, and a comparison with the reference answer is false. Declare the schema, or publish Parquet.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "pyarrow==26.0.1" "duckdb==2.0.1" "polars==2.1.0" \
  "pandas==3.1.1" pytz >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python - 2>/dev/null <<'PY'
import json
from pathlib import Path

import duckdb
import pandas
import polars
from datasets import load_dataset

files = {
    "date": ["2024-05-01", "1999-12-31"],
    "zone": ["2024-05-01T10:00:00+09:00"],
    "order": ["01-02-2024"],
    "time": ["3:30", "16:09"],
    "mixed": ["2024-05-01", "unknown"],
}


def write(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def kinds(name, field):
    load = load_dataset("json", data_files=name, split="train")
    duck = duckdb.sql(f"select * from '{name}'").fetchall()[0][0]
    found = [load[0][field], duck, polars.read_ndjson(name)[field].to_list()[0], pandas.read_json(name, lines=True)[field][0]]
    return [str(one[0]["content"] if field == "messages" else one) for one in found]


seen = {case: kinds(write(f"{case}.jsonl", [{"answer": one} for one in all_of]), "answer") for case, all_of in files.items()}
turns = [{"messages": [{"role": "assistant", "content": "2024-05-01"}]}]
seen["messages"] = kinds(write("messages.jsonl", turns), "messages")
for case, found in seen.items():
    print(case, found)
assert seen["date"] == ["2024-05-01 00:00:00", "2024-05-01", "2024-05-01", "2024-05-01"], seen
assert seen["zone"][0] == "2024-05-01 01:00:00" and seen["zone"][2:] == files["zone"] * 2, seen
assert seen["order"] == ["01-02-2024", "2024-02-01", "01-02-2024", "01-02-2024"], seen
assert seen["time"] == ["3:30", "03:30:00", "3:30", "3:30"] and seen["mixed"] == ["2024-05-01"] * 4, seen
assert seen["messages"][0] == "2024-05-01 00:00:00" and seen["messages"][2:] == ["2024-05-01"] * 2, seen
PY
echo "as described"
