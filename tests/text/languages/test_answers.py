"""Yes and no, worked examples, and what stands around answers, in Vietnamese, Chinese and Japanese."""

from __future__ import annotations

import unicodedata

import pytest

from tasks.errors import Unusable
from tasks.generate.evol_quality import better_of
from tasks.generate.magpie import user_turn
from tasks.generate.self_instruct_instances import instances_of, is_yes
from tasks.judge.critique import critique_of
from tasks.text.reading.wrapping import bare_response
from tests.publish.test_brought_along import brought_along

YES_OR_NO = [
    ("是", True),
    ("是的。", True),
    ("**是**", True),
    ("答案：是", True),
    ("是否为分类任务：是", True),
    ("是，这是一个分类任务。", True),
    ("对。", True),
    ("属于", True),
    ("否", False),
    ("不是。", False),
    ("不，这是生成任务。", False),
    ("**答案：** 否", False),
    ("Có", True),
    ("Có.", True),
    ("**Có**", True),
    ("Đúng vậy.", True),
    ("Trả lời: có", True),
    ("Có, đây là bài toán phân loại.", True),
    ("Không", False),
    ("Không phải.", False),
    ("Không, đây là bài viết.", False),
    ("Câu trả lời: không", False),
    (unicodedata.normalize("NFD", "Không."), False),
    ("はい", True),
    ("はい。", True),
    ("「はい」", True),
    ("回答：はい", True),
    ("はい、分類タスクです。", True),
    ("そうです。", True),
    ("いいえ", False),
    ("いいえ、違います。", False),
    ("**いいえ**", False),
    ("答え：いいえ", False),
    ("Yes（是）", True),
]


@pytest.mark.parametrize(("text", "yes"), YES_OR_NO, ids=[text for text, _ in YES_OR_NO])
def test_yes_and_no(text: str, yes: bool) -> None:
    assert is_yes(text) is yes


@pytest.mark.parametrize(
    "text",
    [
        "是否",
        "可能",
        "对于这个任务，很难说。",
        "不一定",
        "是非题",
        "Có thể",
        "Có lẽ",
        "Không chắc",
        "たぶん",
        "はいと言えない",
        "分かりません",
    ],
)
def test_neither_is_asked_for_again(text: str) -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        is_yes(text)


INSTANCES = {
    "zh": ("输入：甲\n输出：乙", [("甲", "乙")]),
    "zh, bold": ("**输入：** 甲\n**输出：** 乙", [("甲", "乙")]),
    "zh, headings": ("### 输入\n甲\n\n### 输出\n乙", [("甲", "乙")]),
    "zh, lenticular": ("【输入】甲\n【输出】乙", [("甲", "乙")]),
    "zh, numbered": ("示例1：\n输入：甲\n输出：乙\n示例2：\n输入：丙\n输出：丁", [("甲", "乙"), ("丙", "丁")]),
    "zh, none": ("输入：无\n输出：乙", [("", "乙")]),
    "zh, none needed": ("输入：（不需要输入）\n输出：乙", [("", "乙")]),
    "zh, labels": ("标签：垃圾邮件\n输入：甲\n标签：正常\n输入：乙", [("甲", "垃圾邮件"), ("乙", "正常")]),
    "zh, English labels": ("Input: 甲\nOutput: 乙", [("甲", "乙")]),
    "vi": ("Đầu vào: a\nĐầu ra: b", [("a", "b")]),
    "vi, bold": ("**Đầu vào:** a\n**Đầu ra:** b", [("a", "b")]),
    "vi, numbered": ("Ví dụ 1:\nĐầu vào: a\nĐầu ra: b\nVí dụ 2:\nĐầu vào: c\nĐầu ra: d", [("a", "b"), ("c", "d")]),
    "vi, none": ("Đầu vào: không có\nĐầu ra: b", [("", "b")]),
    "vi, none needed": ("Đầu vào: (không cần)\nĐầu ra: b", [("", "b")]),
    "vi, labels": (
        "Nhãn: thư rác\nĐầu vào: a\nNhãn: bình thường\nĐầu vào: b",
        [("a", "thư rác"), ("b", "bình thường")],
    ),
    "vi, decomposed": (unicodedata.normalize("NFD", "Đầu vào: a\nĐầu ra: b"), [("a", "b")]),
    "ja": ("入力：甲\n出力：乙", [("甲", "乙")]),
    "ja, bullets": ("・入力：甲\n・出力：乙", [("甲", "乙")]),
    "ja, headings": ("### 入力：\n甲\n\n### 出力：\n乙", [("甲", "乙")]),
    "ja, numbered": ("例1：\n入力：甲\n出力：乙\n例2：\n入力：丙\n出力：丁", [("甲", "乙"), ("丙", "丁")]),
    "ja, none": ("入力：なし\n出力：乙", [("", "乙")]),
    "ja, labels": ("ラベル：迷惑\n入力：甲\nラベル：通常\n入力：乙", [("甲", "迷惑"), ("乙", "通常")]),
    "ja, within a text": ("入力：次の入力は何ですか\n出力：出力の例です", [("次の入力は何ですか", "出力の例です")]),
}


@pytest.mark.parametrize(("text", "found"), INSTANCES.values(), ids=INSTANCES.keys())
def test_the_examples_of_a_task(text: str, found: list[tuple[str, str]]) -> None:
    assert instances_of(text) == found


BROUGHT = {
    "zh, greeting": ("当然可以，猫很满足。", ["greeting"]),
    "zh, label": ("**回答：** 猫很满足。", ["label"]),
    "zh, confidence": ("猫很满足。\n\n置信度：95%", ["confidence"]),
    "zh, offer": ("猫很满足。\n\n希望以上内容对您有所帮助！", ["offer"]),
    "vi, greeting": ("Chắc chắn rồi! Mèo hài lòng.", ["greeting"]),
    "vi, another greeting": ("Tất nhiên, mèo hài lòng.", ["greeting"]),
    "vi, polite greeting": ("Vâng, mèo hài lòng.", ["greeting"]),
    "vi, label": ("Câu trả lời: Mèo hài lòng.", ["label"]),
    "vi, bold label": ("**Trả lời:** Mèo hài lòng.", ["label"]),
    "vi, another label": ("Đáp án: B", ["label"]),
    "vi, confidence": ("Mèo hài lòng.\n\nĐộ tin cậy: 95%", ["confidence"]),
    "vi, confidence in words": ("Mèo hài lòng.\n**Mức độ tự tin:** cao", ["confidence"]),
    "vi, offer": ("Mèo hài lòng.\n\nHy vọng câu trả lời này hữu ích cho bạn!", ["offer"]),
    "vi, another offer": ("Mèo hài lòng. Nếu bạn cần thêm thông tin, hãy cho tôi biết!", ["offer"]),
    "vi, do not hesitate": ("Mèo hài lòng.\n\nĐừng ngần ngại hỏi tôi nhé.", ["offer"]),
    "vi, all": (
        "Trả lời: Hài lòng.\nĐộ tin cậy: 90%\n\nHy vọng điều này giúp ích cho bạn!",
        ["label", "confidence", "offer"],
    ),
    "vi, decomposed": (unicodedata.normalize("NFD", "Chắc chắn rồi! Mèo hài lòng."), ["greeting"]),
    "vi, sure of it": ("Chắc chắn mèo hài lòng.", []),
    "vi, obedience": ("Vâng lời là một đức tính.", []),
    "vi, hope in a letter": ("Tôi hy vọng được gặp bạn.\n\nThân, An", []),
    "vi, an answer with answers": ("Có ba điều:\n- Trả lời: 1", []),
    "ja, greeting": ("もちろんです！猫は満足しています。", ["greeting"]),
    "ja, label": ("答え：満足しているからです。", ["label"]),
    "ja, offer": ("満足しています。\n\n他にご質問があればお気軽にお尋ねください。", ["offer"]),
}


@pytest.mark.parametrize(("answer", "found"), BROUGHT.values(), ids=BROUGHT.keys())
def test_what_an_answer_brings_along_is_known(answer: str, found: list[str]) -> None:
    assert brought_along("Vì sao mèo kêu?", answer) == found


SAID = {"zh": "用小火煮。\n\n搅拌两次。", "vi": "Đun nhỏ lửa.\n\nKhuấy hai lần.", "ja": "弱火で煮る。\n\n二回混ぜる。"}
AROUND = {
    "zh": (
        "{}",
        "改进后的回答：\n{}",
        "**改进后的回答：**\n\n{}",
        "### 修改后的回答\n\n{}",
        "【优化后的回答】\n{}",
        "回答：{}",
        "以下是改进后的回答：\n\n{}",
        "好的，这是修改后的版本：\n\n{}",
        "<response>\n{}\n</response>",
        "{}\n\n修改说明：加了火候。",
        "{}\n\n---\n\n**改动内容：** 加了火候。",
        "{}\n\n希望以上内容对您有所帮助！",
    ),
    "vi": (
        "{}",
        "Câu trả lời đã cải thiện:\n{}",
        "**Câu trả lời được cải thiện:**\n\n{}",
        "### Phản hồi mới\n\n{}",
        "Câu trả lời: {}",
        "Dưới đây là câu trả lời đã được cải thiện:\n\n{}",
        "Chắc chắn rồi! Đây là phản hồi đã chỉnh sửa:\n\n{}",
        "<response>\n{}\n</response>",
        "{}\n\nGhi chú: đã thêm mức lửa.",
        "{}\n\n---\n\n**Thay đổi:** thêm mức lửa.",
        "{}\n\nHy vọng câu trả lời này hữu ích cho bạn!",
    ),
    "ja": (
        "{}",
        "改善された回答：\n{}",
        "**改善後の回答：**\n\n{}",
        "### 修正版\n\n{}",
        "回答：{}",
        "以下が改善した回答です：\n\n{}",
        "承知しました。こちらが修正後の回答です。\n\n{}",
        "<response>\n{}\n</response>",
        "{}\n\n変更点：火加減を加えた。",
        "{}\n\n---\n\n**補足：** 火加減を加えた。",
        "{}\n\nお役に立てれば幸いです。",
    ),
}


@pytest.mark.parametrize(
    ("language", "form"),
    [(language, form) for language, forms in AROUND.items() for form in forms],
    ids=lambda told: told.replace("\n", " "),
)
def test_a_response_is_freed_of_what_stands_around_it(language: str, form: str) -> None:
    assert bare_response(form.format(SAID[language])) == SAID[language]


@pytest.mark.parametrize(
    "text",
    [
        "以下是三种水果：\n\n- 梨\n- 桃",
        "请注意：火不要太大。\n\n注意安全。",
        "回答问题前先看题。\n\n希望大家都能学会。",
        "Dưới đây là ba loại quả:\n\n- lê\n- đào",
        "Đun nhỏ lửa.\n\nLưu ý: không đậy nắp.",
        "Phản hồi nhanh là quan trọng.\n\nHy vọng là động lực.",
        "以下は三つの果物です：\n\n- 梨\n- 桃",
        "回答を急がないこと。\n\n注意：火を弱くする。",
    ],
)
def test_a_response_keeps_what_it_says_to_its_reader(text: str) -> None:
    assert bare_response(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "缺少日期。评分：3",
        "总体得分：4分\n缺少日期。",
        "Thiếu ngày.\nĐiểm: 3",
        "評価：3\n日付がない。",
        "缺少日期，3/5",
    ],
)
def test_a_critique_with_a_score_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="scored"):
        critique_of(text)


@pytest.mark.parametrize(
    "text", ["评分标准没有说明。", "Điểm yếu: thiếu ngày.", "評価の基準がない。", "2020年的日期缺少3个。"]
)
def test_a_critique_that_speaks_of_ratings_has_none(text: str) -> None:
    assert critique_of(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "你好！有什么可以帮您的吗？",
        "您好，请问有什么我可以帮助您的？",
        "我能为您做些什么？",
        "Xin chào! Tôi có thể giúp gì cho bạn?",
        "Bạn cần tôi hỗ trợ gì hôm nay?",
        "こんにちは！何かお手伝いできることはありますか？",
        "本日はどのようなご用件でしょうか？",
    ],
)
def test_a_model_that_speaks_as_the_assistant_is_no_user(text: str) -> None:
    with pytest.raises(Unusable, match="greeting"):
        user_turn(text)


@pytest.mark.parametrize(
    "text",
    ["什么食物可以帮助睡眠？", "Tôi có thể giúp con học toán bằng cách nào?", "母の家事を手伝うコツはありますか？"],
)
def test_a_user_may_speak_of_help(text: str) -> None:
    assert user_turn(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("抱歉，我无法改写这个回答。", "apology"),
        ("作为一个人工智能语言模型，我没有看法。", "apology"),
        ("Xin lỗi, tôi không thể viết lại.", "apology"),
        ("Là một mô hình ngôn ngữ, tôi không có ý kiến.", "apology"),
        ("申し訳ありませんが、書き直せません。", "apology"),
        ("这是原来的水果：改进后的回答如上。", "prompt_leak"),
        ("Quả lê ngon, như câu trả lời đã cải thiện.", "prompt_leak"),
        ("梨はおいしい。以上、改善後の回答。", "prompt_leak"),
    ],
)
def test_a_rewrite_that_is_none_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        better_of("x", "y", text)


@pytest.mark.parametrize(
    "text", ["写道歉信时先说抱歉。", "Thư xin lỗi nên ngắn.", "「申し訳ない」と言う。", "他的回答改进了。"]
)
def test_a_rewrite_may_speak_of_apologies(text: str) -> None:
    assert better_of("x", "y", text) == text


@pytest.mark.parametrize(
    "text",
    ["。" * 100_000, "答案：" * 20_000, "**" * 50_000 + "。"],
    ids=lambda text: repr(text[:3]),
)
def test_no_text_takes_long_to_read(text: str) -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        is_yes(text)
