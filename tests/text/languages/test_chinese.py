"""The full prompts in Chinese: simplified characters, full-width punctuation, no stray English, and no usual words as leaks."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.generate.basic_prompting import TOPICS
from tasks.generate.self_instruct import SelfInstruct, self_instruct
from tasks.judge.critique import Critique, critique
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.text.leaks import own_runs, runs_of
from tasks.text.prompts import FULL, PROMPTS, Prompts
from tasks.text.templates import render
from tasks.text.words import words
from tests.rows import a_row

ZH = Prompts(FULL, "zh")
NAMES = ZH.names()
PASSAGES = Path(__file__).parents[2] / "data" / "passages" / "zh.jsonl"
HAN = "\u3400-\u9fff"
READ_BY_PARSERS = frozenset(
    words(
        """task input output label none classification yes no equal different response reason rating errors world
        itself merits clear useful concise n a instruction criterion correct complete safe intent knowledge difficulty
        very easy medium hard explanation quality poor average good excellent category other categories information
        seeking reasoning planning editing coding math data analysis role playing creative writing advice brainstorming
        met essential important optional pitfall answerable question passage answer evidence critique broken verdict
        unsafe user assistant violence weapons crime minors hate self harm sexual privacy deception dangerous boxed end assert
        name system topics personas shortest gap"""
    )
)
MARKS = re.compile(
    r"</?(?:instruction|response|text|advice|reference|input|conditions|passage|question|principle|critique|conversation|piece|task)"
    r"(?: \d+)?>|^(?:User|Assistant):|渡轮\.md",
    re.MULTILINE,
)
CODE = re.compile(r"```[\s\S]*?```|`[^`\n]*`|^(?: |def ).*$", re.MULTILINE)
TECHNICAL = re.compile(r"AI|Python|None|JSON|XML|CSV|def digits.*\n.*|\b[KTZ]\d+|\d+P\b|\bP = ")
WORDS_OR_NUMBERS = (
    "evol_instruct/equal",
    "self_instruct_instances/classification",
    "deita_complexity/rank",
    "deita_quality/rank",
    "deita_complexity/score",
    "deita_quality/score",
    "magpie_tags/category",
    "code_tasks/tests",
)
POOL: Any = [{"text": "四，因为二加二等于四。"}, {"text": "五。"}]


def shown(name: str) -> list[str]:
    technique, short = name.split("/")
    examples = yaml.safe_load((PROMPTS / FULL / "zh" / technique / "example.yaml").read_text(encoding="utf-8"))
    return [message["content"] for message in render(ZH.template(name), examples[short])]


def models_of(*answers: str) -> Models:
    member = Member(ScriptedModel(list(answers)), ModelConfig(name="m"))
    return Models({"generator": [member]}, Context(prompts=ZH, max_attempts=1))


@pytest.mark.parametrize("name", NAMES)
def test_latin_words_are_those_that_parsers_read_and_technical_names(name: str) -> None:
    text = TECHNICAL.sub("", MARKS.sub("", CODE.sub("", "\n".join(shown(name)))))
    assert {word.lower() for word in re.findall("[A-Za-z]+", text)} <= READ_BY_PARSERS


@pytest.mark.parametrize("name", NAMES)
def test_characters_are_simplified_and_punctuation_beside_them_is_full_width(name: str) -> None:
    text = "\n".join(shown(name))
    "".join(re.findall(f"[{HAN}]", text)).encode("gb2312")  # which has no traditional forms
    assert not re.findall(rf"""[{HAN}][,.;:?!()"']|[;?!()"'][{HAN}]""", without_table(text))


def without_table(text: str) -> str:
    """Without what is no prose: lines of a table, the name of a file."""
    return re.sub(r"^(?:车次|[KTZ]\d+),.*$|渡轮\.md", "", text, flags=re.MULTILINE)


def test_the_words_that_are_drawn_are_chinese_and_as_many_as_the_english_ones() -> None:
    lists = ZH.lists("basic_prompting")
    assert len(set(lists["topics"])) == len(TOPICS)
    for text in (text for texts in lists.values() for text in texts):
        assert re.search(f"[{HAN}]", text) and text.encode("gb2312")


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_whose_answer_is_prose_asks_for_chinese(name: str) -> None:
    system = shown(name)[0]
    word = name in WORDS_OR_NUMBERS
    assert ("用中文写" in system) is not word


USUAL = (
    "居家办公有哪些优点和缺点？",
    "解释病毒和细菌的区别，并各举一个例子。",
    "把下面的句子翻译成英语：猫坐在垫子上。",
    "用不超过三句话概括下面这段文字。",
    "用一句话给出光合作用的定义。",
    "请给出三个理由，说明小店为什么应该有自己的网站。",
    "下面这条评论是正面的还是负面的？只用一个词回答。",
    "比较这两张表格，列出所有不同的行。",
    "用 Python 写一个函数，返回列表中第二大的数。",
    "请一步一步地说明怎样更换轮胎，并说明每一步的原因。",
    "请改写这封邮件，语气要礼貌，不超过一百个字。",
    "根据以下材料，分析这家企业亏损的原因，并提出改进建议。",
    "请用通俗易懂的语言向小学生解释什么是通货膨胀。",
    "讨论人工智能助手对中学生学习的利与弊。",
    "假如你是一名面试官，你会问应聘者哪些问题？",
    "请列出五种常见的蔬菜，并说明它们各自的营养价值。",
    "判断下面的说法是否正确，并说明理由：水总是在一百度沸腾。",
    "一个水池有两个进水管，两管同时打开需要多长时间才能注满？",
    "分析王熙凤的性格特点，并从原文中举例说明。",
    "请检查这段代码有没有错误，并给出修改后的代码。",
    "从气候、地形和水源三个方面说明长江三角洲为什么适合种水稻。",
    "请以表格的形式列出三种编程语言的特点。",
    "写一篇六百字以上的记叙文，题目自拟。",
    "请把摄氏三十七度换算成华氏度，并写出计算过程。",
    "通货膨胀的原因有哪些？它们之间如何相互影响？",
    "回答中提到的数据没有来源，应当删去或注明出处。",
    "第二句与第一句相互矛盾，应该改成同一种说法。",
)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ultrafeedback/")])
def test_what_people_usually_ask_and_say_is_no_leak(name: str) -> None:
    assert not [run for text in USUAL for run in runs_of(text) if run in own_runs(name, ZH)]


def passages() -> list[str]:
    return [json.loads(line)["context"] for line in PASSAGES.read_text(encoding="utf-8").splitlines()]


def test_the_passages_are_three_of_150_to_300_characters() -> None:
    assert [150 <= len(passage) <= 300 for passage in passages()] == [True] * 3


@pytest.mark.parametrize("passage", passages(), ids=["geography", "physics", "history"])
def test_requests_are_drawn_from_a_chinese_passage(passage: str) -> None:
    answer = "以下是三条请求：\n\n1. 为什么华北的雨季比华南来得晚？\n2、给外地朋友写两句话，说说这件事的用处。\n（3）试比较它与水车有什么不同。"
    rows = asyncio.run(self_instruct(a_row(context=passage), models_of(answer), SelfInstruct(queries=3)))
    assert [row["instruction"] for row in rows] == [
        "为什么华北的雨季比华南来得晚？",
        "给外地朋友写两句话，说说这件事的用处。",
        "试比较它与水车有什么不同。",
    ]


def test_a_chinese_critic_may_speak_in_the_words_of_its_rubric() -> None:
    advice = "1. “五”不符合事实，没有做到指令的要求，还缺少提问的人需要的内容。改成“四”，并写明是怎么加的。"
    row = a_row(instruction="2 + 2 等于几？", response="五。")
    [child] = asyncio.run(critique(row, models_of(advice, "二加二等于四。"), Critique()))
    assert [one["critique"] for one in child["responses"]] == [advice, None]


def test_ratings_with_chinese_reasons_are_read() -> None:
    answer = (
        "Response 1\nErrors: none\nReason: 找不出任何错误，计算也对。\nRating: 5\n\n"
        "Response 2\nErrors: world, itself\nReason: 二加二不等于五，与客观事实不符。\nRating：1"
    )
    row = a_row(instruction="2 + 2 等于几？", responses=POOL)
    [child] = asyncio.run(ultrafeedback(row, models_of(*[answer] * 4), UltraFeedback(aspects="paper")))
    assert sorted(one["score"] for one in child["responses"]) == [1, 5] and not row.losses
    assert any("与客观事实不符" in rating["rationale"] for one in child["responses"] for rating in one["ratings"])
