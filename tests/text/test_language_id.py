from __future__ import annotations

import builtins
import json
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.text import language_id
from tasks.text.language_id import check_identifier, is_foreign, language_of

DATA = Path(__file__).parents[1] / "data"
LANGUAGES = ("en", "vi", "zh", "ja")
WRITTEN = {
    "en": "The water cycle describes how water moves between the sea, the air and the land.",
    "vi": "Vòng tuần hoàn nước mô tả cách nước di chuyển giữa biển, không khí và đất liền.",
    "zh": "水循环描述水如何在海洋、大气和陆地之间移动，太阳的热量推动着这一过程。",
    "ja": "水循環とは、水が海と大気と陸の間を移動する仕組みのことです。",
    "ko": "물의 순환은 물이 바다와 대기와 육지 사이를 어떻게 이동하는지를 설명합니다.",
    "fr": "Le cycle de l'eau décrit comment l'eau circule entre la mer, l'air et la terre.",
    "ru": "Круговорот воды описывает, как вода движется между морем, воздухом и сушей.",
}
identified = pytest.mark.skipif(find_spec("py3langid") is None, reason="needs the extra language")


@identified
@pytest.mark.parametrize("language", WRITTEN)
def test_a_text_is_named_by_its_language_and_foreign_to_the_others(language: str) -> None:
    text = WRITTEN[language]
    assert language_of(text) == language
    assert not is_foreign(text, [language])
    assert [one for one in LANGUAGES if is_foreign(text, [one])] == [one for one in LANGUAGES if one != language]


@identified
@pytest.mark.parametrize("language", ["vi", "ja"])
def test_decomposed_letters_change_nothing(language: str) -> None:
    text = unicodedata.normalize("NFD", WRITTEN[language])
    assert language_of(text) == language
    assert not is_foreign(text, [language])


@identified
def test_texts_of_a_language_are_not_foreign_to_it() -> None:
    tasks = (DATA / "self_instruct/seed_tasks.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {"en": [json.loads(line)["instruction"] for line in tasks]}
    for language in ("vi", "zh", "ja"):
        lines = (DATA / f"passages/{language}.jsonl").read_text(encoding="utf-8").splitlines()
        texts[language] = [sentence for line in lines for sentence in sentences(json.loads(line)["context"])]
    for language, some in texts.items():
        assert len(some) > 10
        assert [text for text in some if is_foreign(text, [language])] == []
        assert [text for text in some if language_of(text) not in (language, None)] == []


def sentences(text: str) -> list[str]:
    return text.replace("。", "。\n").replace(". ", ".\n").splitlines()


@identified
@pytest.mark.parametrize(
    "text",
    [
        "東京都知事選挙管理委員会事務局",
        "国際連合安全保障理事会常任理事国",
        "光合作用",
    ],
    ids=["a long name", "another", "a short one"],
)
def test_han_alone_is_chinese_or_japanese(text: str) -> None:
    assert language_of(text) is None
    assert not is_foreign(text, ["ja"])
    assert not is_foreign(text, ["zh"])


@identified
def test_long_han_alone_is_neither_english_nor_vietnamese() -> None:
    assert is_foreign("東京都知事選挙管理委員会事務局", ["en", "vi"])


@identified
def test_cantonese_counts_as_chinese() -> None:
    text = "粵語係一種語言嚟嘅，喺香港同廣東都有好多人講。"
    assert language_of(text) == "zh"
    assert not is_foreign(text, ["zh"])


@identified
@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "12 * 3 = 36",
        "Paris",
        "def add(first, second):\n    return first + second\n\nprint(add(2, 3))",
        "```python\n# compute the average of all the numbers in the list\nprint(sum(xs) / len(xs))\n```",
        "```\nan open fence with English words in it that never ends",
        "SELECT name, age FROM users WHERE age > 30 ORDER BY name;",
        '#include <stdio.h>\nint main() {\n  printf("hello to all of you");\n  return 0;\n}',
        "https://example.org/a/very/long/path/with/english/words/in/it",
        r"$\text{the sum of all the numbers} = \frac{1}{2}$",
        "- 1\n- 2\n- 3",
    ],
)
def test_code_formulas_and_short_texts_have_no_language(text: str) -> None:
    assert language_of(text) is None
    assert not is_foreign(text, ["vi"])


@identified
def test_what_is_said_around_code_is_judged() -> None:
    text = "Here is the function that you have asked me for:\n```python\nprint(1)\n```"
    assert is_foreign(text, ["vi"])
    assert not is_foreign(text, ["en", "vi"])


@identified
def test_an_expected_language_that_the_identifier_does_not_know_judges_nothing() -> None:
    assert not is_foreign(WRITTEN["en"], ["tlh"])


@identified
def test_a_long_text_takes_no_longer_than_its_beginning() -> None:
    for piece in ("a", "; ", "=", "(", "`", "$", "<a ", "\n", "水"):
        assert isinstance(is_foreign(piece * 2_000_000, ["vi"]), bool)


def test_a_missing_identifier_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("py3langid"):
            raise ImportError(name)
        return real(name, *rest, **more)

    language_id._identifier.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"not installed: py3langid \(pip install \"stillroom\[language\]\"\)"):
        check_identifier()
    language_id._identifier.cache_clear()
