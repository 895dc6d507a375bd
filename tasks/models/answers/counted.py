"""How many tokens a text has, where nobody has counted them: about how many, and how many it has at least.

Both go by characters and script, since each tokenizer counts in another way.
"""

from __future__ import annotations

from collections.abc import Iterable

from tasks.models.base import Request
from tasks.patterns import pattern

CHARS_A_TOKEN = 4  # of text with spaces between its words
UNSPACED = pattern(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
LONGEST_PIECE = 16  # letters: no tokenizer takes more of a word at once, on the average of a text
UNSPACED_A_TOKEN = 3  # signs, on the average of a text, at the most


def request_texts(request: Request) -> list[str]:
    """What is said to the model."""
    if request.messages is None:
        return [request.prompt or request.embed or ""]
    return [content for message in request.messages if isinstance(content := message["content"], str)]


def about_tokens(texts: Iterable[str]) -> int:
    """About how many tokens texts have."""
    total = 0.0
    for text in texts:
        unspaced = 0 if text.isascii() else len(UNSPACED.findall(text))
        total += (len(text) - unspaced) / CHARS_A_TOKEN + unspaced
    return max(1, round(total)) if total else 0


def least_tokens(texts: Iterable[str]) -> float:
    """How many tokens texts have at least: one a word, and one for every few signs of a script without spaces."""
    total = 0.0
    for text in texts:
        unspaced = 0
        if not text.isascii():
            text, unspaced = UNSPACED.subn(" ", text)
        words = text.split()
        longest = sum(len(word) // LONGEST_PIECE for word in words if len(word) > LONGEST_PIECE and word.isalnum())
        total += len(words) + longest + unspaced / UNSPACED_A_TOKEN
    return total
