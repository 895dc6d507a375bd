"""What instructions ask to be done: verbs and what they are done to, as in the chart of Self-Instruct (arXiv:2212.10560, fig. 3).

The paper parses sentences; here a rule reads them, which knows English alone: the first of `VERBS` in the first words, and
the last word of what stands behind it before a preposition, a conjunction or a mark. Where it finds few, nothing is told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _listed(
    """add analyze answer arrange assign brainstorm build calculate categorize change check choose classify combine come compare complete
    compose compute consider construct continue convert correct count create debug decide define delete demonstrate derive describe
    design detect determine develop devise discuss divide draft draw edit elaborate eliminate estimate evaluate examine expand
    explain express extract fill find finish fix follow formulate gather generate get give guess help highlight identify illustrate
    imagine implement improve include infer insert interpret invent justify label link list locate look make match modify multiply name
    offer optimize order organize outline paraphrase parse pick plan play point predict prepare present produce program propose prove
    provide question rank rate read rearrange recall recommend reduce refactor remove rename reorder repeat rephrase replace reply report
    research respond restate return reverse review revise rewrite round say schedule score select sell send separate show shorten
    simplify simulate solve sort speak specify split state subtract suggest sum summarize take talk teach tell think track transform
    translate turn update use validate verify visualize weigh work write"""
)
BOUNDARIES = _listed(
    """about above according across after against along among and around as at based because before behind being below between but
    by during each except for from given how if in into is are was were like near of off on once or over per since so such than
    that then through till to toward towards under until up upon using versus via what when where whether which while who whom
    whose why with within without you i we they he she will would should could can must may might do does did have has had
    not no out too there here many much each both"""
)
PASSED_OVER = _listed(
    """a an the this that these those my your his her its our their me us him them it one some any all every following given
    please just only also very more most same own new"""
)
FIRST_WORDS, LONGEST_PHRASE = 12, 6
LEAST_SHARE = 0.2
"""Of the instructions: where fewer have a verb and an object, they are not such that the rule reads."""
MOST_VERBS, MOST_NOUNS = 15, 4
_SENTENCE = re.compile(r"[.!?:;\n(\"“]")
_WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*|[^\w\s]|\w+")


@dataclass(frozen=True)
class VerbNouns:
    """Verbs, the most frequent first, each with how often it stands and its most frequent nouns. `read`, of `rows`."""

    rows: int
    read: int
    verbs: list[tuple[str, int, list[tuple[str, int]]]]


def verb_nouns_of(instructions: Iterable[str]) -> VerbNouns | None:
    """The verbs and nouns of instructions; None where the rule reads too few of them."""
    rows, read, by_verb = 0, 0, defaultdict[str, Counter[str]](Counter)
    for text in instructions:
        rows += 1
        found = verb_and_noun(text)
        if found is not None:
            read += 1
            by_verb[found[0]][found[1]] += 1
    if not rows or read < LEAST_SHARE * rows:
        return None
    verbs = sorted(by_verb.items(), key=lambda one: (-one[1].total(), one[0]))[:MOST_VERBS]
    return VerbNouns(rows, read, [(verb, nouns.total(), _most(nouns)) for verb, nouns in verbs])


def verb_and_noun(text: str) -> tuple[str, str] | None:
    """What an instruction asks to be done to what: `write` and `story` of "Write me a short story about a cat."."""
    for sentence in _SENTENCE.split(text[:1_000].lower())[:4]:
        said = _WORD.findall(sentence)
        verb = next((at for at, word in enumerate(said[:FIRST_WORDS]) if word in VERBS), None)
        if verb is None:
            continue
        noun = _object(said[verb + 1 :])
        if noun is not None:
            return said[verb], noun
    return None


def _object(said: list[str]) -> str | None:
    """The last word of the phrase that a verb is followed by, None where there is none."""
    phrase: list[str] = []
    for word in said[:LONGEST_PHRASE]:
        if word in PASSED_OVER and not phrase:
            continue
        if word in BOUNDARIES or word in PASSED_OVER or not word[0].isalpha():
            break
        phrase.append(word)
    return phrase[-1] if phrase and len(phrase[-1]) > 1 and phrase[-1].isascii() else None


def _most(nouns: Counter[str]) -> list[tuple[str, int]]:
    return sorted(nouns.items(), key=lambda one: (-one[1], one[0]))[:MOST_NOUNS]
