#!/usr/bin/env bash
# prefect 3.8.8, a task with cache_policy=INPUTS whose argument is a pydantic model: the key is made of what the model dumps
# as JSON. A field with exclude=True is not in that, and a SecretStr is always "**********", so that a second call with
# another value of either is answered from the cache of the first, as Cached(COMPLETED) and without a word. Dataclasses
# and dicts of the same values miss, as they should.
# Whoever caches by a settings model has to pass what matters as an argument of its own, or write the key function.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_RESULTS_DEFAULT_SERIALIZER=json PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1
export PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=300
cat >run.py <<'PY'
from dataclasses import dataclass

from prefect import flow, task
from prefect.cache_policies import INPUTS
from pydantic import BaseModel, Field, SecretStr


class Excluded(BaseModel):
    temperature: float = Field(exclude=True)


class Account(BaseModel):
    key: SecretStr


@dataclass
class Plain:
    temperature: float


@task(cache_policy=INPUTS, persist_result=True)
def answer(settings, kind):
    found = settings["temperature"] if isinstance(settings, dict) else next(iter(vars(settings).values()))
    return found.get_secret_value() if isinstance(found, SecretStr) else found


@flow
def both(first, second):
    kind = type(first).__name__
    states = [answer(settings, kind, return_state=True) for settings in (first, second)]
    return [(state.name, state.result()) for state in states]


pairs = [
    (Excluded(temperature=0.0), Excluded(temperature=1.0)),
    (Account(key="mine"), Account(key="yours")),
    (Plain(0.0), Plain(1.0)),
    ({"temperature": 0.0}, {"temperature": 1.0}),
]
seen = [both(*pair) for pair in pairs]
for (first, _), found in zip(pairs, seen, strict=True):
    print(type(first).__name__, found)
assert seen[0] == [("Completed", 0.0), ("Cached", 0.0)] and seen[1] == [("Completed", "mine"), ("Cached", "mine")], seen
assert seen[2] == seen[3] == [("Completed", 0.0), ("Completed", 1.0)], seen
PY
env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
