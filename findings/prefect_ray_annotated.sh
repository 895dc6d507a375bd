#!/usr/bin/env bash
# prefect 3.8.8 with prefect-ray 0.6.0 on ray 2.60.0: an argument in `opaque(...)`, Prefect's annotation that keeps it from looking through
# what a task is given, comes to a task run in a thread as the value itself. On a worker of Ray the task gets a tuple of one in its
# place (an annotation is a named tuple), and nothing says so.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "prefect-ray==0.6.0" "ray==2.60.0" "fastapi==0.150.0" "aiosqlite==0.22.1" "sqlalchemy==2.0.58" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120
cat >run.py <<'PY'
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import opaque
from prefect_ray import RayTaskRunner


@task
def given(value):
    return f"{type(value).__name__} {value}"


def told(runner):
    @flow(task_runner=runner)
    def ask():
        return given.submit(opaque("a text")).result(), given.submit("a text").result()

    return ask()


if __name__ == "__main__":
    threads, ray = told(ThreadPoolTaskRunner()), told(RayTaskRunner(init_kwargs={"num_cpus": 1, "include_dashboard": False}))
    print("in a thread, annotated and bare:", threads)
    print("on a worker of Ray:", ray)
    assert threads == ("str a text", "str a text"), threads
    assert ray == ("tuple ('a text',)", "str a text"), ray
PY
timeout 240 env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
