#!/usr/bin/env bash
# datasets 5.2.0, rows as dicts whose keys differ, as those of chats with tools here and there do. A key that the first row lacks:
#   Dataset.from_list, Dataset.from_generator     the column is gone from all rows
#   map, what the function returns                gone as well; map on an iterable dataset keeps it
#   load_dataset("json")                          kept
# A key that the first row has and a later one lacks is None in the first two, and a KeyError at the end of map. Within a column
# it is the other way round: every dict gets the keys of all others, so that a tool has properties that it never had, and a call
# arguments that nobody gave,
#   {"city": {"type": "string"}}                  {"city": {"type": "string"}, "year": null}
#   {"city": "Hue"}                               {"city": "Hue", "year": null}
# and a chat template writes them into the prompt. Nothing is printed. So a set whose first conversation has no tools trains all
# others without theirs. Whoever makes chats a Dataset has to write every key in every row, with on_mixed_types="use_json".
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "datasets==5.2.0" "jinja2==3.1.6" >/dev/null
cat >ask.py <<'PY'
import json

from datasets import Dataset, load_dataset
from jinja2 import Template


def tool(name, parameter):
    return {"name": name, "parameters": {"type": "object", "properties": {parameter: {"type": "string"}}}}


def call(name, **arguments):
    return {"role": "assistant", "tool_calls": [{"name": name, "arguments": arguments}]}


talk = {"messages": [{"role": "user", "content": "Hi"}]}
asked = [talk, talk | {"tools": [tool("weather", "city")]}]
with open("rows.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\n" for row in asked)
numbers = Dataset.from_list([{"at": at} for at in range(2)])


def graded(row):
    return {"passed": True} if row["at"] == 0 else {"passed": False, "reason": "too short"}


columns = {
    "from_list": Dataset.from_list(asked).column_names,
    "from_generator": Dataset.from_generator(lambda: iter(asked)).column_names,
    "load_dataset": load_dataset("json", data_files="rows.jsonl", split="train").column_names,
    "map": numbers.map(graded).column_names,
    "streaming map": list(list(numbers.to_iterable_dataset().map(graded))[1]),
}
for case, names in columns.items():
    print(case, names)
assert columns["from_list"] == columns["from_generator"] == ["messages"] and columns["map"] == ["at", "passed"], columns
assert columns["load_dataset"] == ["messages", "tools"] and columns["streaming map"] == ["at", "passed", "reason"], columns
try:
    numbers.map(lambda row: {"passed": False, "reason": "short"} if row["at"] == 0 else {"passed": True})
    raise SystemExit("map took a row that lacks a key of the first one")
except KeyError as error:
    print("map, a later row lacks it: KeyError", error)

rows = [
    {"messages": [call("weather", city="Hue")], "tools": [tool("weather", "city")]},
    {"messages": [call("events", year="1802")], "tools": [tool("events", "year")]},
]
template = Template("{{ tools[0].parameters.properties | tojson }} {{ messages[0].tool_calls[0].arguments | tojson }}")
meant, padded, exact = (
    template.render(**made[0]) for made in (rows, Dataset.from_list(rows), Dataset.from_list(rows, on_mixed_types="use_json"))
)
print("meant:", meant, "\ncomes:", padded)
assert meant == exact == '{"city": {"type": "string"}} {"city": "Hue"}', (meant, exact)
assert padded == '{"city": {"type": "string"}, "year": null} {"city": "Hue", "year": null}', padded
PY
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python ask.py 2>log || { tail -5 log; exit 1; }
echo "as described"
