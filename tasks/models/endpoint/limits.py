"""What a server says about its limits, in the headers that servers use: seconds to wait."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_REST_S = 60.0  # a reset may mean "until everything is refilled"; a server that means longer sends Retry-After
EPOCH_FROM = 1e9  # a number of seconds above this is a date
EPOCH_MS_FROM = 1e11  # and one above this is a date in milliseconds
REMAINING = {  # what is left -> when it is refilled
    "x-ratelimit-remaining-requests": "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens": "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining": "x-ratelimit-reset",
    "ratelimit-remaining": "ratelimit-reset",
    **{
        f"anthropic-ratelimit-{what}-remaining": f"anthropic-ratelimit-{what}-reset"
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    },
}
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a refusal asks to wait: Retry-After (seconds or a date), else the reset of what is used up, else None."""
    if (text := headers.get("retry-after-ms")) and (wait_ms := seconds_of(text)) is not None:
        return wait_ms / 1000
    if (text := headers.get("retry-after")) and (wait_s := seconds_of(text)) is not None:
        return wait_s
    return rest_s(headers) or None


def rest_s(headers: Mapping[str, str]) -> float:
    """How long to send nothing because an allowance is at zero; 0 where none is."""
    longest = 0.0
    for remaining, reset in REMAINING.items():
        if headers.get(remaining) in ("0", "0.0"):
            longest = max(longest, seconds_of(headers.get(reset, "")) or 0.0)
    return min(longest, LONGEST_REST_S)


def seconds_of(text: str) -> float | None:
    """Seconds from now, of "12", "1.5", "20ms", "6m0s", a time since the epoch, an HTTP date or an ISO date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,15}(\.\d+)?", text):
        number = float(text)
        number = number / 1000 if number > EPOCH_MS_FROM else number
        return max(0.0, number - time.time()) if number > EPOCH_FROM else number
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if parts and "".join(f"{number}{unit}" for number, unit in parts) == text:
        return sum(float(number) * UNITS_S[unit] for number, unit in parts)
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    return None
