"""What a simulated speaker says in one turn: the text of it, and why it is none.

users_turn("User: And in winter?", [...])          # "And in winter?"
users_turn("[END]", [...])                         # None: the conversation is over
users_turn("Sure, I can help you!", [...])         # Unusable: swapped_roles
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tasks.errors import Unusable
from tasks.models.base import Message
from tasks.text.conversation import response_of
from tasks.text.languages import EVERY, either
from tasks.text.responses import normalised
from tasks.text.rouge import rouge_l
from tasks.text.words import nfc, words

END_SIGN = "[END]"
SAYS_END = re.compile(r"[\W_]*END[\W_]*", re.IGNORECASE)
BEHIND = re.compile(r"\s*\[END\][\s.]*\Z", re.IGNORECASE)
USER_LABEL = rf"(?:user|human|{either('user_label', EVERY)})"
ASSISTANT_LABEL = rf"(?:{either('assistant_label', EVERY)}|ai|bot|gpt)"
OWN_LABEL = re.compile(rf"\A[*_#\[ \t]{{0,6}}{USER_LABEL}[*_\] ]{{0,3}}[:：][*_ \t]*", re.IGNORECASE)
TURN_OF_ASSISTANT = re.compile(rf"^[*_#\[ \t]{{0,6}}{ASSISTANT_LABEL}[*_\] ]{{0,3}}[:：]", re.IGNORECASE | re.MULTILINE)
TURN_OF_USER = re.compile(rf"^[*_#\[ \t]{{0,6}}{USER_LABEL}[*_\] ]{{0,3}}[:：]", re.IGNORECASE | re.MULTILINE)
AS_ASSISTANT = re.compile(
    rf"{either('may_i_help', EVERY)}|\b(?:as an ai\b|i(?:['’]m| am) (?:an ai|your assistant))", re.IGNORECASE
)
QUOTES = (('"', '"'), ("“", "”"), ("「", "」"))
MOST_ALIKE = 0.9  # ROUGE-L to a turn that was said before, of the same figures
FIGURES = re.compile(r"\d+")


def users_turn(completion: str, turns: Sequence[Message], *, max_words: int = 200) -> str | None:
    """The user's next turn in a completion; None where the user ends the conversation. `turns`: what was said so far.

    Raises Unusable: empty, too_long, answers_itself (it goes on with the assistant's turn), swapped_roles (it speaks as the
    assistant, or says what the assistant has just said), repeats_turn.
    """
    text = completion.strip()
    if not text:
        raise Unusable("empty")
    if SAYS_END.fullmatch(text):
        if not turns:
            raise Unusable("ended", "nothing was said yet")
        return None
    text = _unquoted(OWN_LABEL.sub("", BEHIND.sub("", text), count=1).strip())
    seen = nfc(text)
    if TURN_OF_ASSISTANT.search(seen) or TURN_OF_USER.search(seen):
        raise Unusable("answers_itself", "there are several turns in it")
    if AS_ASSISTANT.search(seen):
        raise Unusable("swapped_roles", "it speaks as the assistant")
    if not (said := words(text)):
        raise Unusable("empty")
    if len(said) > max_words:
        raise Unusable("too_long", f"{len(said)} words, at most {max_words}")
    return _new_turn(text, "user", turns, _alike)


def assistants_turn(completion: str, turns: Sequence[Message]) -> str:
    """The assistant's turn in a completion. Raises Unusable: empty, answers_itself (it goes on with the user's turn),
    swapped_roles (it says what the user has just said), repeats_turn."""
    text = response_of(completion)
    if TURN_OF_USER.search(nfc(text)):
        raise Unusable("answers_itself", "the user's next turn is in it")
    return _new_turn(text, "assistant", turns, _is_same)


def _new_turn(text: str, role: str, turns: Sequence[Message], same: Callable[[str, str | None], bool]) -> str:
    """The turn of a role, where nobody has said the same. Raises Unusable (repeats_turn, swapped_roles)."""
    for turn in reversed(turns):
        if turn["role"] in ("user", "assistant") and same(text, turn["content"]):
            reason = "repeats_turn" if turn["role"] == role else "swapped_roles"
            raise Unusable(reason, f"it says what the {turn['role']} said")
    return text


def _is_same(one: str, other: str | None) -> bool:
    return bool(other) and normalised(one) == normalised(other or "")


def _alike(one: str, other: str | None) -> bool:
    if not other:
        return False
    short = len(words(one)) < 4  # "Why?" may well come twice in a longer turn, but not as the whole of one
    if short or FIGURES.findall(one) != FIGURES.findall(other):
        return _is_same(one, other)
    return rouge_l(one, other) > MOST_ALIKE


def _unquoted(text: str) -> str:
    for left, right in QUOTES:
        if len(text) > 1 and text.startswith(left) and text.endswith(right) and not {left, right} & set(text[1:-1]):
            return text[1:-1].strip()
    return text
