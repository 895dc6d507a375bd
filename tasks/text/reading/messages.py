"""A message that a model wrote in a user's place, without what stands around it.

written_message('Here is the message:\\n\\n"How long does bread keep?"')    # How long does bread keep?
"""

from __future__ import annotations

from tasks.errors import Unusable
from tasks.text.instructions import cleaned, is_chatter
from tasks.text.reading.wrapping import bare_instruction
from tasks.text.words import words


def written_message(completion: str) -> str:
    """The message in a completion. Raises Unusable (empty, no_message)."""
    text = bare_instruction(completion)
    paragraphs = text.split("\n\n")
    while len(paragraphs) > 1 and is_chatter(paragraphs[0].strip()):
        paragraphs.pop(0)
    text = "\n\n".join(paragraphs).strip()
    text = cleaned(text) if "\n" not in text else text
    if not words(text):
        raise Unusable("no_message" if completion.strip() else "empty")
    return text
