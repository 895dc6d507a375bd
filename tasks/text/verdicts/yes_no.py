"""Yes and no in the languages beside English.

said_yes("答案：是，这是分类任务。")     # True
said_yes("Có thể")                        # None
"""

from __future__ import annotations

import re

from tasks.text.languages import either
from tasks.text.words import nfc

YES_OR_NO = re.compile(
    rf"\W*(?:(?:{either('before_answer')})[*_\s]*(?:[:：]|(?<=\n))\W*)?(?:(?P<no>{either('no')})|(?P<yes>{either('yes')}))"
    r"(?=[ \t*_]*(?:[^\w\s]|$))",
    re.IGNORECASE | re.MULTILINE,
)


def said_yes(text: str) -> bool | None:
    """Whether a text begins with yes, after a label at most; None where it begins with neither yes nor no."""
    found = YES_OR_NO.match(nfc(text))
    return found and found["no"] is None


def is_yes_or_no(text: str) -> bool:
    """Whether a text says yes or no and nothing else."""
    found = YES_OR_NO.match(nfc(text))
    return found is not None and not any(map(str.isalnum, nfc(text)[found.end() :]))
