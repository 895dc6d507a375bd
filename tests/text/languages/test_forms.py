"""Every verdict in twenty and more forms that judges of real families write, in each of our languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tasks.generate.self_instruct_instances import is_yes
from tasks.text.evolution import is_equal
from tasks.text.verdicts.ranks import criteria_of, ranks_of
from tasks.text.verdicts.ratings import overall_of
from tasks.text.verdicts.tags import category_of, difficulty_of, quality_of


class Words(NamedTuple):
    """A language as a judge speaks it; `stop`: how it ends a sentence."""

    hello: str
    colon: str
    stop: str
    because: str
    rating: str
    reason: str
    difficulty: str
    hard: str
    quality: str
    good: str
    category: str
    coding: str
    answer: str
    yes: str
    no: str
    verdict: str
    equal: str
    different: str
    variant: str
    points: str
    criterion: str


LANGUAGES = {
    "en": Words(
        *("Sure, here is my judgement:", ": ", ".", "it takes two steps", "Rating", "Reason", "Difficulty", "hard"),
        *("Quality", "good", "Category", "coding", "Answer", "yes", "no", "Verdict", "equal", "different"),
        *("Instruction", " points", "Criterion"),
    ),
    "vi": Words(
        *("Vâng, sau đây là đánh giá của tôi:", ": ", ".", "phải qua hai bước", "Điểm", "Lý do", "Độ khó", "khó"),
        *("Chất lượng", "tốt", "Loại", "lập trình", "Trả lời", "có", "không", "Kết luận", "giống nhau", "khác nhau"),
        *("Yêu cầu", " điểm", "Tiêu chí"),
    ),
    "zh": Words(
        *("好的，我的判断如下：", "：", "。", "需要两步", "评分", "理由", "难度", "困难"),
        *("质量", "良好", "类别", "编程", "答案", "是", "否", "结论", "相同", "不同"),
        *("指令", "分", "标准"),
    ),
    "ja": Words(
        *("はい、判定は次のとおりです。", "：", "。", "手順が二つあります", "評価", "理由", "難易度", "難しい"),
        *("品質", "良い", "カテゴリー", "プログラミング", "回答", "はい", "いいえ", "結論", "同じ", "異なる"),
        *("指示", "点", "基準"),
    ),
}
Form = Callable[[Words, str, str], str]  # words, a label, its value
LABELLED: dict[str, Form] = {
    "plain": lambda w, label, value: f"{label}{w.colon}{value}",
    "half-width colon": lambda _, label, value: f"{label}: {value}",
    "full-width colon": lambda _, label, value: f"{label}：{value}",
    "reason first": lambda w, label, value: f"{w.reason}{w.colon}{w.because}{w.stop}\n{label}{w.colon}{value}",
    "reason behind": lambda w, label, value: f"{label}{w.colon}{value}\n{w.reason}{w.colon}{w.because}{w.stop}",
    "bold label": lambda w, label, value: f"**{label}{w.colon.strip()}** {value}",
    "bold label, colon outside": lambda w, label, value: f"**{label}**{w.colon}{value}",
    "bold line": lambda w, label, value: f"**{label}{w.colon}{value}**",
    "bold value": lambda w, label, value: f"{label}{w.colon}**{value}**",
    "heading, value below": lambda _, label, value: f"### {label}\n\n{value}",
    "heading with colon": lambda w, label, value: f"## {label}{w.colon.strip()}\n{value}",
    "bullet": lambda w, label, value: f"- {label}{w.colon}{value}",
    "star bullet, bold": lambda w, label, value: f"* **{label}**{w.colon}{value}",
    "quoted": lambda w, label, value: f"> {label}{w.colon}{value}",
    "code": lambda w, label, value: f"{label}{w.colon}`{value}`",
    "quotation marks": lambda w, label, value: f'{label}{w.colon}"{value}"',
    "a preamble": lambda w, label, value: f"{w.hello}\n\n{label}{w.colon}{value}",
    "a full stop": lambda w, label, value: f"{label}{w.colon}{value}{w.stop}",
    "a reason in brackets": lambda w, label, value: f"{label}{w.colon}{value} ({w.because})",
    "thought before": lambda w, label, value: f"<think>\n{w.because}{w.stop}\n</think>\n\n{label}{w.colon}{value}",
    "JSON": lambda _, label, value: f'{{"{label}": "{value}"}}',
    "JSON with a reason": lambda w, label, value: f'{{"{w.reason}": "{w.because}", "{label}": "{value}"}}',
    "a JSON fence": lambda _, label, value: f'```json\n{{\n  "{label}": "{value}"\n}}\n```',
    "Windows line ends": lambda w, label, value: f"{w.reason}{w.colon}{w.because}\r\n{label}{w.colon}{value}\r\n",
    "blank lines around": lambda w, label, value: f"\n\n  {label}{w.colon}{value}  \n\n",
    "said twice alike": lambda w, label, value: f"{label}{w.colon}{value}\n\n{label}{w.colon}{value}",
}
ALONE: dict[str, Form] = {
    "alone": lambda _, __, value: value,
    "capital": lambda _, __, value: value.capitalize(),
    "alone, full stop": lambda w, _, value: f"{value}{w.stop}",
    "alone, bold": lambda _, __, value: f"**{value}**",
    "alone, quoted": lambda _, __, value: f'"{value}"',
    "alone, then why": lambda w, _, value: f"{value}{w.stop}\n\n{w.because}{w.stop}",
    "with a comma, then why": lambda w, _, value: f"{value}{'、' if w.stop == '。' else ', '}{w.because}{w.stop}",
}
YES_OR_NO = ALONE | {
    name: form
    for name, form in LABELLED.items()
    if not name.startswith(("JSON", "a JSON", "reason first", "Windows", "a preamble", "said"))
}


def read_alike(read: Callable[[str], Any], text: str) -> Any:
    """What is read of a text, however its letters are composed."""
    assert read(unicodedata.normalize("NFD", text)) == read(text)
    return read(text)


in_each_language = pytest.mark.parametrize("language", LANGUAGES)
in_each_form = pytest.mark.parametrize("form", LABELLED)


@in_each_form
@in_each_language
def test_a_rating(language: str, form: str) -> None:
    words = LANGUAGES[language]
    for value in ("4", f"4{words.points}", "4/5", "４"):
        assert read_alike(lambda text: overall_of(text).rating, LABELLED[form](words, words.rating, value)) == 4


@in_each_form
@in_each_language
def test_the_tags(language: str, form: str) -> None:
    words, written = LANGUAGES[language], LABELLED[form]
    assert read_alike(lambda text: difficulty_of(text).grade, written(words, words.difficulty, words.hard)) == "hard"
    assert read_alike(lambda text: quality_of(text).grade, written(words, words.quality, words.good)) == "good"
    assert read_alike(lambda text: category_of(text).category, written(words, words.category, words.coding)) == "coding"
    assert difficulty_of(written(words, "Difficulty", "very hard")).grade == "very hard", "as the prompts have them"


@pytest.mark.parametrize("form", YES_OR_NO)
@in_each_language
def test_yes_and_no(language: str, form: str) -> None:
    words, written = LANGUAGES[language], YES_OR_NO[form]
    assert read_alike(is_yes, written(words, words.answer, words.yes)) is True
    assert read_alike(is_yes, written(words, words.answer, words.no)) is False


@pytest.mark.parametrize("form", YES_OR_NO)
@in_each_language
def test_equal_and_different(language: str, form: str) -> None:
    words, written = LANGUAGES[language], YES_OR_NO[form]
    assert read_alike(is_equal, written(words, words.verdict, words.equal)) is True
    assert read_alike(is_equal, written(words, words.verdict, words.different)) is False


@in_each_form
@in_each_language
def test_scores_of_several(language: str, form: str) -> None:
    words, written = LANGUAGES[language], LABELLED[form]
    if form.startswith(("said", "JSON with", "reason", "Windows", "a preamble", "thought", "heading")):
        blocks = f"{words.variant} 1\n{written(words, words.rating, '2')}\n\n{words.variant} 2\n{written(words, words.rating, '6')}"
        if form.startswith(("JSON", "a preamble", "thought")):
            blocks = f"{written(words, f'{words.variant} 1', '2')}\n{words.variant} 2{words.colon}6"
            if form == "JSON with a reason":
                blocks = f'{{"{words.variant} 1": {{"{words.reason}": "{words.because}", "{words.rating}": 2}}, "{words.variant} 2": {{"{words.rating}": 6}}}}'
    elif "JSON" in form:
        inner = f'{{"{words.variant} 1": "2", "{words.variant} 2": 6}}'
        blocks = f"```json\n{inner}\n```" if "fence" in form else inner
    else:
        blocks = "\n".join(written(words, f"{words.variant} {n}", value) for n, value in ((1, "2"), (2, "6")))
    assert read_alike(lambda text: ranks_of(text, 2), blocks) == [2, 6]


@in_each_form
@in_each_language
def test_ratings_by_criteria(language: str, form: str) -> None:
    words, written = LANGUAGES[language], LABELLED[form]
    if "JSON" in form:
        pytest.skip("its names are keys: tests/text/test_ranks.py")
    blocks = "\n\n".join(f"{words.criterion} {n}\n{written(words, words.rating, str(n))}" for n in (1, 2))
    found = read_alike(lambda text: criteria_of(text, ["correct", "clear"]), blocks)
    assert [verdict.rating for verdict in found.values()] == [1, 2]
