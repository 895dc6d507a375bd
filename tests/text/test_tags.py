"""Magpie's tags as judges of real families write them, in four languages."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, get_args

import pytest
import yaml

from tasks.errors import Unusable
from tasks.text.categories import Category
from tasks.text.languages import EVERY
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.templates import render
from tasks.text.verdicts.tags import CATEGORIES, DIFFICULTIES, QUALITIES, category_of, difficulty_of, quality_of

DIFFICULTY: dict[str, tuple[str, str]] = {
    "as asked": ("Intent: to cook rice\nKnowledge: heat, time\nDifficulty: easy", "easy"),
    "bold": ("**Intent:** to cook\n**Knowledge:** heat\n**Difficulty:** **very easy**", "very easy"),
    "bold label and value": ("**Difficulty: Medium**", "medium"),
    "headings": ("### Intent\nto cook\n\n### Knowledge\nheat\n\n### Difficulty\nhard", "hard"),
    "bullets": ("- Intent: to cook\n- Knowledge: heat\n- Difficulty: `very hard`", "very hard"),
    "numbered": ("1. Intent: to cook\n2. Knowledge: heat\n3. Difficulty: hard", "hard"),
    "a preamble": ("Sure! Here is my analysis:\n\nIntent: to cook\nKnowledge: heat\nDifficulty: easy", "easy"),
    "with a reason behind": ("Difficulty: medium (it takes two steps)", "medium"),
    "with a dash": ("Difficulty: hard - it takes calculus", "hard"),
    "a full stop": ("Difficulty: very hard.", "very hard"),
    "capitals": ("DIFFICULTY: VERY EASY", "very easy"),
    "another label": ("Difficulty level: moderate", "medium"),
    "another word": ("Difficulty: very difficult", "very hard"),
    "the grade alone": ("medium", "medium"),
    "the grade alone, bold": ("**hard**.", "hard"),
    "JSON": ('{"intent": "to cook", "knowledge": "heat", "difficulty": "easy"}', "easy"),
    "a JSON fence": (
        '```json\n{\n  "intent": "to cook",\n  "knowledge": ["heat", "time"],\n  "difficulty": "very hard"\n}\n```',
        "very hard",
    ),
    "JSON with talk around it": (
        'Here you are:\n{"difficulty": "hard", "intent": "to cook"}\nI hope this helps.',
        "hard",
    ),
    "thought before": ("<think>Difficulty: hard? No.</think>\nDifficulty: easy", "easy"),
    "said twice alike": ("Difficulty: easy\n\nDifficulty: Easy", "easy"),
    "a table": ("| Difficulty | hard |", "hard"),
    "vi, as asked": ("Intent: nấu cơm\nKnowledge: nhiệt, thời gian\nDifficulty: easy", "easy"),
    "vi, own words": ("Ý định: nấu cơm\nKiến thức: nhiệt\nĐộ khó: trung bình", "medium"),
    "vi, bold": ("**Mục đích:** nấu cơm\n**Kiến thức:** nhiệt\n**Độ khó:** **Rất dễ**", "very easy"),
    "vi, level": ("Mức độ khó: khó", "hard"),
    "vi, very": ("Độ khó: rất khó.", "very hard"),
    "vi, with a reason": ("Độ khó: dễ (chỉ một bước)", "easy"),
    "vi, bullets": ("- Ý định của người dùng: nấu cơm\n- Kiến thức cần có: nhiệt\n- Độ khó: vừa phải", "medium"),
    "vi, JSON": ('{"ý định": "nấu cơm", "kiến thức": "nhiệt", "độ khó": "khó"}', "hard"),
    "vi, English label": ("Difficulty: rất dễ", "very easy"),
    "vi, alone": ("Trung bình", "medium"),
    "vi, a preamble": ("Dưới đây là đánh giá:\n\nMục đích: nấu cơm\nĐộ khó: dễ", "easy"),
    "vi, capitals": ("ĐỘ KHÓ: RẤT KHÓ", "very hard"),
    "zh, as asked": ("Intent: 煮米饭\nKnowledge: 火候、时间\nDifficulty: easy", "easy"),
    "zh, own words": ("意图：煮米饭\n知识：火候\n难度：中等", "medium"),
    "zh, bold": ("**意图：** 煮饭\n**知识：** 火候\n**难度：** **非常简单**", "very easy"),
    "zh, brackets": ("【意图】：煮饭\n【难度】：困难", "hard"),
    "zh, level": ("难度等级：非常困难", "very hard"),
    "zh, traditional": ("難度：簡單", "easy"),
    "zh, with a reason": ("难度：较难（需要微积分）", "hard"),
    "zh, full stop": ("难度：很容易。", "very easy"),
    "zh, JSON": ('{"意图": "煮饭", "知识": "火候", "难度": "中等"}', "medium"),
    "zh, fence": ('```json\n{"intent": "煮饭", "difficulty": "very hard"}\n```', "very hard"),
    "zh, English value": ("难度：medium", "medium"),
    "zh, a preamble": ("好的，分析如下：\n\n用户意图：煮饭\n所需知识：火候\n难度级别：容易", "easy"),
    "ja, as asked": ("Intent: ご飯を炊く\nKnowledge: 火加減、時間\nDifficulty: easy", "easy"),
    "ja, own words": ("意図：ご飯を炊く\n必要な知識：火加減\n難易度：普通", "medium"),
    "ja, bold": ("**意図：** ご飯を炊く\n**知識：** 火加減\n**難しさ：** **とても易しい**", "very easy"),
    "ja, very hard": ("難易度：非常に難しい", "very hard"),
    "ja, with a reason": ("難易度：難しい（微積分が要る）", "hard"),
    "ja, JSON": ('{"意図": "炊飯", "知識": "火加減", "難易度": "簡単"}', "easy"),
    "ja, bullets": ("・利用者の意図：炊飯\n・必要な知識：火加減\n・難易度：困難", "hard"),
    "ja, brackets": ("【難易度】：中程度", "medium"),
    "ja, a preamble": ("はい、次のとおりです。\n\n目的：炊飯\n難しさ：易しい", "easy"),
    "ja, full stop": ("難易度：とても難しい。", "very hard"),
}
QUALITY: dict[str, tuple[str, str]] = {
    "as asked": ("Explanation: clear, but the year is missing.\nQuality: good", "good"),
    "bold": ("**Explanation:** vague.\n\n**Quality:** *poor*", "poor"),
    "Magpie's JSON": ('{"explanation": "clear", "input_quality": "excellent"}', "excellent"),
    "a fence": ('```json\n{"explanation": "cut off", "input_quality": "very poor"}\n```', "very poor"),
    "quality first": ("Quality: average\nReason: it could mean two things.", "average"),
    "heading": ("## Explanation\nclear\n\n## Quality\nExcellent", "excellent"),
    "input quality": ("Input quality: very poor. Nobody can tell.", "very poor"),
    "another word": ("Quality: fair", "average"),
    "alone": ("Good.", "good"),
    "vi": ("Giải thích: rõ ràng.\nChất lượng: tốt", "good"),
    "vi, bold": ("**Nhận xét:** mơ hồ.\n**Chất lượng:** **rất kém**", "very poor"),
    "vi, rank": ("Lý do: đủ ý\nXếp hạng: xuất sắc", "excellent"),
    "vi, average": ("Chất lượng: trung bình (hơi chung chung)", "average"),
    "vi, JSON": ('{"giải thích": "thiếu", "chất lượng": "kém"}', "poor"),
    "zh": ("理由：清楚。\n质量：良好", "good"),
    "zh, bold": ("**说明：** 含糊。\n**质量：** **较差**", "poor"),
    "zh, grade": ("理由：话没说完\n输入质量：非常差", "very poor"),
    "zh, excellent": ("质量等级：优秀。", "excellent"),
    "zh, JSON": ('{"理由": "一般", "质量": "一般"}', "average"),
    "ja": ("理由：はっきりしている。\n品質：良い", "good"),
    "ja, bold": ("**説明：** あいまい。\n**品質：** **悪い**", "poor"),
    "ja, grade": ("理由：途中で切れている\n等級：とても悪い", "very poor"),
    "ja, excellent": ("入力の質：優れている。", "excellent"),
    "ja, JSON": ('{"理由": "漠然", "品質": "普通"}', "average"),
}
CATEGORY: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "as asked": ("Category: math\nOther categories: none", "math", ()),
    "others": (
        "Category: coding\nOther categories: reasoning, data analysis",
        "coding",
        ("reasoning", "data_analysis"),
    ),
    "Magpie's JSON": (
        '{"primary_tag": "Coding & Debugging", "other_tags": ["Reasoning", "Math"]}',
        "coding",
        ("reasoning", "math"),
    ),
    "a fence": ('```json\n{"primary_tag": "Information seeking", "other_tags": []}\n```', "information_seeking", ()),
    "bold": (
        "**Category:** Creative writing\n**Other categories:** Role playing",
        "creative_writing",
        ("role_playing",),
    ),
    "snake": ("Category: advice_seeking\nOther categories: N/A", "advice_seeking", ()),
    "with a reason": ("Category: planning - it asks for steps.\nOther categories: none.", "planning", ()),
    "hyphens": ("Category: role-playing", "role_playing", ()),
    "a third is left out": (
        "Category: math\nOther categories: coding, reasoning, planning",
        "math",
        ("coding", "reasoning"),
    ),
    "its own name is no other": ("Category: math\nOther categories: math, coding", "math", ("coding",)),
    "an unknown other is left out": ("Category: math\nOther categories: cooking, editing", "math", ("editing",)),
    "others on lines": ("Category: math\nOther categories:\n- coding\n- editing", "math", ("coding", "editing")),
    "alone": ("Brainstorming", "brainstorming", ()),
    "Others": ("Category: Others", "other", ()),
    "vi": ("Loại: lập trình\nLoại khác: suy luận", "coding", ("reasoning",)),
    "vi, bold": ("**Loại chính:** Sáng tác\n**Các loại khác:** không", "creative_writing", ()),
    "vi, English": ("Category: math\nOther categories: none", "math", ()),
    "vi, advice": ("Phân loại: xin lời khuyên", "advice_seeking", ()),
    "vi, data": ("Loại: phân tích số liệu", "data_analysis", ()),
    "zh": ("类别：编程\n其他类别：推理、数学", "coding", ("reasoning", "math")),
    "zh, brackets": ("【类别】：创意写作\n【其他类别】：无", "creative_writing", ()),
    "zh, traditional": ("類別：數據分析\n其他類別：沒有", "data_analysis", ()),
    "zh, JSON": ('{"类别": "角色扮演", "其他类别": ["创作"]}', "role_playing", ("creative_writing",)),
    "zh, plan": ("任务类别：规划", "planning", ()),
    "ja": ("種類：プログラミング\nほかの種類：推論、数学", "coding", ("reasoning", "math")),
    "ja, bold": ("**カテゴリ：** 創作\n**その他のカテゴリ：** なし", "creative_writing", ()),
    "ja, advice": ("カテゴリー：相談", "advice_seeking", ()),
    "ja, data": ("分類：データの分析", "data_analysis", ()),
    "ja, JSON": ('{"種類": "ロールプレイ", "ほかの種類": ["創作"]}', "role_playing", ("creative_writing",)),
}
REFUSED: dict[str, tuple[Any, str, str]] = {
    "nothing": (difficulty_of, "", "tag_missing"),
    "no label": (difficulty_of, "This is an easy task for most people.", "tag_missing"),
    "two grades": (difficulty_of, "Difficulty: medium to hard", "tag_unclear"),
    "two grades with a slash": (difficulty_of, "Difficulty: easy/medium", "tag_unclear"),
    "two grades, vi": (difficulty_of, "Độ khó: dễ đến trung bình", "tag_unclear"),
    "two grades, zh": (difficulty_of, "难度：中等到困难", "tag_unclear"),
    "two grades, ja": (difficulty_of, "難易度：普通から難しい", "tag_unclear"),
    "a number": (difficulty_of, "Difficulty: 3/5", "tag_unclear"),
    "a grade that there is not": (difficulty_of, "Difficulty: impossible", "tag_unclear"),
    "the form repeated": (difficulty_of, "Difficulty: one of the five grades", "tag_unclear"),
    "said twice, differently": (difficulty_of, "Difficulty: easy\nDifficulty: hard", "tag_repeated"),
    "part of a word": (quality_of, "Quality: goodness", "tag_unclear"),
    "a grade of the other kind": (quality_of, "Quality: very easy", "tag_unclear"),
    "no category": (category_of, "Category: cooking", "tag_unclear"),
    "a sentence": (category_of, "It is about maths and I would call it so.", "tag_missing"),
    "broken JSON": (category_of, '{"primary_tag": "Math", "other', "tag_missing"),
}


@pytest.mark.parametrize("name", DIFFICULTY)
def test_a_difficulty_is_read(name: str) -> None:
    text, grade = DIFFICULTY[name]
    assert difficulty_of(text).grade == grade
    assert difficulty_of(unicodedata.normalize("NFD", text)).grade == grade
    assert difficulty_of(text.replace("\n", "\r\n")).grade == grade


def test_intent_and_knowledge_are_kept() -> None:
    assert difficulty_of(DIFFICULTY["headings"][0]) == ("to cook", "heat", "hard")
    assert difficulty_of(DIFFICULTY["a JSON fence"][0]) == ("to cook", "heat, time", "very hard")
    assert difficulty_of(DIFFICULTY["ja, own words"][0]) == ("ご飯を炊く", "火加減", "medium")
    assert quality_of(QUALITY["as asked"][0]).explanation == "clear, but the year is missing."
    assert quality_of(QUALITY["vi"][0]).explanation == "rõ ràng."


@pytest.mark.parametrize("name", QUALITY)
def test_a_quality_is_read(name: str) -> None:
    text, grade = QUALITY[name]
    assert quality_of(text).grade == grade
    assert quality_of(unicodedata.normalize("NFD", text)).grade == grade


@pytest.mark.parametrize("name", CATEGORY)
def test_a_category_is_read(name: str) -> None:
    text, category, others = CATEGORY[name]
    assert category_of(text) == (category, others)
    assert category_of(unicodedata.normalize("NFD", text)) == (category, others)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_one_tag_is_unusable(name: str) -> None:
    parse, text, reason = REFUSED[name]
    with pytest.raises(Unusable) as refused:
        parse(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("language", EVERY, ids=lambda language: language.code)
def test_a_language_has_a_word_for_every_tag(language: Any) -> None:
    assert (len(language.difficulties), len(language.qualities), len(language.categories)) == (5, 5, 12)
    for field in ("intent", "knowledge", "difficulty", "quality", "category", "others"):
        assert getattr(language, f"{field}_label")


def test_the_categories_are_those_of_magpies_system_prompts() -> None:
    assert get_args(Category) == CATEGORIES


@pytest.mark.parametrize("language", languages_of(FULL))
@pytest.mark.parametrize(
    ("prompt", "values"), [("difficulty", DIFFICULTIES), ("quality", QUALITIES), ("category", CATEGORIES)]
)
def test_the_prompts_name_the_tags_that_are_read(prompt: str, values: tuple[str, ...], language: str) -> None:
    examples = yaml.safe_load((PROMPTS / FULL / language / "magpie_tags/example.yaml").read_text(encoding="utf-8"))
    system, user = render(Prompts(FULL, language).template(f"magpie_tags/{prompt}"), examples[prompt])
    named = re.findall(r"^([a-z ]+) - ", system["content"], re.MULTILINE)
    assert [name.replace(" ", "_") if prompt == "category" else name for name in named] == list(values)
    assert f"{'Difficulty' if prompt == 'difficulty' else prompt.capitalize()}:" in user["content"]
