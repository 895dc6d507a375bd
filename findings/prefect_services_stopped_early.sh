#!/usr/bin/env bash
# prefect 3.8.8: a server's services run within `async with RunInEphemeralServers.running()` (so does an ephemeral server). A block
# that ends at once, as that of a short-lived server does, ends in an AssertionError: leaving it stops all services together,
# and a service that has not come to its first line refuses to be stopped. The gather that awaits the stops breaks off there, so
# that nobody waits for the services: their tasks still run when the block is left, and what they hold is not written.
# A block that lasts until they have started is left without an error, and no task of a service runs on.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" "aiosqlite==0.22.1" "sqlalchemy==2.0.58" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
cat >run.py <<'PY'
import asyncio

from prefect.server.database import provide_database_interface
from prefect.server.services.base import RunInEphemeralServers


async def left_after(seconds):
    """What leaving the services raises after so long, and how many of their tasks run on."""
    before, raised = asyncio.all_tasks(), None
    try:
        async with RunInEphemeralServers.running():
            await asyncio.sleep(seconds)
    except Exception as error:
        raised = type(error).__name__
    starts = [task for task in asyncio.all_tasks() - before if "start" in task.get_coro().__qualname__]
    for task in starts:
        task.cancel()
    await asyncio.gather(*starts, return_exceptions=True)
    return raised, len(starts)


async def main():
    await provide_database_interface().create_db()
    services = [service.__name__ for service in RunInEphemeralServers.enabled_services()]
    print(len(services), "services:", ", ".join(services))
    at_once, later = await left_after(0), await left_after(2)
    print("left at once:", at_once, "- after 2 s:", later)
    assert at_once[0] is not None and at_once[1] > 0, at_once
    assert later == (None, 0), later


asyncio.run(main())
PY
env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
