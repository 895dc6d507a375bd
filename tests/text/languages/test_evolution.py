"""Evolved instructions, verdicts of the equality judge and responses in Vietnamese, Chinese and Japanese."""

from __future__ import annotations

import unicodedata

import pytest

from tasks.errors import Unusable
from tasks.text.evolution import evolution_of, is_equal, response_refusal

BEFORE = {"zh": "说出三种水果。", "vi": "Kể tên ba loại quả.", "ja": "果物を三つ挙げてください。"}
AFTER = {
    "zh": "说出五种能浮在水上的水果，并解释原因。",
    "vi": "Kể tên năm loại quả nổi trên mặt nước và giải thích vì sao.",
    "ja": "水に浮く果物を五つ挙げ、その理由を説明してください。",
}
AROUND: dict[str, tuple[str, ...]] = {
    "zh": (
        "{}",
        "指令：{}",
        "新指令：{}",
        "改写后的指令：\n{}",
        "**改写后的指令：**\n\n{}",
        "**改写后的问题**：{}",
        "### 重写后的指令\n\n{}",
        "### 新的指令：\n{}",
        "【改写后的指令】\n{}",
        "优化后的提示词：{}",
        "好的，以下是改写后的指令：\n\n{}",
        "当然可以！这是更新后的问题：\n{}",
        "好的！\n\n{}",
        "“{}”",
        "「{}」",
        "**{}**",
        "```\n{}\n```",
        "改写后的指令：\n```text\n{}\n```",
        "<instruction>\n{}\n</instruction>",
        "{}\n\n（我增加了一个限制条件。）",
        "{}\n\n注：增加了一个条件。",
        "{}\n\n**修改说明：** 增加了原因。",
        "{}\n\n---\n\n改动说明：要求解释原因。",
        "{}\n\n希望这个改写对您有帮助！",
        "{}\n\n改写后的指令增加了推理步骤。",
    ),
    "vi": (
        "{}",
        "Câu lệnh: {}",
        "Yêu cầu mới: {}",
        "Câu lệnh viết lại:\n{}",
        "**Câu hỏi đã được viết lại:**\n\n{}",
        "**Yêu cầu mới**: {}",
        "### Câu lệnh mới\n\n{}",
        "Phiên bản mới: {}",
        "Chỉ dẫn được cải tiến:\n{}",
        "Chắc chắn rồi! Dưới đây là câu lệnh đã được viết lại:\n\n{}",
        "Đây là phiên bản viết lại của câu hỏi:\n{}",
        "Vâng, đây là yêu cầu mới: {}",
        "Chắc chắn rồi!\n\n{}",
        '"{}"',
        "“{}”",
        "**{}**",
        "```\n{}\n```",
        "Câu lệnh mới:\n```text\n{}\n```",
        "<instruction>\n{}\n</instruction>",
        "{}\n\n(Tôi đã thêm một ràng buộc.)",
        "{}\n\nTôi đã thêm yêu cầu giải thích để tăng độ khó.",
        "{}\n\nGhi chú: đã thêm một điều kiện.",
        "{}\n\n**Giải thích thay đổi:** thêm lý do.",
        "{}\n\nHy vọng phiên bản này phù hợp với bạn!",
        "{}\n\nCâu lệnh mới yêu cầu suy luận nhiều hơn.",
    ),
    "ja": (
        "{}",
        "指示：{}",
        "新しい指示：{}",
        "書き換え後の指示：\n{}",
        "**書き換えた指示：**\n\n{}",
        "**改良後の質問**：{}",
        "### 新しい指示文\n\n{}",
        "【書き換え後の指示】\n{}",
        "修正版：{}",
        "改善されたプロンプト：{}",
        "承知しました。以下が書き換えた指示です：\n\n{}",
        "はい、こちらが書き換え後の質問です。\n{}",
        "承知しました。\n\n{}",
        "「{}」",
        "『{}』",
        "**{}**",
        "```\n{}\n```",
        "新しい指示：\n```text\n{}\n```",
        "<instruction>\n{}\n</instruction>",
        "{}\n\n（制約を一つ追加しました。）",
        "{}\n\n注：条件を追加しました。",
        "{}\n\n**変更点：** 理由を求めるようにした。",
        "{}\n\n---\n\n補足：難易度を上げました。",
        "{}\n\nお役に立てれば幸いです。",
        "{}\n\n書き換え後の指示では推論が必要です。",
    ),
}


@pytest.mark.parametrize(
    ("language", "form"),
    [(language, form) for language, forms in AROUND.items() for form in forms],
    ids=lambda told: told.replace("\n", " "),
)
def test_the_evolution_is_cut_out_of_a_completion(language: str, form: str) -> None:
    assert evolution_of(BEFORE[language], form.format(AFTER[language])) == AFTER[language]


REFUSED: list[tuple[str, str]] = [
    ("指令：", "empty"),
    ("说出三种水果", "unchanged"),
    ("请根据给定的指令写出更难的版本。", "leaked_prompt"),
    ("改写后的指令要求说出五种水果。", "leaked_prompt"),
    ("说出五种水果，需要多步推理。", "leaked_prompt"),
    ("作为一个人工智能语言模型，我来说出五种水果。", "as_an_ai"),
    ("作为AI助手，说出五种水果。", "as_an_ai"),
    ("身为大语言模型，请说出五种水果。", "as_an_ai"),
    ("抱歉，我无法改写这个指令。", "apology"),
    ("很抱歉，这个问题我不能回答。", "apology"),
    ("对不起，我不能这样做。", "apology"),
    ("我无法协助完成这个请求。", "apology"),
    ("AI助手，请说出五种水果。", "addresses_model"),
    ("你好，ChatGPT，哪五种水果能浮起来？", "addresses_model"),
    ("请写一个关于水果的提示词。", "asks_for_prompt"),
    ("Câu lệnh:", "empty"),
    ("Viết lại câu lệnh đã cho cho khó hơn.", "leaked_prompt"),
    ("Câu lệnh được viết lại yêu cầu năm loại quả.", "leaked_prompt"),
    ("Kể năm loại quả, cần suy luận nhiều bước.", "leaked_prompt"),
    ("Yêu cầu gốc hỏi ba loại quả, nay hỏi năm.", "leaked_prompt"),
    ("Là một mô hình ngôn ngữ, tôi kể năm loại quả.", "as_an_ai"),
    ("Với tư cách là một AI, hãy kể năm loại quả.", "as_an_ai"),
    ("Xin lỗi, tôi không thể làm điều đó.", "apology"),
    ("Rất tiếc, tôi không thể viết lại câu này.", "apology"),
    ("Tôi rất xin lỗi nhưng tôi không biết.", "apology"),
    ("Tôi không thể hỗ trợ yêu cầu này.", "apology"),
    ("Trợ lý AI, hãy kể năm loại quả.", "addresses_model"),
    ("Chào ChatGPT, năm loại quả nào nổi?", "addresses_model"),
    ("Hãy viết một câu lệnh cho AI về các loại quả.", "asks_for_prompt"),
    (unicodedata.normalize("NFD", "Xin lỗi, tôi không thể làm điều đó."), "apology"),
    ("指示：", "empty"),
    ("果物を三つ、挙げてください", "unchanged"),
    ("与えられた指示をもっと難しくしてください。", "leaked_prompt"),
    ("書き換え後の指示は果物を五つ求める。", "leaked_prompt"),
    ("果物を五つ。複数段階の推論が必要。", "leaked_prompt"),
    ("AI言語モデルとして、果物を五つ挙げます。", "as_an_ai"),
    ("私は人工知能なので、果物を五つ挙げます。", "as_an_ai"),
    ("申し訳ありませんが、お答えできません。", "apology"),
    ("申し訳ございません。その指示は書き換えられません。", "apology"),
    ("残念ながら、お手伝いできません。", "apology"),
    ("AIアシスタントさん、果物を五つ挙げて。", "addresses_model"),
    ("ChatGPT、水に浮く果物は？", "addresses_model"),
    ("果物についてのプロンプトを作成してください。", "asks_for_prompt"),
]


def verdict(text: str, current: str) -> str | None:
    try:
        evolution_of(current, text)
    except Unusable as loss:
        return loss.reason
    return None


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text for text, _ in REFUSED])
def test_a_failed_evolution_is_refused(text: str, reason: str) -> None:
    assert verdict(text, next((one for one in BEFORE.values() if one[:3] == text[:3]), "x")) == reason


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("写一封为弄丢水果而道歉的信。", "写一封信。"),
        ("用英语怎么说“对不起”？", "用英语怎么说“谢谢”？"),
        ("我无法入睡，有哪些食物可以帮助睡眠？", "有哪些食物可以帮助睡眠？"),
        ("作为一名教师，你会怎样讲解人工智能？", "怎样讲解人工智能？"),
        ("解释给定的指令两次。", "解释给定的指令。"),
        ("写两个画图的提示词。", "写一个画图的提示词。"),
        ("注：以下为谜语。什么东西有钥匙却没有锁？", "出一个谜语。"),
        ("问题出在哪里，怎样解决？", "怎样解决？"),
        ("Viết thư xin lỗi khách hàng vì giao nhầm quả.", "Viết thư cho khách hàng."),
        ("Tôi không thể ngủ được, nên ăn gì?", "Nên ăn gì để dễ ngủ?"),
        ("Là một giáo viên, bạn giải thích trí tuệ nhân tạo ra sao?", "Giải thích trí tuệ nhân tạo."),
        ("Yêu cầu hoàn tiền trong 7 ngày thì cần giấy tờ gì?", "Hoàn tiền cần giấy tờ gì?"),
        ("Câu hỏi nào về quả là khó nhất?", "Câu hỏi về quả."),
        ("すみません、駅はどこですか。英語でどう言いますか？", "駅はどこですか。"),
        ("教師として、人工知能をどう説明しますか？", "人工知能をどう説明しますか？"),
        ("指示された量の砂糖を減らす方法は？", "砂糖を減らす方法は？"),
        ("質問が多い会議を短くするには？", "会議を短くするには？"),
        ("プロンプトを二つ作成してください。", "プロンプトを一つ作成してください。"),
    ],
)
def test_an_evolution_is_not_refused_for_what_it_does_not_say(text: str, current: str) -> None:
    assert evolution_of(current, text) == text


VERDICTS: list[tuple[str, bool]] = [
    ("相同", True),
    ("相等。", True),
    ("**等同**", True),
    ("结论：相同", True),
    ("判断：**相同**", True),
    ("### 结论\n相同", True),
    ("两条指令相同。", True),
    ("这两个指令是等价的。", True),
    ("相同。两者要求的内容一致，没有任何不同。", True),
    ("不同", False),
    ("不同。", False),
    ("**不相同**", False),
    ("不同，因为第二条增加了解释的要求。", False),
    ("不相等。第二条要求更多。", False),
    ("第二条增加了限制，第一条没有。\n\n**结论：** 不同", False),
    ("答案：「不同」", False),
    ("这两条指令不一样。", False),
    ("Kết luận: giống nhau", True),
    ("Giống nhau.", True),
    ("**Tương đương**", True),
    ("Hai câu lệnh giống nhau.", True),
    ("bằng nhau", True),
    ("Giống nhau. Cả hai đều hỏi cùng một điều, không có gì khác nhau.", True),
    ("Khác nhau", False),
    ("**Khác nhau.**", False),
    ("Không giống nhau.", False),
    ("không tương đương", False),
    ("khác", False),
    ("Khác nhau, vì câu thứ hai yêu cầu giải thích.", False),
    ("Câu thứ hai thêm một giới hạn.\n\nKết luận: khác nhau", False),
    (unicodedata.normalize("NFD", "Khác nhau"), False),
    ("同じ", True),
    ("同じです。", True),
    ("**同等**", True),
    ("結論：等しい", True),
    ("二つの指示は同じです。", True),
    ("判定：「同じ」", True),
    ("等しい。どちらも同じことを聞いており、異なる点はない。", True),
    ("異なる", False),
    ("異なります。", False),
    ("**異なる**", False),
    ("違う", False),
    ("同じではない。", False),
    ("等しくない", False),
    ("異なる。二つ目は理由も求めている。", False),
    ("二つ目は制約を加えている。\n\n結論：異なる", False),
    ("equal（相同）", True),
    ("different。第二条要求更多。", False),
]


@pytest.mark.parametrize(("text", "equal"), VERDICTS, ids=[text for text, _ in VERDICTS])
def test_the_verdict_of_the_judge(text: str, equal: bool) -> None:
    assert is_equal(text) is equal


@pytest.mark.parametrize(
    "text",
    [
        "是的。",
        "相同或不同",
        "第一条：相同。第二条：不同。",
        "相同，但第二条其实不同。",
        "没有不同",
        "并非不同。",
        "这两条指令要求相同的格式，但主题需要再看。",
        "giống nhau hay khác nhau",
        "Không khác nhau lắm",
        "Câu thứ hai không yêu cầu điều gì khác",
        "同じか違うか",
        "同じ形式を求めているが、まだ判断できない。",
        "違わない",
    ],
)
def test_anything_but_one_verdict_is_asked_for_again(text: str) -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        is_equal(text)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("抱歉，我不知道。", "sorry_response"),
        ("对不起，我无法回答这个问题。", "sorry_response"),
        ("對不起，我無法回答。", "sorry_response"),
        ("抱歉" + "。猫" * 78, None),
        ("Xin lỗi, tôi không biết.", "sorry_response"),
        ("Tôi rất tiếc, tôi không thể trả lời.", "sorry_response"),
        ("Xin lỗi " + "từ " * 78, None),
        ("申し訳ありませんが、分かりません。", "sorry_response"),
        ("ごめんなさい、答えられません。", "sorry_response"),
        (unicodedata.normalize("NFD", "Xin lỗi, tôi không biết."), "sorry_response"),
        ("的、了、和是。", "empty_response"),
        ("这个，那个……", "empty_response"),
        ("，。！？", "empty_response"),
        ("「」……", "empty_response"),
        ("và là của các, thì mà.", "empty_response"),
        ("これは、それです。", "empty_response"),
        ("そして、その…", "empty_response"),
        ("是的。", None),
        ("不是。", None),
        ("有。", None),
        ("北京。", None),
        ("他们。", "empty_response"),
        ("Có.", None),
        ("Không.", None),
        ("Là Hà Nội.", None),
        ("はい。", None),
        ("いいえ。", None),
        ("いぬ", None),
        ("それは東京です。", None),
        ("AI", None),
        ("do", "empty_response"),
        ("la", None),
        ("４２", None),
    ],
    ids=lambda told: str(told)[:24],
)
def test_a_response_that_shows_a_bad_instruction(response: str, reason: str | None) -> None:
    assert response_refusal(response) == reason


@pytest.mark.parametrize(
    "text",
    [
        "：" * 50_000,
        "是的" * 20_000 + "x",
        "câu hỏi " * 9_000,
        "相同" * 20_000,
        "のは" * 20_000,
        "不" * 50_000,
        "的 " * 20_000,
    ],
    ids=lambda text: text[:8],
)
def test_no_text_takes_long_to_read(text: str) -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        is_equal(text)
    verdict(text, "x")
    response_refusal(text)
