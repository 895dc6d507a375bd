#!/usr/bin/env bash
# datasets 5.2.0, a column that is given the type Json because its values are of several kinds, as load_dataset("json"), map and
# on_mixed_types="use_json" do without being asked: a text that happens to be JSON is stored as it is and read back as what it
# says. So in chats of which one message has typed parts, every other message of the file reads
#   "42"                42
#   "true" / "null"     True / None
#   '{"city": "Hue"}'   {"city": "Hue"}, an answer of structured output turned into a dict
# One file without typed parts keeps all of them as text, and so does a file in which turns have different keys, since there
# the whole turn is Json. Whoever publishes such chats has to write all contents in one way: all texts, or all lists of parts.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "pyarrow==26.0.1" >/dev/null
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python - <<'PY'
import json
from pathlib import Path

from datasets import Dataset, load_dataset

answers = ["42", "true", "null", '{"city": "Hue"}', "Hue"]
plain = [{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]} for text in answers]
parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}, {"role": "assistant", "content": "Hi"}]}
named = {"messages": [{"role": "user", "content": "?", "name": "Ann"}, {"role": "assistant", "content": "Hi"}]}


def from_file(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = load_dataset("json", data_files=name, split="train")
    return [row["messages"][1]["content"] for row in found][:5]


mapped = Dataset.from_dict({"place": range(6)}).map(lambda row: {"value": answers[row["place"] % 5] if row["place"] < 5 else 1})
seen = {
    "plain": from_file("plain.jsonl", plain),
    "turns with other keys": from_file("named.jsonl", [*plain, named]),
    "one with typed parts": from_file("parts.jsonl", [*plain, parts]),
    "map": mapped["value"][:5],
    "from_list": Dataset.from_list([{"value": text} for text in [*answers, 1]], on_mixed_types="use_json")["value"][:5],
}
for case, found in seen.items():
    print(f"{case}: {found}")
read = [42, True, None, {"city": "Hue"}, "Hue"]
assert seen["plain"] == seen["turns with other keys"] == answers, seen
assert seen["one with typed parts"] == seen["map"] == seen["from_list"] == read, seen
PY
echo "as described"
