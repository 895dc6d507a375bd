"""A response that was written anew after a critique: what is taken of the completion, and when it is none."""

from __future__ import annotations

from tasks.errors import Unusable
from tasks.text.reading.wrapping import bare_response
from tasks.text.responses import normalised

MARKS = ("instruction", "response", "advice", "principle", "critique")
OF_PROMPT = tuple(mark for name in MARKS for mark in (f"<{name}>", f"</{name}>"))


def revised_of(before: str, completion: str) -> str:
    """The rewritten response in a completion. Raises Unusable (empty, unchanged, prompt_leak: marks of the prompt)."""
    text = bare_response(completion, before)
    if not text:
        raise Unusable("empty")
    if normalised(text) == normalised(before):
        raise Unusable("unchanged")
    if mark := next((mark for mark in OF_PROMPT if mark in text and mark not in before), None):
        raise Unusable("prompt_leak", mark)
    return text
