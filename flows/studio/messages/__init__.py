"""What the studio says, in English, Vietnamese, Chinese and Japanese.

`t("Rows")` in a template gives the words of the reader's language. English is the key; `<language>/*.yaml` beside this
file have the others, a file for each part of the studio. What has no entry is said in English.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

LANGUAGES = {"en": "English", "vi": "Tiếng Việt", "zh": "中文", "ja": "日本語"}
FOLDER = Path(__file__).parent

Translate = Callable[..., str]


@cache
def table_of(language: str) -> dict[str, str]:
    """The words of a language by the English ones."""
    found: dict[str, str] = {}
    for file in sorted((FOLDER / language).glob("*.yaml")):
        found |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return found


def translator(language: str) -> Translate:
    """Says English words in a language; `{name}` in them stands for what is given by that name."""
    words = table_of(language)

    def translate(english: str, **values: object) -> str:
        text = words.get(english, english)
        return text.format_map({name: str(value) for name, value in values.items()}) if values else text

    return translate


def choose_reader_language(chosen: str | None, accepted: str) -> str:
    """The language that a reader has chosen, else the first of the browser's (`Accept-Language`) that there is."""
    if chosen in LANGUAGES:
        return chosen
    for part in accepted.split(","):
        code = part.partition(";")[0].strip().lower().partition("-")[0]
        if code in LANGUAGES:
            return code
    return "en"
