"""When an evolved instruction is no good: the checks of Evol-Instruct that need no model, on the text alone.

Xu et al. 2023 (arXiv:2304.12244), section 3.2, "elimination evolving", with further refusals that are in use.
"""

from __future__ import annotations

import re

from tasks.errors import Unusable
from tasks.generate.instructions import cleaned
from tasks.text.words import words

LABEL = re.compile(r"[#*_\s]*(?:rewritten |new )?(?:instruction|prompt)[#*_\s]*[:：][*_]*\s*", re.IGNORECASE)
# Words of a rewriting prompt, ours or another: nobody asks like that.
LEAKS = (
    "given prompt", "rewritten prompt", "created prompt", "new prompt", "original prompt", "#rewritten", "#given",
    "given instruction", "rewritten instruction", "original instruction", "the new instruction",
    "constraint or requirement", "steps of reasoning", "multi-step reasoning", "multiple-step reasoning",
    "at most 20 words", "keep its tables", "similar length and difficulty",
)  # fmt: skip
AS_AN_AI = re.compile(r"\bas an? (?:ai|artificial intelligence|language model)\b", re.IGNORECASE)
APOLOGY = re.compile(
    r"\W*(?:(?:i['’]?m|i am) (?:\w+ )?(?:sorry|unable|not able)|sorry\b|apologies\b|my apologies|i apologi[sz]e"
    r"|unfortunately,? i\b|i (?:can['’]?t|cannot|can not|won['’]?t) (?:help with|assist|rewrite|create|fulfil))",
    re.IGNORECASE,
)
TO_THE_MODEL = re.compile(
    r"\W*(?:ai|dear|hey|hi|hello)?\s*(?:ai )?(?:assistant|chatbot|chatgpt|gpt-?\d)\s*[,:]", re.IGNORECASE
)
FOR_A_PROMPT = re.compile(
    r"\b(?:create|write|provide|generate|give|make|need|craft|suggest|design)\b[^.?!]{0,20}\bprompts?\b"
    r"(?! (?:response|reply|answer|action|attention|service|and)\b)",
    re.IGNORECASE,
)
# English function words, for the response that says nothing (the third elimination).
STOP_WORDS = frozenset(
    words(
        """a about above after again against all also am an and any are as at be because been before being below between
        both but by can could did do does doing don down during each few for from further had has have having he her
        here hers herself him himself his how i if in into is it its itself just ll m may me might more most must my
        myself no nor not now of off on once only or other our ours ourselves out over own re s same shall she should
        so some such t than that the their theirs them themselves then there these they this those through to too
        under until up us ve very was we were what when where which while who whom why will with would you your yours
        yourself yourselves"""
    )
)
SORRY_WORDS = 80


def evolution_of(current: str, text: str) -> str:
    """The evolved instruction in a completion. Raises Unusable with the reason where it has to be thrown away.

    What `current` says itself is not held against its evolution.
    """
    evolved = _unlabelled(text)
    if not words(evolved):
        raise Unusable("empty")
    if words(evolved) == words(current):
        raise Unusable("unchanged")
    before, after = current.lower(), evolved.lower()
    if leak := next((leak for leak in LEAKS if leak in after and leak not in before), None):
        raise Unusable("leaked_prompt", leak)
    for reason, pattern in (("as_an_ai", AS_AN_AI), ("apology", APOLOGY), ("addresses_model", TO_THE_MODEL)):
        if pattern.search(evolved) if reason == "as_an_ai" else pattern.match(evolved):
            raise Unusable(reason)
    if FOR_A_PROMPT.search(evolved) and "prompt" not in before:
        raise Unusable("asks_for_prompt")
    return evolved


def _unlabelled(text: str) -> str:
    """The text without a label before it and quotes around it. Line breaks and lists inside it are its own."""
    text = LABEL.sub("", text.strip(), count=1) if LABEL.match(text.strip()) else text.strip()
    return cleaned(text) if "\n" not in text else text.strip()


def is_equal(text: str) -> bool:
    """The verdict of the judge on two instructions: True for equal. Raises Unusable for anything but one verdict."""
    verdict = [word for word in words(text) if word in ("equal", "different", "unequal", "not", "identical")]
    if verdict == ["equal"]:
        return True
    if verdict in (["different"], ["unequal"], ["not", "equal"]):
        return False
    raise Unusable("no_verdict")


def response_refusal(response: str) -> str | None:
    """Why a response shows that its instruction cannot be answered: a reason, or None."""
    said = words(response)
    if "sorry" in said and len(response.split()) < SORRY_WORDS:
        return "sorry_response"
    if all(word in STOP_WORDS for word in said):
        return "empty_response"
    return None
