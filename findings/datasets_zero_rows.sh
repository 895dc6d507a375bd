#!/usr/bin/env bash
# datasets 5.2.0 and a Parquet file of no rows, schema and all: whether it loads depends on the mode and on row groups.
#   no row group,         load_dataset("parquet", ...)     ValueError: Instruction "train" corresponds to no data!
#   no row group,         with streaming=True              0 rows, with the columns
#   one empty row group,  load_dataset("parquet", ...)     DatasetGenerationError
#   one empty row group,  with streaming=True              ArrowInvalid: BatchSize must be greater than 0, got 0
# pyarrow's write_table leaves one empty row group behind for a table of no rows. Whoever publishes a split that may be
# empty has to write it without a row group, and its reader has to stream.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "pyarrow==26.0.1" >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" env/bin/python - <<'PY'
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import load_dataset

nothing = pa.table({"text": pa.array([], pa.string()), "score": pa.array([], pa.float64())})
with pq.ParquetWriter("no_group.parquet", nothing.schema):
    pass
pq.write_table(nothing, "empty_group.parquet")
groups = [pq.ParquetFile(f"{name}.parquet").num_row_groups for name in ("no_group", "empty_group")]


def outcome(name, **options):
    try:
        found = load_dataset("parquet", data_files=f"{name}.parquet", split="train", **options)
        return len(list(found)), sorted(found.features or ())
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0][:60]


seen = {(name, mode): outcome(name, streaming=mode) for name in ("no_group", "empty_group") for mode in (False, True)}
for case, what in seen.items():
    print(*case, "->", *what)
print("row groups:", groups)
assert groups == [0, 1], groups
assert seen["no_group", False][0] == "ValueError" and "corresponds to no data" in seen["no_group", False][1], seen
assert seen["no_group", True] == (0, ["score", "text"]), seen
assert seen["empty_group", False][0] == "DatasetGenerationError", seen
assert seen["empty_group", True] == ("ArrowInvalid", "BatchSize must be greater than 0, got 0"), seen
PY
echo "as described"
