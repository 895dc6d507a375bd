"""An answer that breaks off: in a code block, in a list, in JSON, in the middle of a sentence.

A missing full stop says nothing: titles, lists, poems, code and short answers have none. What no complete answer ends with
does: a comma, an opening bracket, a word such as "and" or "the", a number of a list with nothing behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import Field

from tasks.patterns import pattern
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.languages import EVERY, either
from tasks.text.words import is_spaceless, words

FENCE = pattern(r"[ \t>]*(?:[-*+]|\d{1,3}[.)])?[ \t]*(`{3,}|~{3,})[ \t]*([^`\n]*)$", re.MULTILINE)
JSON = pattern(r"\s*(?:\{\s*\"|\[\s*[\[{\"])")
JSON_TOKEN = pattern(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|"', re.DOTALL)
ENVIRONMENT = pattern(r"^[ \t]*\\(begin|end)\{(\w+)\*?\}", re.MULTILINE)
MARK = pattern(r"(?:\d{1,3}[.)、．]|[(（]\d{1,3}[)）]|[-*•+]|(?:\d{1,3}[.)] |[-*•] )?\*\*[^*]{0,60})")
ITEM = pattern(r"^[ \t]*(?:\d{1,3}[.)、．]|[(（]\d{1,3}[)）]|[-*•+])[ \t]*\S", re.MULTILINE)
SENTENCE_ENDS = "".join(dict.fromkeys("".join(language.sentence_ends for language in EVERY) + ".!?。！？…"))
SENTENCE_END = pattern(rf"[{re.escape(SENTENCE_ENDS)}]+[\"'”’」』)）*_]*(?:\s+|(?<=[。！？；]))")
CLOSERS = "\"'”’»」』)）]】*_`>"
LOOKED_AT = 500  # characters of the last sentence: more are not needed to call it long
COMMAS = (",", "，", "、")
ANNOUNCES = (":", "：")
OPENINGS = ("(", "[", "{", "（", "「", "『", "【", "“", "«")
CODE_SIGNS = pattern(r"[{}=<>;|\\@#$_]|\w\(|//|https?:")
NEVER_LAST = pattern(
    rf"(?<![\w'’-])(?:{either('never_last', [one for one in EVERY if not one.is_spaceless])})$"
    rf"|(?:{either('never_last', [one for one in EVERY if one.is_spaceless])})$"
)
SALUTATION = pattern(rf"[*_#\s]*(?:{either('salutation', EVERY)})", re.IGNORECASE | re.MULTILINE)


class Unfinished(CheckSettings):
    """Answers that break off."""

    min_words: int = Field(
        6,
        ge=1,
        description="words of the last sentence below which its end is not looked at; two Han characters are one",
    )
    sentence_end: bool = Field(
        False, description="prose that ends without a full stop is unfinished too: many good answers have none"
    )


def unfinished(answer: CheckedAnswer, settings: Unfinished) -> Refusal | None:
    """Refuse an answer that breaks off (unfinished), and say where."""
    text = answer.text.rstrip()
    checks: tuple[Callable[[str, Unfinished], str | None], ...] = (
        _open_fence,
        _open_json,
        _open_environment,
        _bare_mark,
        _open_sentence,
    )
    found = next((where for check in checks if (where := check(text, settings))), None)
    return ("unfinished", found) if found else None


def _open_fence(text: str, _settings: Unfinished) -> str | None:
    """A code block without its end. A fence with a language name inside a block opens one within it."""
    if "```" not in text and "~~~" not in text:
        return None
    depth = 0
    for line in text.splitlines():
        if fence := FENCE.match(line):
            depth += 1 if fence[2].strip() or not depth else -1
        elif depth and line.endswith(("```", "~~~")):
            depth -= 1
    return "in a code block" if depth else None


def _open_json(text: str, _settings: Unfinished) -> str | None:
    """JSON that is the whole answer, without its last brackets."""
    if not JSON.match(text):
        return None
    depth = 0
    for token in JSON_TOKEN.finditer(text):
        if token[0] == '"':
            return "in a text of JSON"
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0 and token[0] in "}]":
            return None
    return f"{depth} brackets of JSON open" if depth > 0 else None


def _open_environment(text: str, _settings: Unfinished) -> str | None:
    r"""LaTeX with a \begin that has no \end."""
    if "\\begin" not in text:
        return None
    depth = sum(1 if found[1] == "begin" else -1 for found in ENVIRONMENT.finditer(text))
    last = next(reversed(ENVIRONMENT.findall(text)), ("end", ""))
    return f"in {last[1]} of LaTeX" if depth > 0 and last[0] == "begin" else None


def _bare_mark(text: str, _settings: Unfinished) -> str | None:
    """A last line that holds a list's number or bullet alone, or bold text that does not end."""
    before, _, last = text.rpartition("\n")
    last = last.strip()
    if not MARK.fullmatch(last) or not before:
        return None
    if "**" in last:
        return "in bold text" if before.count("**") >= 4 and before.count("**") % 2 == 0 else None
    return f"at the mark {last!r} of a list" if ITEM.search(before) else None


def _open_sentence(text: str, settings: Unfinished) -> str | None:
    """A last sentence that goes on: by its last sign, or its last word."""
    before, _, line = text.rpartition("\n")
    sentence = list(SENTENCE_END.split(line))[-1].strip()
    if not sentence or CODE_SIGNS.search(sentence) or text.endswith("```") or _weight(sentence) < settings.min_words:
        return None
    if sentence.endswith(COMMAS) and not _is_verse(before) and not SALUTATION.match(text):
        return f"at {sentence[-1]!r}"
    if sentence.endswith((*ANNOUNCES, *OPENINGS)):
        return f"at {sentence[-1]!r}"
    if found := NEVER_LAST.search(sentence):
        return f"at the word {found[0]!r}"
    ended = sentence.rstrip(CLOSERS).endswith((*SENTENCE_ENDS,)) or sentence[-1] in CLOSERS
    return "without the end of a sentence" if settings.sentence_end and not ended else None


def _is_verse(before: str) -> bool:
    """Whether a line before the last one ends with a comma, as lines of a poem do."""
    return any(line.rstrip().endswith(COMMAS) for line in before.splitlines()[-8:])


def _weight(text: str) -> float:
    """How long the end of a text is, in words; a character of a script without spaces is half a word."""
    said = words(text[-LOOKED_AT:])
    return len(said) if text.isascii() else sum(0.5 if is_spaceless(word[0]) else 1 for word in said)
