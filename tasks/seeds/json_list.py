"""The items of a JSON list one by one, so that a list of any length is read in a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO, Any

from tasks.errors import ConfigError
from tasks.notices import tell

CHUNK = 1 << 20  # characters read at a time
LONGEST = 1 << 26  # characters of one item
_told: set[str] = set()
MARGIN = 16  # the decoder may stumble this far before the end over a word or an escape that is cut off there


def json_items(text: IO[str], name: str) -> Iterator[Any]:
    """The items of the list that the text holds. Raises ConfigError with the line where it is malformed."""
    decode = json.JSONDecoder(parse_constant=no_number(name)).raw_decode
    window, position, lines, before = text.read(CHUNK), 0, 0, "["
    while True:
        try:
            start = _next_item(window, position, before)
            if start is None:
                break
            value, end = decode(window, start)
            if end == len(window):
                raise IndexError("the item may go on")
        except (ValueError, IndexError, RecursionError) as error:
            more = "" if _certain(error, window) else text.read(max(CHUNK, len(window)))
            if not more:
                raise _malformed(name, window, position, lines, error) from error
            lines += window.count("\n", 0, position)
            window, position = window[position:] + more, 0
            continue
        yield value
        position, before = end, ","
    rest = window[window.index("]", position) + 1 :] + text.read(CHUNK)
    if rest.strip():
        raise ConfigError("malformed JSON", f"{name}: {rest.strip()[:20]!r} after the list", "delete it")


def _next_item(window: str, position: int, before: str) -> int | None:
    """Where the next item begins, None at the end of the list. Raises IndexError at the end of the window."""
    position = _after_space(window, position)
    if window[position] == "]" and before == ",":
        return None
    if window[position] != before:
        raise ValueError(f"no {before} before {window[position]!r}")
    position = _after_space(window, position + 1)
    return None if window[position] == "]" and before == "[" else position


def _after_space(window: str, position: int) -> int:
    while window[position] in " \t\r\n":
        position += 1
    return position


def no_number(name: str) -> Callable[[str], None]:
    """What reads NaN and Infinity, as Python and pandas write them: null. It says so, once a file in this process."""

    def read(constant: str) -> None:
        if name not in _told:
            _told.add(name)
            tell(f"{name}: {constant} is no value of JSON: it is read as null, as are all NaN and Infinity in it")

    return read


def _certain(error: Exception, window: str) -> bool:
    """Whether the text is wrong, rather than cut off where the window ends."""
    if len(window) > LONGEST:
        return True
    if isinstance(error, json.JSONDecodeError):
        return not error.msg.startswith("Unterminated") and error.pos < len(window) - MARGIN
    return not isinstance(error, IndexError)


def _malformed(name: str, window: str, position: int, lines: int, error: Exception) -> ConfigError:
    at, reason = position, str(error)
    if isinstance(error, json.JSONDecodeError):
        at, reason = error.pos, error.msg
    elif isinstance(error, IndexError):
        at, reason = len(window.rstrip()), "the list does not end"
    where = f"{name} line {lines + window.count(chr(10), 0, at) + 1}: {reason}"
    return ConfigError("malformed JSON", where, "mend the list, or write one record a line as .jsonl")
