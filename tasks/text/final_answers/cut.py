r"""Where the final answer of a solution stands: in \boxed{}, behind ####, or behind a label, in any language that we know.

    final_answer(r"So we get \boxed{\frac{1}{2}}.")     # "\frac{1}{2}"
    final_answer("计算可得，答案是12元。")                  # "12元"

The last one counts. A solution that marks none has none: a number that stands somewhere in it is not taken for one.
"""

from __future__ import annotations

import re

from tasks.patterns import pattern
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc

THOUGHT = pattern(r"^.*</think>", re.DOTALL)
BOXED = pattern(r"\\(?:boxed|fbox|framebox)\s*(?=\{)")
HASHES = pattern(r"^[ \t]*####[ \t]*(?!#)(\S[^\n]*)$", re.MULTILINE)
LABEL = pattern(rf"(?:{either('final_answer', EVERY)})[ \t]*", re.IGNORECASE | re.MULTILINE)
SENTENCE_END = pattern(r"(?<=[^\s.])[.!?](?=\s+[A-ZÀ-Ỹ]|\s*$)|[。！？]|\n")
BECAUSE = pattern(either("because", EVERY), re.IGNORECASE)
A_VALUE = pattern(r"[-+]?[$€£¥]?\s?\d[\d.,]*")
LONGEST = 300
"""Characters of an answer: what is longer is a text."""


def final_answer(text: str) -> str | None:
    """The final answer of a solution as it stands there; None where it marks none."""
    said = THOUGHT.sub("", nfc(text)).replace("**", "").replace("__", "")
    found = _boxed(said) or _behind_hashes(said) or _behind_label(said)
    return found if found and len(found) <= LONGEST else None


def reference_answer(text: str) -> str:
    """The answer that a question came with: what stands behind GSM8K's ####, what a solution marks, else all of it."""
    said = nfc(text).strip()
    return _behind_hashes(said) or _boxed(said) or (_behind_label(said) if "\n" in said else None) or said


def _boxed(text: str) -> str | None:
    """What the last box holds."""
    for found in reversed(list(BOXED.finditer(text))):
        depth = 0
        for at in range(found.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0) if text[at - 1] != "\\" else 0
            if depth == 0:
                return text[found.end() + 1 : at].strip() or None
    return None


def _behind_hashes(text: str) -> str | None:
    found = HASHES.findall(text)
    return found[-1].strip() if found else None


def _behind_label(text: str) -> str | None:
    """The sentence behind the last label, from its value on where it has one."""
    found = list(LABEL.finditer(text))
    if not found:
        return None
    rest = text[found[-1].end() :].lstrip()
    end = SENTENCE_END.search(rest)
    said = BECAUSE.split(rest[: end.start()] if end else rest)[0].strip()
    values = list(A_VALUE.finditer(said))
    if len(values) == 1 and values[0].start() and "\\" not in said and "(" not in said[:2]:
        return _from(said, values[0].start())
    return said or None


def _from(said: str, at: int) -> str:
    """The value with what stands behind it. A letter before it (x = 3, B. 12) is part of what is said."""
    before = said[:at]
    return said if re.search(r"(?:^|[^A-Za-z])[A-Za-z][.):]?\s*=?\s*$", before) or len(before) <= 2 else said[at:]
