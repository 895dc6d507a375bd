#!/usr/bin/env bash
# prefect 3.8.8 with pydantic 2.14.0: the JSON schema of each parameter of a flow, of which the form in the UI is made, is generated
# twice as the flow is declared: alone, to see whether it has one, and with all others. Nothing reads it there: `flow.parameters` is
# not sent with a run, and a deployment generates it twice anew. A parameter whose schema cannot be made is shown as one of any
# kind. With a large model as the parameter that is most of what declaring a flow takes.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" "aiosqlite==0.22.1" "sqlalchemy==2.0.58" "pydantic==2.14.0" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1
cat >run.py <<'PY'
from prefect import flow
from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

made = []


class Told(BaseModel):
    rows: int = 1

    @classmethod
    def __get_pydantic_json_schema__(cls, core, handler):
        made.append(cls)
        return handler(core)


class Untold(BaseModel):
    @classmethod
    def __get_pydantic_json_schema__(cls, core, handler):
        raise PydanticInvalidForJsonSchema("none")


def one(config: Told) -> None: ...


def two(config: Told, name: str = "") -> None: ...


def counted(work):
    before = len(made)
    return work(), len(made) - before


declared, for_one = counted(lambda: flow(one))
_, for_two = counted(lambda: flow(two))
_, deployed = counted(lambda: declared.to_deployment("x"))
print("generated for one parameter:", for_one, "- for it and another:", for_two, "- by a deployment:", deployed)
assert (for_one, for_two, deployed) == (2, 2, 2), (for_one, for_two, deployed)


def none(config: Untold) -> None: ...


shown = flow(none).parameters.properties["config"]
print("a parameter without a schema:", shown)
assert "type" not in shown and "$ref" not in shown and "allOf" not in shown, shown
PY
env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
