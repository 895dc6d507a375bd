#!/usr/bin/env bash
# prefect 3.8.8, IntervalSchedule of whole days in a zone with daylight saving: its docstring says that a daily schedule
# goes on at 9am when the clocks change. It keeps the clock hour only within one question to the schedule. Anchored at
# 09:00 in January (Berlin), the run of 1 April comes out
#   asked on 25 March     09:00
#   asked on 1 April      10:00
# since the first date is reached in seconds from the anchor and only those after it in days; weekly ones do the same. The
# server asks again and again, and knows a run that is already there by its time. A cron schedule for 02:30 runs, on the
# morning that has no 02:30, at 01:30 under Python 3.12 and older and at 03:30 under 3.13 and newer.
# Whoever means a clock hour has to take cron, and a time outside the hour that goes missing.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" >/dev/null
PREFECT_HOME="$PWD/home" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false env/bin/python - <<'PY'
import asyncio
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

berlin = ZoneInfo("Europe/Berlin")


def at(month, day, hour=0, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=berlin)


def runs(schedule, start, end):
    found = asyncio.run(schedule.get_dates(start=start, end=end))
    return [one.astimezone(berlin).strftime("%d %B %H:%M") for one in found]


where = {"timezone": "Europe/Berlin"}
daily = IntervalSchedule(interval=timedelta(days=1), anchor_date=at(1, 1, 9), **where)
weekly = IntervalSchedule(interval=timedelta(days=7), anchor_date=at(1, 7, 9), **where)
seen = {
    "daily, asked on 25 March": runs(daily, at(3, 25), at(4, 2))[-1],
    "daily, asked on 1 April": runs(daily, at(4, 1), at(4, 2))[-1],
    "weekly, asked on 25 March": runs(weekly, at(3, 25), at(4, 9))[-1],
    "weekly, asked on 8 April": runs(weekly, at(4, 8), at(4, 9))[-1],
    "cron 09:00, asked on 1 April": runs(CronSchedule(cron="0 9 * * *", **where), at(4, 1), at(4, 2))[-1],
    "cron 02:30, asked on 28 March": runs(CronSchedule(cron="30 2 * * *", **where), at(3, 28), at(3, 29, 12))[-1],
}
for case, when in seen.items():
    print(f"{case}: {when}")
missing = "29 March 03:30" if sys.version_info >= (3, 13) else "29 March 01:30"
assert list(seen.values())[:4] == ["01 April 09:00", "01 April 10:00", "08 April 09:00", "08 April 10:00"], seen
assert list(seen.values())[4:] == ["01 April 09:00", missing], seen
PY
echo "as described"
