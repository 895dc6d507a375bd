r"""Run as a program: answers whose maths has to be understood, compared by math-verify, a line in and a line out.

    echo '["\\frac{\\sqrt{4}}{2}", "1"]' | python symbolic_process.py     # ready, true

It lives apart since the library has no bound of time outside of the main thread: who started it ends it. It imports nothing of the house, and ends when its input does.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from contextlib import suppress

MOST_BYTES = 4 << 30
"""Address space, most of which sympy's libraries only reserve."""
LONGEST_S = 120
"""After which it ends by itself, should who started it be gone: longer than anybody waits for a pair."""


def is_same(expected: str, found: str) -> bool | None:
    """Whether two answers say the same; None where one of them is no mathematics."""
    from math_verify import parse, verify

    read = [parse(rf"\boxed{{{_with_sets(text)}}}", parsing_timeout=None) for text in (expected, found)]
    if not all(read):
        return None
    return bool(verify(*read, timeout_seconds=None))


def _with_sets(text: str) -> str:
    r"""{1, 2} is a set in an answer, and a group in LaTeX."""
    said = text.strip().strip("$").strip()
    is_set = said.startswith("{") and said.endswith("}") and "\\{" not in said
    return rf"\{{{said[1:-1]}\}}" if is_set else said


def main() -> None:
    """Answer each line, [expected, found] as JSON, with true, false or null."""
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    logging.disable(logging.CRITICAL)
    is_same("1", "1")  # the imports
    sys.set_int_max_str_digits(100_000)
    print("ready", flush=True)  # noqa: T201 - it is a program
    for line in sys.stdin:
        signal.alarm(LONGEST_S)
        try:
            said = is_same(*json.loads(line))
        except (MemoryError, RecursionError, OverflowError, ValueError, TypeError, ArithmeticError):
            said = None
        signal.alarm(0)
        print(json.dumps(said), flush=True)  # noqa: T201 - it is a program


if __name__ == "__main__":
    main()
