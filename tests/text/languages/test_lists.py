"""Lists as models write them in Vietnamese, Chinese and Japanese; and what only looks like a list."""

from __future__ import annotations

import pytest

from tasks.text.instructions import cleaned, is_chatter
from tasks.text.reading.lists import items_of
from tasks.text.task_list import added_tasks

VI = ["Vì sao mèo kêu rừ rừ?", "Kể tên hai loại bột mì.", "Làm thế nào để giữ men sống?"]
ZH = ["猫为什么会打呼噜？", "列出两种面粉。", "怎样保存酵母？"]
JA = ["猫はなぜ喉を鳴らすのですか？", "小麦粉を二種類挙げてください。", "酵母はどう保存しますか？"]
HAN = "一二三"
CIRCLED = "①②③"
FULL = "１２３"


def numbered(form: str, items: list[str], between: str = "\n") -> str:
    """The items, each in a form such as "{n}. {item}"; {han}, {circled} and {full} are its number too."""
    return between.join(
        form.format(n=n, han=HAN[n - 1], circled=CIRCLED[n - 1], full=FULL[n - 1], item=item)
        for n, item in enumerate(items, 1)
    )


LISTS: dict[str, tuple[str, list[str]]] = {
    "zh, plain": ("\n".join(ZH), ZH),
    "zh, numbered": (numbered("{n}. {item}", ZH), ZH),
    "zh, enumeration comma": (numbered("{n}、{item}", ZH), ZH),
    "zh, Han numerals": (numbered("{han}、{item}", ZH), ZH),
    "zh, Han numerals in brackets": (numbered("（{han}）{item}", ZH), ZH),
    "zh, Han numerals and a full stop": (numbered("{han}．{item}", ZH), ZH),
    "zh, circled": (numbered("{circled}{item}", ZH), ZH),
    "zh, circled with a space": (numbered("{circled} {item}", ZH), ZH),
    "zh, full-width bracket": (numbered("{n}）{item}", ZH), ZH),
    "zh, full-width digits": (numbered("{full}．{item}", ZH), ZH),
    "zh, in full-width brackets": (numbered("（{n}）{item}", ZH), ZH),
    "zh, bold numbers": (numbered("**{n}.** {item}", ZH), ZH),
    "zh, bold items": (numbered("{n}. **{item}**", ZH), ZH),
    "zh, labels": (numbered("问题{n}：{item}", ZH), ZH),
    "zh, bold labels": (numbered("**请求 {n}：** {item}", ZH), ZH),
    "zh, labels with Han numerals": (numbered("问题{han}：{item}", ZH), ZH),
    "zh, ordinals": (numbered("第{han}题：{item}", ZH), ZH),
    "zh, lenticular labels": (numbered("【问题{n}】{item}", ZH), ZH),
    "zh, headings": (numbered("### 问题{n}\n{item}\n", ZH), ZH),
    "zh, quotes": (numbered("{n}. “{item}”", ZH), ZH),
    "zh, corner brackets": (numbered("{n}、「{item}」", ZH), ZH),
    "zh, a preface": ("好的，以下是三个问题：\n\n" + numbered("{n}. {item}", ZH), ZH),
    "zh, a preface without a list": ("以下是用户可能提出的三个请求：\n" + "\n".join(ZH), ZH),
    "zh, a preface to Han numerals": ("当然可以！下面列出三个指令：\n" + numbered("{han}、{item}", ZH), ZH),
    "zh, an afterword": ("\n".join(ZH) + "\n\n希望这些问题对您有所帮助！", ZH),
    "zh, a remark": ("\n".join(ZH) + "\n以上问题涵盖了不同的主题。", ZH),
    "zh, a table": ("| 编号 | 问题 |\n|---|---|\n" + "\n".join(f"| {n} | {q} |" for n, q in enumerate(ZH, 1)), ZH),
    "zh, a JSON fence": ('```json\n["' + '", "'.join(ZH) + '"]\n```', ZH),
    "zh, JSON under a name": ('{"问题": ["' + '", "'.join(ZH) + '"]}', ZH),
    "vi, numbered": (numbered("{n}. {item}", VI), VI),
    "vi, brackets": (numbered("{n}) {item}", VI), VI),
    "vi, labels": (numbered("Câu hỏi {n}: {item}", VI), VI),
    "vi, short labels": (numbered("Câu {n}: {item}", VI), VI),
    "vi, bold labels": (numbered("**Yêu cầu {n}:** {item}", VI), VI),
    "vi, labels with a hash": (numbered("- Yêu cầu #{n}: {item}", VI), VI),
    "vi, numbers and labels": (numbered("{n}. Câu hỏi: {item}", VI), VI),
    "vi, headings": (numbered("### Câu hỏi {n}\n{item}\n", VI), VI),
    "vi, headings with a colon": (numbered("### Yêu cầu {n}:\n{item}\n", VI), VI),
    "vi, bullets": (numbered("• {item}", VI), VI),
    "vi, bold numbers": (numbered("**{n}.** {item}", VI), VI),
    "vi, bold items": (numbered("{n}. **{item}**", VI), VI),
    "vi, quotes": (numbered('{n}. "{item}"', VI), VI),
    "vi, circled": (numbered("{circled} {item}", VI), VI),
    "vi, a preface": ("Chắc chắn rồi! Dưới đây là ba câu hỏi:\n\n" + numbered("{n}. {item}", VI), VI),
    "vi, a preface without a list": ("Dưới đây là các yêu cầu mà người dùng có thể gửi:\n" + "\n".join(VI), VI),
    "vi, a greeting": ("Vâng, sau đây là 3 câu hỏi\n" + "\n".join(VI), VI),
    "vi, an afterword": ("\n".join(VI) + "\n\nHy vọng những câu hỏi này hữu ích cho bạn!", VI),
    "vi, an offer": ("\n".join(VI) + "\nHãy cho tôi biết nếu bạn cần thêm câu hỏi.", VI),
    "vi, a table": ("| STT | Câu hỏi |\n|---|---|\n" + "\n".join(f"| {n} | {q} |" for n, q in enumerate(VI, 1)), VI),
    "vi, a JSON fence": ('```json\n["' + '", "'.join(VI) + '"]\n```', VI),
    "vi, a thematic title": (numbered("{n}. **Nấu ăn:** {item}", VI), VI),
    "ja, plain": ("\n".join(JA), JA),
    "ja, middle dots": (numbered("・{item}", JA), JA),
    "ja, middle dots with a space": (numbered("・ {item}", JA), JA),
    "ja, full-width digits": (numbered("{full}．{item}", JA), JA),
    "ja, full-width digits and a bracket": (numbered("{full}）{item}", JA), JA),
    "ja, Han numerals": (numbered("{han}、{item}", JA), JA),
    "ja, circled": (numbered("{circled} {item}", JA), JA),
    "ja, in brackets": (numbered("（{n}）{item}", JA), JA),
    "ja, labels": (numbered("質問{n}：{item}", JA), JA),
    "ja, labels in full width": (numbered("質問{full}：{item}", JA), JA),
    "ja, bold labels": (numbered("**依頼{n}：** {item}", JA), JA),
    "ja, lenticular labels": (numbered("【質問{n}】\n{item}\n", JA), JA),
    "ja, headings": (numbered("### 質問{n}\n{item}\n", JA), JA),
    "ja, corner brackets": (numbered("{n}. 「{item}」", JA), JA),
    "ja, squares": (numbered("■ {item}", JA), JA),
    "ja, circles": (numbered("○{item}", JA), JA),
    "ja, a preface": ("はい、以下に三つの質問を示します。\n\n" + numbered("{n}. {item}", JA), JA),
    "ja, a preface without a list": ("以下は利用者が送りそうな質問です：\n" + "\n".join(JA), JA),
    "ja, a greeting": ("承知しました。\n" + "\n".join(JA), JA),
    "ja, an afterword": ("\n".join(JA) + "\n\n以上の質問がお役に立てば幸いです。", JA),
    "ja, a table": ("| 番号 | 質問 |\n|---|---|\n" + "\n".join(f"| {n} | {q} |" for n, q in enumerate(JA, 1)), JA),
    "ja, a JSON fence": ('```json\n["' + '", "'.join(JA) + '"]\n```', JA),
    "ja, JSON under a name": ('{"質問": ["' + '", "'.join(JA) + '"]}', JA),
}


@pytest.mark.parametrize(("text", "items"), LISTS.values(), ids=LISTS.keys())
def test_the_items_of_a_list_come_without_their_marks(text: str, items: list[str]) -> None:
    assert items_of(text) == items


@pytest.mark.parametrize(
    "item",
    [
        "一、二、三の次に来る数は何ですか？",
        "一方で猫は液体だと言われますが、なぜですか？",
        "三国时代有哪些国家？",
        "第一题很难，该怎么做？",
        "二〇二〇年に何がありましたか？",
        "①と②の違いは何ですか？",
        "①和②有什么区别？",
        "问题的关键是什么？",
        "Câu chuyện này kể về ai?",
        "Yêu cầu hoàn tiền thì làm thế nào?",
        "质量是3。5倍是多少？",
        "十年后的世界：会是什么样？",
    ],
)
def test_a_mark_inside_a_sentence_is_no_item(item: str) -> None:
    assert cleaned(item) == item
    assert items_of(item) == [item]


@pytest.mark.parametrize(
    "text",
    [
        "先说结论：一、猫会打呼噜；二、狗不会。请解释原因。",
        "请比较：①苹果 ②梨，哪个更甜？",
        "次の中から選んで：・犬 ・猫",
    ],
)
def test_a_list_within_a_line_is_one_item(text: str) -> None:
    assert items_of(text) == [text]


CHATTER = [
    "好的！",
    "没问题，以下是五个问题",
    "以下是根据文本提出的五个请求：",
    "这些问题涵盖了文本的各个方面。",
    "希望这些问题能帮到您！",
    "如果您需要更多问题，请告诉我。",
    "注：以上问题均可修改。",
    "Chắc chắn rồi!",
    "Vâng, dưới đây là 5 câu hỏi:",
    "Được thôi! Sau đây là các yêu cầu",
    "Các câu hỏi này bao quát nhiều chủ đề.",
    "Hy vọng những câu hỏi này giúp ích cho bạn.",
    "Nếu bạn cần thêm câu hỏi, hãy cho tôi biết.",
    "Lưu ý: có thể thay đổi từng câu.",
    "はい、以下は五つの質問です。",
    "承知しました。",
    "以下に質問を五つ挙げます：",
    "これらの質問は本文の内容を網羅しています。",
    "お役に立てれば幸いです。",
    "他に質問が必要でしたら、お知らせください。",
]
NO_CHATTER = [
    "以下是我的代码，为什么会出错？",
    "好的睡眠有什么标准？",
    "如果您需要更多蛋白质，应该吃什么？",
    "这些动物为什么冬眠？",
    "Dưới đây là mã của tôi, vì sao nó bị lỗi?",
    "Vâng lời có phải là một đức tính không?",
    "Nếu bạn cần thêm chất đạm thì nên ăn gì?",
    "Chắc chắn rằng nước sôi ở 100 độ, đúng không?",
    "以下は私のコードです。なぜ動かないのですか？",
    "はい、いいえで答えてください：ガラスは液体ですか？",
    "これらの動物はなぜ冬眠しますか？",
    "役に立つ本を三冊挙げてください。",
]


@pytest.mark.parametrize("line", CHATTER)
def test_talk_about_the_list_is_no_item(line: str) -> None:
    assert is_chatter(line)


@pytest.mark.parametrize("line", NO_CHATTER)
def test_a_request_is_not_taken_for_talk(line: str) -> None:
    assert not is_chatter(line)


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        (" 列出两种面粉。\n10、怎样保存酵母？\n11、写一首诗。", ["列出两种面粉。", "怎样保存酵母？", "写一首诗。"]),
        (
            "九、列出两种面粉。\n十、怎样保存酵母？\n十一、写一首诗。",
            ["列出两种面粉。", "怎样保存酵母？", "写一首诗。"],
        ),
        ("⑨ 列出两种面粉。\n⑩ 怎样保存酵母？", ["列出两种面粉。", "怎样保存酵母？"]),
        ("９．小麦粉を挙げて。\n１０．詩を書いて。", ["小麦粉を挙げて。", "詩を書いて。"]),
        ("9）小麦粉を挙げて。\n10）詩を書いて。", ["小麦粉を挙げて。", "詩を書いて。"]),
        ("Câu 9: Kể tên hai loại bột.\nCâu 10: Viết một bài thơ.", ["Kể tên hai loại bột.", "Viết một bài thơ."]),
        ("好的，以下是新的任务：\n9. 列出两种面粉。\n10. 写一首诗。", ["列出两种面粉。", "写一首诗。"]),
        ("Dưới đây là các nhiệm vụ mới:\n9. Kể tên hai loại bột.", ["Kể tên hai loại bột."]),
        ("一日の予定を立てて。\n三人で分けて。", ["一日の予定を立てて。 三人で分けて。"]),
    ],
    ids=["comma", "Han", "circled", "full width", "bracket", "label", "zh preface", "vi preface", "no numbers"],
)
def test_a_list_of_tasks_goes_on_in_every_script(text: str, tasks: list[str]) -> None:
    assert added_tasks(text) == tasks
