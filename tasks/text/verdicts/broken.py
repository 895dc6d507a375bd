"""Whether a response breaks a principle, as its critic says it: the critique, then the verdict on a line of its own.

broken_of("Critique: It calls the reader lazy.\\nBroken: yes")     # Broken(True, "It calls the reader lazy.")
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tasks.errors import Unusable
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc

VERDICT = re.compile(
    rf"^[\W_]*broken[\W_]*[:：][\W_]*(?:(?P<no>{either('no', EVERY)})|(?P<yes>{either('yes', EVERY)}))(?=[^\w]|_|$)",
    re.IGNORECASE | re.MULTILINE,
)
LABEL = re.compile(r"\A[\W_]*critique[*_\s]*[:：][*_]*\s*", re.IGNORECASE)


class Broken(NamedTuple):
    """Whether the principle is broken, and what the critic says of it."""

    is_broken: bool
    critique: str


def broken_of(completion: str) -> Broken:
    """The verdict in a completion, the last where there are several that agree. Raises Unusable (no_verdict, two_verdicts,
    no_critique: broken, and nothing said of how)."""
    text = nfc(completion)
    found = list(VERDICT.finditer(text))
    if not found:
        raise Unusable("no_verdict")
    said = {one["no"] is None for one in found}
    if len(said) > 1:
        raise Unusable("two_verdicts")
    before = LABEL.sub("", text[: found[0].start()]).strip()
    critique = before or LABEL.sub("", text[found[-1].end() :].lstrip(" .。*_\n")).strip()
    if said == {True} and not critique:
        raise Unusable("no_critique")
    return Broken(said == {True}, critique)
