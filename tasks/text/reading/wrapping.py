"""What a model puts around the text that it was asked for: a preamble, a label, a fence, marks, a closing remark.

    bare_instruction("Sure! Here is the rewritten instruction:\\n\\n**Instruction:** Why do cats purr?")    # "Why do cats purr?"
    bare_response("**Improved response:**\\nBoil it slowly.")                                             # "Boil it slowly."

Only what talks about the text is taken off. A response that says "Here are three fruits:" says so to its reader.
"""

from __future__ import annotations

import re

from tasks.patterns import pattern
from tasks.text.languages import either

KINDS = (
    r"(?:instruction|prompt|task|question|request|query|response|answer|reply|version|text|rewrite|revision|message)"
)
NEW = (
    r"(?:new|better|improved|revised|rewritten|evolved|updated|corrected|final|enhanced|refined|created|harder|edited)"
)
PREAMBLE = pattern(
    rf"\W*(?:(?:sure|certainly|of course|absolutely|okay|ok|great|understood)\b[^\n]{{0,20}}[!,.:]\s*)?"
    rf"(?:here(?:['’]s| is|: )|below is|this is|the following is)[^\n]{{0,60}}\b{KINDS}\b[^\n]{{0,80}}:[*_\s]*\n+",
    re.IGNORECASE,
)
GREETING = pattern(
    r"\W*(?:sure|certainly|of course|absolutely|okay|great|understood)\b[^\n]{0,20}[!.][*_ ]*\n+", re.IGNORECASE
)
LABEL = pattern(rf"[\W_]{{0,4}}(?:the )?(?:{NEW} ){{0,2}}{KINDS}[*_#\s]{{0,4}}[:：][*_]*\s*", re.IGNORECASE)
NEW_LABEL = pattern(rf"[\W_]{{0,4}}(?:the )?(?:{NEW} ){{1,2}}{KINDS}[*_#\s]{{0,4}}(?:[:：][*_]*\s*|\n+)", re.IGNORECASE)
PLAIN_LABEL = pattern(r"[*_#\s]{0,6}(?:response|answer)[*_\s]*[:：][*_]*\s*", re.IGNORECASE)
FENCE = pattern(r"```(?:text|markdown|md|plaintext)?[ \t]*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)
MARKS = pattern(r"<(instruction|response|text|advice)>\s*(.*?)\s*</\1>", re.DOTALL)
CLOSING = pattern(
    rf"\W*(?:note|explanation|rationale|changes(?: made)?|word count|added words|what changed)\b\W*[:：]"
    rf"|\W*(?:this|the) {NEW} {KINDS}\b|\W*i(?:['’]ve| have)? (?:added|changed|rewrote|rewritten|revised|kept|made|mended|improved|incorporated)\b(?![^\n]*\?\s*\Z)"
    r"|\W*(?:let me know if|i hope (?:this|that))\b|\W*would you like me to\b",
    re.IGNORECASE,
)
ELSEWHERE = {  # the same in the languages beside English
    "greeting": pattern(rf"\W*(?:{either('greeting')})[!！.。][*_ ]*\n+", re.IGNORECASE),
    "label": pattern(
        rf"[\W_]{{0,4}}(?:(?:{either('new_instruction')}|{either('instruction')})[*_\s]{{0,4}}[:：][*_】]*\s*"
        rf"|(?:{either('new_instruction')})[*_】]*[ \t]*\n+)",
        re.IGNORECASE,
    ),
    "preamble": pattern(
        rf"\W*(?:(?:{either('greeting')})[,，.。!！、]\s*)?(?:{either('here_is')})[^\n:：]{{0,20}}(?:{either('new_response')})"
        r"[^\n:：]{0,20}[:：。][*_\s]*\n+",
        re.IGNORECASE,
    ),
    "new label": pattern(
        rf"[\W_]{{0,4}}(?:{either('new_response')})[*_#\s]{{0,4}}(?:[:：][*_】]*\s*|】?\n+)", re.IGNORECASE
    ),
    "plain label": pattern(rf"[*_#【\s]{{0,6}}(?:{either('response')})[*_\s】]*[:：][*_]*\s*", re.IGNORECASE),
}
CLOSING_ELSEWHERE = pattern(
    rf"\W*(?:{either('closing')}|{either('new_instruction')}|{either('new_response')})", re.IGNORECASE
)
RULE = pattern(r"\n+[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*(?=\n)")


def bare_instruction(text: str) -> str:
    """An instruction without what stands around it."""
    text, before = text.strip(), None
    while text != before:
        before = text
        for wrapper in (GREETING, PREAMBLE, LABEL, ELSEWHERE["greeting"], ELSEWHERE["label"]):
            text = _without(wrapper, text)
        text = _inside(FENCE, _inside(MARKS, text))
    return _unclosed(text)


def bare_response(text: str, *known: str) -> str:
    """A response without what stands around it. What begins one of the `known` texts (the response before) is its own."""
    text, before = text.strip(), None
    while text != before:
        before = text
        elsewhere = (ELSEWHERE[name] for name in ("preamble", "new label", "plain label"))
        for wrapper in (PREAMBLE, NEW_LABEL, PLAIN_LABEL, *elsewhere):
            found = wrapper.match(text)
            if found and not any(one.strip().startswith(found[0].strip()) for one in known):
                text = _without(wrapper, text)
        text = _inside(MARKS, text)
    return text if any(_closes(part) for one in known for part in one.split("\n\n")) else _unclosed(text)


def _without(wrapper: re.Pattern[str], text: str) -> str:
    """The text after this beginning; the text itself where nothing comes after it."""
    found = wrapper.match(text)
    rest = text[found.end() :].strip() if found else ""
    return rest or text


def _inside(wrapper: re.Pattern[str], text: str) -> str:
    """What stands in a wrapper that holds the whole text; the text itself where none does."""
    found = wrapper.fullmatch(text)
    inner = found[wrapper.groups].strip() if found else ""
    return inner or text


def _unclosed(text: str) -> str:
    """The text without remarks on it that come after a blank line."""
    *parts, last = re.split(r"\n\s*\n", text)
    while parts and _closes(last):
        text = text[: text.rstrip().rfind(last)].rstrip()
        text = text.rstrip("-*_ \n") if RULE.search(f"{text}\n") and text.endswith(("---", "***", "___")) else text
        *parts, last = re.split(r"\n\s*\n", text)
    return text


def _closes(paragraph: str) -> bool:
    """Whether a paragraph speaks of the text and is no part of it."""
    return CLOSING.match(paragraph) is not None or CLOSING_ELSEWHERE.match(paragraph) is not None
