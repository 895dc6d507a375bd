#!/usr/bin/env bash
# prefect 3.8.8, an argument of a flow or a task that can be gone through only once: Prefect goes through it on the way, to write
# the parameters of a flow down and to make the cache key of a task, and the function gets what is left.
#                                   a flow gets            a task gets        a task with cache_policy=NO_CACHE gets
#   a generator                     nothing                nothing            all
#   an open file                    nothing                all                all
#   map(...), filter(...), iter()   all but the first      nothing            all
#   one of these in a dict          the same               the same           all
#   a list, dict.keys()             all                    all                all
# The run is Completed, with the annotation Iterable[str] or Iterator[str] as well, which both say that this is allowed, and
# with validate_parameters=False too. A flow that counts or writes the rows that it is handed has none, or all but one.
# Whoever hands rows to a flow or a task has to hand over a list, or the path.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1
export PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=300
printf 'a\nb\nc\n' >rows.txt
cat >run.py <<'PY'
from collections.abc import Iterable, Iterator

from prefect import flow, task
from prefect.cache_policies import NO_CACHE


@flow
def plain(rows):
    return [str(row).strip() for row in rows]


@flow
def annotated(rows: Iterable[str]):
    return [row.strip() for row in rows]


@flow(validate_parameters=False)
def unvalidated(rows: Iterator[str]):
    return [row.strip() for row in rows]


@flow
def inside(told: dict):
    return [row.strip() for row in told["rows"]]


def taken(rows):
    return [row.strip() for row in (rows["rows"] if isinstance(rows, dict) else rows)]


@flow
def by_task(kind, wrap, **options):
    return task(**options)(taken)({"rows": rows_as(kind)} if wrap else rows_as(kind))


def rows_as(kind):
    rows = ["a", "b", "c"]
    kinds = {"generator": (row for row in rows), "map": map(str, rows), "filter": filter(None, rows), "iter": iter(rows)}
    return {"list": rows, "keys": dict.fromkeys(rows).keys(), "file": open("rows.txt"), **kinds}[kind]


expected = {"list": "abc", "keys": "abc", "generator": "", "file": "", "map": "bc", "filter": "bc", "iter": "bc"}
for kind, kept in expected.items():
    ways = [plain(rows_as(kind)), annotated(rows_as(kind))]
    ways += [] if kind in ("list", "keys") else [unvalidated(rows_as(kind))]
    nested, tasks = inside({"rows": rows_as(kind)}), [by_task(kind, wrap) for wrap in (False, True)]
    uncached = [by_task(kind, wrap, cache_policy=NO_CACHE) for wrap in (False, True)]
    print(f"{kind}: a flow gets {ways[0]}, in a dict {nested}, a task {tasks[0]}, one with NO_CACHE {uncached[0]}")
    assert all(got == list(kept) for got in (*ways, nested)), (kind, ways, nested)
    assert tasks == [list("abc") if kind in ("list", "keys", "file") else []] * 2, (kind, tasks)
    assert uncached == [list("abc")] * 2, (kind, uncached)
assert plain(rows_as("generator"), return_state=True).is_completed()
PY
env/bin/python -W ignore run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
