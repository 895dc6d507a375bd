"""When an evolved instruction is no good: the checks of Evol-Instruct that need no model, on the text alone.

Xu et al. 2023 (arXiv:2304.12244), section 3.2, "elimination evolving", with further refusals that are in use.
"""

from __future__ import annotations

import re

from tasks.errors import Unusable
from tasks.patterns import pattern
from tasks.text.instructions import cleaned
from tasks.text.languages import BESIDE_ENGLISH, EVERY, either, words_of
from tasks.text.languages.en import EN
from tasks.text.reading.surrounding import bare_evolution
from tasks.text.verdicts.yes_no import is_yes_or_no
from tasks.text.words import nfc, word_count, words

LEAKS = words_of("leaks", EVERY)
REFUSED = (
    ("as_an_ai", pattern(either("as_an_ai", EVERY), re.IGNORECASE)),
    ("apology", pattern(rf"\A\W*(?:{either('apology', EVERY)})", re.IGNORECASE)),
    ("addresses_model", pattern(rf"\A\W*(?:{either('to_the_model', EVERY)})", re.IGNORECASE)),
)
FOR_A_PROMPT = pattern(EN.for_a_prompt, re.IGNORECASE)
FOR_A_PROMPT_ELSEWHERE = pattern(either("for_a_prompt"), re.IGNORECASE)
SORRY_ELSEWHERE = pattern(either("sorry"), re.IGNORECASE)


def _spaced(text: str) -> str:
    return "".join(f"{word} " for word in words(text))


# For the response that says nothing (the third elimination).
STOP_WORDS = frozenset(EN.stop_words.split())
# of the other languages each: a text of stop words alone, once there is a space behind each word
STOP_WORDS_ELSEWHERE = [
    pattern(f"(?>{'|'.join(sorted(map(_spaced, language.stop_words.split()), key=len, reverse=True))})+")
    for language in BESIDE_ENGLISH
]
SORRY_WORDS = 80
VERDICT = rf"(?:(?P<different>{either('different')})|(?P<equal>{either('equal')}))"
VERDICT_ELSEWHERE = pattern(VERDICT)
VERDICT_ALONE = pattern(rf"(?:{either('before_verdict')}|[\W_])*{VERDICT}(?:{either('after_verdict')}|[\W_])*")
SENTENCE_END = pattern(f"[{''.join(language.sentence_ends for language in EVERY)}\n]")
CLAUSE_END = pattern(r"[,，、(（]|\s[-–—]\s")
VERDICTS = {("equal",): True, ("different",): False, ("unequal",): False, ("not", "equal"): False}
WORDS_OF_A_VERDICT = frozenset(("equal", "different", "unequal", "not", "identical"))
AROUND_A_VERDICT = frozenset(words("the two both instructions they are my final verdict answer result conclusion is"))


def evolution_of(current: str, text: str) -> str:
    """The evolved instruction in a completion. Raises Unusable with the reason where it has to be thrown away.

    What `current` says itself is not held against its evolution.
    """
    evolved = _unlabelled(text)
    if not words(evolved):
        raise Unusable("empty")
    if words(evolved) == words(current):
        raise Unusable("unchanged")
    said = nfc(evolved)
    before, after = nfc(current).lower(), said.lower()
    if leak := next((leak for leak in LEAKS if leak in after and leak not in before), None):
        raise Unusable("leaked_prompt", leak)
    if reason := next((reason for reason, saying in REFUSED if saying.search(said)), None):
        raise Unusable(reason)
    if FOR_A_PROMPT.search(evolved) and "prompt" not in before:
        raise Unusable("asks_for_prompt")
    if FOR_A_PROMPT_ELSEWHERE.search(after) and not FOR_A_PROMPT_ELSEWHERE.search(before):
        raise Unusable("asks_for_prompt")
    return evolved


def _unlabelled(text: str) -> str:
    """The text without what stands around it. Line breaks and lists inside it are its own."""
    text = bare_evolution(text)
    return cleaned(text) if "\n" not in text else text


def is_equal(text: str) -> bool:
    """The verdict of the judge on two instructions: True for equal.

    It is the one in all of the text, else what its first line, its last one, or its first sentence says and nothing
    besides. Raises Unusable for anything but one verdict.
    """
    told = tuple(word for word in words(text) if word in WORDS_OF_A_VERDICT)
    lines = [line for line in text.splitlines() if words(line)]
    parts = (tuple(words(part)) for part in (*lines[:1], *lines[-1:], text.split(".")[0]))
    alone = (tuple(word for word in part if word not in AROUND_A_VERDICT) for part in parts)
    verdict = next((VERDICTS[said] for said in (told, *alone) if said in VERDICTS), None)
    if verdict is None and not text.isascii():
        verdict = _is_equal_elsewhere(nfc(text).lower())
    if verdict is None:
        raise Unusable("no_verdict")
    return verdict


def _is_equal_elsewhere(text: str) -> bool | None:
    """The same in the other languages. A first clause counts only where nothing after it says the other verdict."""
    lines = [line for line in text.splitlines() if words(line)]
    sentence = SENTENCE_END.split(text)[0]
    found = [VERDICT_ALONE.fullmatch(part) for part in (text, *lines[:1], *lines[-1:], sentence)]
    if len({said.lastgroup for said in VERDICT_ELSEWHERE.finditer(text)}) == 1:
        found.append(VERDICT_ALONE.fullmatch(CLAUSE_END.split(sentence)[0]))
    return next((said["equal"] is not None for said in found if said), None)


def response_refusal(response: str) -> str | None:
    """Why a response shows that its instruction cannot be answered: a reason, or None."""
    said = words(response)
    if "sorry" in said and len(response.split()) < SORRY_WORDS:
        return "sorry_response"
    if all(word in STOP_WORDS for word in said):
        return "empty_response"
    return None if response.isascii() else _refusal_elsewhere(nfc(response))


def _refusal_elsewhere(response: str) -> str | None:
    if SORRY_ELSEWHERE.search(response) and word_count(response) < SORRY_WORDS:
        return "sorry_response"
    if any(only.fullmatch(_spaced(response)) for only in STOP_WORDS_ELSEWHERE) and not is_yes_or_no(response):
        return "empty_response"
    return None
