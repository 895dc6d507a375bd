#!/usr/bin/env bash
# datasets 5.2.0, objects whose keys differ from row to row (scores by aspect, token probabilities), which load_dataset("json")
# and map store as Json without being asked: floats are written with ten digits behind the point, whatever their size.
#   1e-12                    0.0, so that its logarithm fails
#   7e-11                    1e-10
#   -1.2345678901234567      -1.2345678901
#   NaN, inf                 None
# With the same keys in every row, so a struct, all of them come back exactly. Nothing is printed, in streaming neither.
# Whoever keeps probabilities in such objects has to keep logarithms, or give every row the same keys.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "pyarrow==26.0.1" >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python - <<'PY'
import json
from pathlib import Path

from datasets import Dataset, load_dataset

floats = [1e-12, 7e-11, -1.2345678901234567, 0.25]


def read(name, keys, **options):
    rows = [{"scores": {key: value}} for key, value in zip(keys, floats, strict=True)]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(load_dataset("json", data_files=name, split="train", **options))
    return [row["scores"][key] for row, key in zip(found, keys, strict=True)]


ragged = Dataset.from_dict({"place": range(4)}).map(lambda row: {"scores": {"abcd"[row["place"]]: floats[row["place"]]}})
odd = Dataset.from_dict({"place": [0, 1]}).map(lambda row: {"scores": {"ab"[row["place"]]: [float("nan"), float("inf")]}})
seen = {
    "same keys": read("same.jsonl", "aaaa"),
    "other keys": read("other.jsonl", "abcd"),
    "other keys, streaming": read("other.jsonl", "abcd", streaming=True),
    "other keys, map": [row[key] for row, key in zip(ragged["scores"], "abcd", strict=True)],
}
for case, found in seen.items():
    print(f"{case}: {found}")
print("NaN and inf:", odd["scores"][0])
assert seen["same keys"] == floats, seen
assert seen["other keys"] == seen["other keys, streaming"] == seen["other keys, map"], seen
zero, more, cut, quarter = seen["other keys"]
assert zero == 0 and more == 1e-10 and abs(cut + 1.2345678901) < 2e-15 and quarter == 0.25, seen
assert odd["scores"][0] == {"a": [None, None]}, odd["scores"][0]
PY
echo "as described"
