#!/usr/bin/env bash
# json-repair 0.64.6, json_repair.loads on answers that are nearly JSON, as judges and extractors write them. What it does not
# understand of a value it leaves out, so that a number of another size comes back as a number:
#   {"size": 2^10}                        2
#   {"words": 3 000}                      3
#   {"ratio": 16:9}, {"time": 3:30}       16, 3
#   {"share": 50%}, {"age": >65}          50, 65
#   {"score": 4/5}, {"words": 1,234}      the texts "4/5" and "1,234"
#   {"score": ５}                          "", a full-width digit
#   {"理由"："很好"，"分数"：5}              one field of a long name, with full-width signs
#   two objects with the same keys        the last one, be it the verdict or an example behind it
#   two objects with other keys           a list of both
# strict=True refuses the full-width ones and two objects, and gives the same numbers. Whoever takes scores out of it has to
# take only answers that json.loads takes where the value matters, and to ask again for the rest.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "json-repair==0.64.6" >/dev/null
env/bin/python -W error - <<'PY'
import json_repair

expected = {
    '{"size": 2^10}': {"size": 2},
    '{"words": 3 000}': {"words": 3},
    '{"ratio": 16:9}': {"ratio": 16},
    '{"time": 3:30}': {"time": 3},
    '{"share": 50%}': {"share": 50},
    '{"age": >65}': {"age": 65},
    '{"score": 4/5}': {"score": "4/5"},
    '{"words": 1,234}': {"words": "1,234"},
    '{"score": ５}': {"score": ""},
    '{"理由"："很好"，"分数"：5}': {'理由"："很好"，"分数': 5},
    'My verdict: {"score": 5}. The form was {"score": 1}.': {"score": 1},
    'The form is {"score": 1}. My verdict: {"score": 5}': {"score": 5},
    '{"score": 5} {"reason": "clear"}': [{"score": 5}, {"reason": "clear"}],
}
for text, value in expected.items():
    seen = json_repair.loads(text)
    print(text, "->", seen)
    assert seen == value, (text, seen)
assert json_repair.loads('{"size": 2^10}', strict=True) == {"size": 2}
PY
echo "as described"
