"""In which language a text is written, by an identifier whose weights come in its wheel (py3langid, 139 languages).

    pip install "stillroom[language]"

What it cannot know is not guessed: code, formulas and short texts have no language, and Han characters alone are Chinese
or Japanese. A language that is expected gets the benefit of the doubt: a text is foreign to it where another one leads by
far. Measured: of 175 English instructions and 1,169 Vietnamese, Chinese and Japanese sentences and lines of prompts one is
foreign to its own language (a line of code); to another one 90 to 99 % are, fewest of Chinese against Japanese.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Protocol, cast

from tasks.errors import ConfigError
from tasks.patterns import pattern
from tasks.text.words import is_spaceless, nfc

FEWEST_LETTERS = 20
"""Below, a text is not judged. Signs of scripts without spaces between words count as two letters each."""
FEWEST_IN_LINE = 50
"""The same for a line by itself: a heading, a list of names and a short quotation are not judged."""
MOST_READ = 10_000
"""Characters from the start of a text."""
LEAD = 3.0
"""By how much (in nats) the likeliest language has to lead over the next one to be named."""
FOREIGN_LEAD = 20.0
"""By how much it has to lead over each expected one for a text to be foreign."""
ONE_WRITING = {"wuu": "zh", "yue": "zh", "pcm": "en"}
"""Wu and Cantonese, in short Chinese texts seen for Mandarin; Nigerian Pidgin likewise in English ones."""
NO_LANGUAGE = "zxx"
HAN_ALONE = frozenset({"zh", "ja"})

NOT_PROSE = pattern(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\$\$.*?\$\$|\$[^$\n]*\$|</?[a-zA-Z][^<>\n]*>", re.DOTALL)
CODE_LINE = pattern(
    r"^[ \t]*(?:(?:def|class|import|return|elif|except|raise|yield|public|private|static|#include|func|fn)\b"
    r"|from [\w.]+ import\b|(?:if|for|while|with|else|try)\b[^\n]*:[ \t]*$|(?:const|let|var)\s+\w+\s*="
    r"|(?:SELECT|INSERT INTO|UPDATE|CREATE TABLE|ALTER TABLE)\b|[{}()\[\]]|//|/\*|>>> |\$ )[^\n]*$"
    r"|^[^\n]*[{}][ \t]*$|^(?=[^\n]*[=(])[^\n]*;[ \t]*$|^[ \t]*[\w.\[\]]+(?:\([^\n]*\)|[ \t]*[-+*/]?=[^\n]*)$",
    re.MULTILINE,
)
HAN = pattern(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
KANA = pattern(r"[\u3041-\u309f\u30a1-\u30fa\u31f0-\u31ff\uff66-\uff9f]")
LETTER = pattern(r"[^\W\d_]")


class Identifier(Protocol):
    """What we need of the library."""

    def rank(self, instance: str) -> list[tuple[str, float]]:
        """Each language with its log-likelihood, most likely first."""


def check_identifier() -> None:
    """Raise ConfigError where the identifier is not installed."""
    _identifier()


def language_of(text: str) -> str | None:
    """The language that a text is written in (ISO 639, "zh" for all Chinese), None where that cannot be told.

    Raises ConfigError where the identifier is not installed.
    """
    prose = _prose(text)
    if not prose or _is_han_alone(prose):
        return None if not prose or _may_be_japanese(prose) else "zh"
    (best, first), (_, second) = list(_scores(prose).items())[:2]
    return best if best != NO_LANGUAGE and first - second > LEAD else None


def is_foreign(text: str, languages: Collection[str]) -> bool:
    """Whether a text is written in a language that is none of these: False where that cannot be told for sure.

    Raises ConfigError where the identifier is not installed.
    """
    prose = _prose(text)
    if not prose:
        return False
    if _is_han_alone(prose):
        return HAN_ALONE.isdisjoint(languages) or ("zh" not in languages and not _may_be_japanese(prose))
    scores = _scores(prose)
    best = next(iter(scores))
    known = [scores[language] for language in languages if language in scores]
    return best != NO_LANGUAGE and bool(known) and scores[best] - max(known) > FOREIGN_LEAD


def foreign_line(text: str, languages: Collection[str]) -> str | None:
    """The first line of a text that is foreign to these languages, whatever the text is as a whole; None without one.

    Small models fall back into English after a paragraph. Of 1,867 English answers to GSM8K and IFEval none that is
    English as a whole has such a line. Raises ConfigError where the identifier is not installed.
    """
    lines = NOT_PROSE.sub(" ", nfc(text[:MOST_READ])).splitlines()
    return next((line for line in lines if _letters(line) >= FEWEST_IN_LINE and is_foreign(line, languages)), None)


def _prose(text: str) -> str:
    """A text without its code, formulas, addresses and tags; "" where too little is left to say anything of it."""
    prose = CODE_LINE.sub("\n", NOT_PROSE.sub(" ", nfc(text[:MOST_READ])))
    return prose if _letters(prose) >= FEWEST_LETTERS else ""


def _letters(text: str) -> int:
    return sum(1 + is_spaceless(one[0]) for one in LETTER.finditer(text))


def _scores(prose: str) -> dict[str, float]:
    """How likely each language is, the likeliest first."""
    scores: dict[str, float] = {}
    for language, score in _identifier().rank(prose):
        scores.setdefault(ONE_WRITING.get(language, language), float(score))
    return scores


def _is_han_alone(prose: str) -> bool:
    """Whether most letters are Han characters, and none is kana."""
    return not KANA.search(prose) and 2 * len(HAN.findall(prose)) > len(LETTER.findall(prose))


def _may_be_japanese(prose: str) -> bool:
    """Whether Han characters are all (but for one) in use in Japanese: those of its national standard (JIS X 0208)."""
    return sum(not _is_in_jis(character) for character in set(HAN.findall(prose))) < 2


def _is_in_jis(character: str) -> bool:
    try:
        character.encode("shift_jis")
    except UnicodeEncodeError:
        return False
    return True


@cache
def _identifier() -> Identifier:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        fix = 'pip install "stillroom[language]"'
        raise ConfigError("the language identifier is not installed", "py3langid", fix) from error
    return cast(Identifier, LanguageIdentifier.from_model_file(MODEL_FILE))
