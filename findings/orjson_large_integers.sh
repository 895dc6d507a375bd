#!/usr/bin/env bash
# orjson 3.13.0, loads, a whole number outside of 64 bits, as answers of arithmetic, account numbers and ids in tool calls are:
#                                 12345678901234567890123        -9223372036854775809
#   orjson.loads                  1.2345678901234568e+22         -9.223372036854776e+18, floats without a word
#   orjson.dumps of the int       refuses it
#   json, msgspec 0.23.0          exact                          exact
#   pydantic 2.14.0, from JSON    exact                          exact; from what orjson read it refuses an int field
#   jsonschema 4.26.0             takes the float for an integer
# So a file that json wrote comes back with other numbers, and written by orjson anew it is shorter by the last digits. A check of
# the type by isinstance finds it, a JSON schema does not. Whoever reads answers of models by orjson has to read whole numbers
# of 19 digits and more by json, or to ask for them as text.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "orjson==3.13.0" "msgspec==0.23.0" "pydantic==2.14.0" "jsonschema==4.26.0" \
  >/dev/null
env/bin/python - <<'PY'
import json

import jsonschema
import msgspec
import orjson
from pydantic import TypeAdapter, ValidationError

whole = TypeAdapter(int)
for text in ("12345678901234567890123", "-9223372036854775809"):
    read = orjson.loads(text)
    print(f"{text}: orjson {read}, written again {orjson.dumps(read).decode()}")
    assert isinstance(read, float) and int(read) != int(text)
    assert int(text) == json.loads(text) == msgspec.json.decode(text) == whole.validate_json(text)
    jsonschema.validate(read, {"type": "integer"})
    try:
        orjson.dumps(int(text))
        raise SystemExit("orjson writes the int")
    except TypeError as error:
        print("orjson.dumps of the int:", error)
    try:
        whole.validate_python(read)
        raise SystemExit("pydantic takes the float")
    except ValidationError as error:
        print("pydantic, of the float:", error.errors()[0]["msg"])
assert orjson.loads("18446744073709551615") == 2**64 - 1
PY
echo "as described"
