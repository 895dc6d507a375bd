#!/usr/bin/env bash
# datasets 5.2.0, Dataset.map: a new column gets its type from the first 1,000 rows (writer_batch_size), and what comes later is
# cast to it. If kinds differ within those rows the column becomes Json and keeps all; if they differ only after them
#   True, later 5       True: a grade of 5 is gone
#   "N/A", later 5      "5", a text
#   5, later 4.5        ArrowInvalid, after the whole run
# So a function that was tried on a hundred rows gives other values on the whole set, two of them without a word.
# Whoever maps by a model's answers has to pass features=.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "pyarrow==26.0.1" >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python - 2>/dev/null <<'PY'
from datasets import Dataset


def last(first, later, rows):
    table = Dataset.from_dict({"place": range(rows)})
    try:
        found = table.map(lambda row: {"grade": later if row["place"] == rows - 1 else first})
        return found[-1]["grade"]
    except Exception as error:
        return type(error).__name__


pairs = [(True, 5), ("N/A", 5), (5, 4.5)]
seen = {rows: [last(*pair, rows) for pair in pairs] for rows in (100, 1000, 1001)}
for rows, found in seen.items():
    print(f"{rows} rows: {found}")
assert seen[100] == seen[1000] == [5, 5, 4.5], seen
assert seen[1001][0] is True and seen[1001][1:] == ["5", "ArrowInvalid"], seen
PY
echo "as described"
