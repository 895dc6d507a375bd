"""How old is old: `30d`, `12h`, `2w`."""

from __future__ import annotations

import re

from tasks.errors import ConfigError

SECONDS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
AGE = re.compile(r"(?P<count>\d{1,5})(?P<unit>[hdw])", re.ASCII)


def age_s(age: str) -> int:
    """An age in seconds. Raises ConfigError for what is none."""
    found = AGE.fullmatch(age.strip())
    if found is None:
        raise ConfigError("not an age", age, "write a whole number of hours, days or weeks: 12h, 30d, 2w")
    return int(found["count"]) * SECONDS[found["unit"]]
