#!/usr/bin/env bash
# prefect 3.8.8, a server on SQLite (its default): session_context(begin_transaction=True), in which the server changes the
# states of runs, begins a deferred transaction. Two of them that have read at the same time: the one that writes second is
# refused with "database is locked" at once, although Prefect tells SQLite to wait for 60 s: what it has read is no longer the
# newest, and waiting would not change that. With with_for_update=True the second waits for the first, and both commit.
# Whoever has several runs on such a server meets it as 503 and as "Encountered error during state validation" in its log.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" "aiosqlite==0.22.1" "sqlalchemy==2.0.58" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
cat >run.py <<'PY'
import asyncio
import time

import sqlalchemy as sa
from prefect.server.database import provide_database_interface
from sqlalchemy.exc import OperationalError

database = provide_database_interface()


async def name_and_update(name, have_read, for_update):
    """Read, wait until the other one has read too (or has to wait for us), write. Returns what came of it, in seconds."""
    began = time.monotonic()
    try:
        async with database.session_context(begin_transaction=True, with_for_update=for_update) as session:
            await session.execute(sa.text("SELECT count(*) FROM configuration"))
            have_read.append(name)
            deadline = time.monotonic() + 2
            while len(have_read) < 2 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            await session.execute(
                sa.text("INSERT INTO configuration (id, key, value) VALUES (:id, :id, '{}')"), {"id": name}
            )
            await asyncio.sleep(0.1)
    except OperationalError as error:
        return str(error.orig), time.monotonic() - began
    return "committed", time.monotonic() - began


async def main():
    await database.create_db()
    async with database.session_context() as session:
        patience_ms = (await session.execute(sa.text("PRAGMA busy_timeout"))).scalar_one()
    print("busy_timeout", patience_ms, "ms")
    assert patience_ms == 60_000
    for for_update, expected in ((False, ["committed", "database is locked"]), (True, ["committed", "committed"])):
        have_read = []
        both = (name_and_update(f"{for_update}-{number}", have_read, for_update) for number in (1, 2))
        done = await asyncio.gather(*both)
        print("with_for_update", for_update, [(what, f"{seconds:.1f} s") for what, seconds in done])
        assert sorted(what for what, _ in done) == expected, done
        assert max(seconds for _, seconds in done) < 30, done


asyncio.run(main())
PY
env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
