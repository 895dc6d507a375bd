"""Two texts with what differs between them marked, word by word: character by character where a script has no spaces."""

from __future__ import annotations

from difflib import SequenceMatcher

from tasks.patterns import pattern

MOST_WORDS = 600
"""Of two texts that are compared."""
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = pattern(rf"\s+|[{_SPACELESS}]\s*|[^\s{_SPACELESS}]+\s*")
Pieces = list[tuple[str, str]]


def marked(one: str, other: str) -> tuple[Pieces, Pieces]:
    """Two texts in pieces that are the "same" in both, or stand in one alone: "del" in the first, "ins" in the second.

    What stands behind the first `MOST_WORDS` words is left out, and counted in a last piece "rest".
    """
    left, right = _WORD.findall(one), _WORD.findall(other)
    sides: tuple[Pieces, Pieces] = ([], [])
    matcher = SequenceMatcher(None, left[:MOST_WORDS], right[:MOST_WORDS], autojunk=False)
    for kind, *at in matcher.get_opcodes():
        for side, words, start, stop, mark in ((0, left, at[0], at[1], "del"), (1, right, at[2], at[3], "ins")):
            if stop > start:
                sides[side].append(("same" if kind == "equal" else mark, "".join(words[start:stop])))
    for pieces, words in zip(sides, (left, right), strict=True):
        if rest := sum(map(len, words[MOST_WORDS:])):
            pieces.append(("rest", f"... ({rest:,} more characters)"))
    return sides
