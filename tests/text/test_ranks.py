"""Scores of several texts, and by criteria, as judges of real families write them, in four languages."""

from __future__ import annotations

import unicodedata

import pytest
import yaml

from tasks.errors import Unusable
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.templates import render
from tasks.text.verdicts.ranks import criteria_of, ranks_of

RANKS: dict[str, tuple[str, list[float]]] = {
    "as asked": ("Instruction 1: 3\nInstruction 2: 5\nInstruction 3: 1", [3, 5, 1]),
    "responses": ("Response 1: 3\nResponse 2: 5\nResponse 3: 1", [3, 5, 1]),
    "bold": ("**Instruction 1:** 3\n**Instruction 2:** 5\n**Instruction 3:** 1", [3, 5, 1]),
    "Deita's own form": ("[1] Score: 3\n[2] Score: 5\n[3] Score: 1", [3, 5, 1]),
    "a slash": ("Instruction 1: 3/6\nInstruction 2: 5/6\nInstruction 3: 1/6", [3, 5, 1]),
    "numbers alone": ("1: 3\n2: 5\n3: 1", [3, 5, 1]),
    "numbers with dots": ("1. 3\n2. 5\n3. 1", [3, 5, 1]),
    "numbers with dots and a label": ("1. Score: 3\n2. Score: 5\n3. Score: 1", [3, 5, 1]),
    "brackets": ("(1) 3\n(2) 5\n(3) 1", [3, 5, 1]),
    "bold brackets": ("**[1]** Score: **3**\n**[2]** Score: **5**\n**[3]** Score: **1**", [3, 5, 1]),
    "bullets": ("- Instruction 1: 3\n- Instruction 2: 5\n- Instruction 3: 1", [3, 5, 1]),
    "prompts": ("Prompt 1: 3\nPrompt 2: 5\nPrompt 3: 1", [3, 5, 1]),
    "another order": ("Instruction 3: 1\nInstruction 1: 3\nInstruction 2: 5", [3, 5, 1]),
    "a reason behind": (
        "Instruction 1: 3 - one fact\nInstruction 2: 5 - many steps\nInstruction 3: 1 - trivial",
        [3, 5, 1],
    ),
    "reasons before": (
        "Instruction 1\nReason: one fact\nScore: 3\n\nInstruction 2\nReason: many steps\nScore: 5\n\n"
        "Instruction 3\nReason: trivial\nScore: 1",
        [3, 5, 1],
    ),
    "a preamble": ("Here are the scores:\n\nInstruction 1: 3\nInstruction 2: 5\nInstruction 3: 1", [3, 5, 1]),
    "a decimal": ("Instruction 1: 3.5\nInstruction 2: 5\nInstruction 3: 1", [3.5, 5, 1]),
    "full width": ("Instruction １：３\nInstruction ２：５\nInstruction ３：１", [3, 5, 1]),
    "a table": ("| Response | Score |\n|---|---|\n| 1 | 3 |\n| 2 | 5 |\n| 3 | 1 |", [3, 5, 1]),
    "JSON by number": ('{"1": 3, "2": 5, "3": 1}', [3, 5, 1]),
    "a JSON list": ("[3, 5, 1]", [3, 5, 1]),
    "a fenced list": ("```json\n[3, 5, 1]\n```", [3, 5, 1]),
    "JSON objects": (
        '[{"instruction": 1, "score": 3}, {"instruction": 2, "score": 5}, {"instruction": 3, "score": 1}]',
        [3, 5, 1],
    ),
    "JSON by name": ('{"instruction_1": 3, "instruction_2": 5, "instruction_3": 1}', [3, 5, 1]),
    "thought before": (
        "<think>Instruction 1: 6?</think>\nInstruction 1: 3\nInstruction 2: 5\nInstruction 3: 1",
        [3, 5, 1],
    ),
    "vi": ("Yêu cầu 1: 3\nYêu cầu 2: 5\nYêu cầu 3: 1", [3, 5, 1]),
    "vi, points": ("Câu 1: 3 điểm\nCâu 2: 5 điểm\nCâu 3: 1 điểm", [3, 5, 1]),
    "vi, bold": ("**Câu lệnh 1:** 3\n**Câu lệnh 2:** 5\n**Câu lệnh 3:** 1", [3, 5, 1]),
    "vi, slash": ("Chỉ dẫn 1: 3/6 điểm\nChỉ dẫn 2: 5/6 điểm\nChỉ dẫn 3: 1/6 điểm", [3, 5, 1]),
    "vi, responses": ("Câu trả lời 1: 3\nCâu trả lời 2: 5\nCâu trả lời 3: 1", [3, 5, 1]),
    "vi, label": ("Yêu cầu 1: Điểm: 3\nYêu cầu 2: Điểm: 5\nYêu cầu 3: Điểm: 1", [3, 5, 1]),
    "vi, blocks": ("Yêu cầu 1\nLý do: dễ\nĐiểm: 3\n\nYêu cầu 2\nLý do: khó\nĐiểm: 5\n\nYêu cầu 3\nĐiểm: 1", [3, 5, 1]),
    "zh": ("指令1：3\n指令2：5\n指令3：1", [3, 5, 1]),
    "zh, points": ("指令 1：3分\n指令 2：5分\n指令 3：1分", [3, 5, 1]),
    "zh, nth": ("第1条：3分\n第2条：5分\n第3条：1分", [3, 5, 1]),
    "zh, label": ("指令1：评分：3\n指令2：评分：5\n指令3：评分：1", [3, 5, 1]),
    "zh, bold": ("**指令1**：3\n**指令2**：5\n**指令3**：1", [3, 5, 1]),
    "zh, answers": ("回答1：3\n回答2：5\n回答3：1", [3, 5, 1]),
    "zh, numbers": ("1、3分\n2、5分\n3、1分", [3, 5, 1]),
    "zh, full width": ("指令１：３分\n指令２：５分\n指令３：１分", [3, 5, 1]),
    "ja": ("指示1：3\n指示2：5\n指示3：1", [3, 5, 1]),
    "ja, points": ("指示1：3点\n指示2：5点\n指示3：1点", [3, 5, 1]),
    "ja, label": ("指示1：評点：3\n指示2：評点：5\n指示3：評点：1", [3, 5, 1]),
    "ja, bold": ("**指示1**：3点\n**指示2**：5点\n**指示3**：1点", [3, 5, 1]),
    "ja, answers": ("回答1：3点\n回答2：5点\n回答3：1点", [3, 5, 1]),
    "ja, bullets": ("・指示1：3\n・指示2：5\n・指示3：1", [3, 5, 1]),
    "ja, full width": ("指示１：３\n指示２：５\n指示３：１", [3, 5, 1]),
}
NO_RANKS: dict[str, tuple[str, str]] = {
    "nothing": ("", "index_missing"),
    "one missing": ("Instruction 1: 3\nInstruction 2: 5", "index_missing"),
    "one too many": ("Instruction 1: 3\nInstruction 2: 5\nInstruction 3: 1\nInstruction 4: 2", "index_unknown"),
    "one twice": ("Instruction 1: 3\nInstruction 1: 5\nInstruction 3: 1", "index_repeated"),
    "off the scale": ("Instruction 1: 3\nInstruction 2: 7\nInstruction 3: 1", "rating_out_of_range"),
    "nought": ("Instruction 1: 0\nInstruction 2: 5\nInstruction 3: 1", "rating_out_of_range"),
    "another scale": ("Instruction 1: 3/10\nInstruction 2: 5/10\nInstruction 3: 1/10", "rating_out_of_range"),
    "a range": ("Instruction 1: 3-4\nInstruction 2: 5\nInstruction 3: 1", "rating_missing"),
    "not applicable": ("Instruction 1: N/A\nInstruction 2: 5\nInstruction 3: 1", "rating_missing"),
    "words": ("Instruction 1: easy\nInstruction 2: hard\nInstruction 3: easy", "rating_missing"),
    "a short list": ("[3, 5]", "index_missing"),
}
NAMES = ["correct", "complete", "clear", "safe"]
CRITERIA: dict[str, str] = {
    "as asked": "\n\n".join(f"Criterion {n}\nReason: so\nRating: {n}" for n in range(1, 5)),
    "with names": "\n\n".join(f"Criterion {n}: {name}\nReason: so\nRating: {n}" for n, name in enumerate(NAMES, 1)),
    "bold": "\n\n".join(
        f"**Criterion {n}: {name}**\n**Reason:** so\n**Rating:** {n}" for n, name in enumerate(NAMES, 1)
    ),
    "headings": "\n\n".join(f"### Criterion {n}\n\nReason: so\nRating: {n}/5" for n in range(1, 5)),
    "a line each": "\n".join(f"{name}: {n}" for n, name in enumerate(NAMES, 1)),
    "a line each, bold": "\n".join(f"- **{name.capitalize()}**: {n} - so" for n, name in enumerate(NAMES, 1)),
    "a numbered line each": "\n".join(f"{n}. {name}: {n}" for n, name in enumerate(NAMES, 1)),
    "JSON": '{"correct": 1, "complete": 2, "clear": 3, "safe": 4}',
    "JSON with reasons": '{"correct": {"reason": "so", "rating": 1}, "complete": {"reason": "so", "rating": 2}, '
    '"clear": {"reason": "so", "rating": 3}, "safe": {"reason": "so", "rating": 4}}',
    "a fence": '```json\n{"correct": 1, "complete": 2, "clear": 3, "safe": 4}\n```',
    "vi": "\n\n".join(f"Tiêu chí {n}\nLý do: vậy\nĐiểm: {n}" for n in range(1, 5)),
    "vi, bold": "\n\n".join(
        f"**Tiêu chí {n}: {name}**\n**Lý do:** vậy\n**Điểm:** {n}" for n, name in enumerate(NAMES, 1)
    ),
    "zh": "\n\n".join(f"标准{n}\n理由：如此\n评分：{n}" for n in range(1, 5)),
    "zh, points": "\n\n".join(f"【标准{n}】\n理由：如此\n评分：{n}分" for n in range(1, 5)),
    "ja": "\n\n".join(f"基準{n}\n理由：そうだから\n評点：{n}" for n in range(1, 5)),
    "ja, points": "\n\n".join(f"観点{n}\n理由：そうだから\n評価：{n}点" for n in range(1, 5)),
}


@pytest.mark.parametrize("name", RANKS)
def test_scores_are_read_by_their_numbers(name: str) -> None:
    text, scores = RANKS[name]
    assert ranks_of(text, 3) == scores
    assert ranks_of(unicodedata.normalize("NFD", text), 3) == scores
    assert ranks_of(text.replace("\n", "\r\n"), 3) == scores


@pytest.mark.parametrize("name", NO_RANKS)
def test_what_is_no_score_for_each_is_unusable(name: str) -> None:
    text, reason = NO_RANKS[name]
    with pytest.raises(Unusable) as refused:
        ranks_of(text, 3)
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", CRITERIA)
def test_a_rating_by_each_criterion_is_read(name: str) -> None:
    found = criteria_of(CRITERIA[name], NAMES)
    assert {one: verdict.rating for one, verdict in found.items()} == {one: n for n, one in enumerate(NAMES, 1)}


def test_the_reason_of_a_criterion_is_kept_and_the_scale_is_the_users() -> None:
    assert criteria_of("Criterion 1\nReason: it is so\nRating: 9", ["tone"], 10)["tone"] == (9.0, "it is so")
    assert criteria_of("Fits our tone: 7", ["fits our tone"], 10)["fits our tone"].rating == 7
    with pytest.raises(Unusable, match="index_missing"):
        criteria_of("correct: 4\nclear: 5", ["correct", "complete"])
    with pytest.raises(Unusable, match="rating_out_of_range"):
        criteria_of("correct: 9", ["correct"])


@pytest.mark.parametrize("language", languages_of(FULL))
def test_the_forms_that_the_prompts_ask_for_are_read(language: str) -> None:
    prompts = Prompts(FULL, language)
    for technique, name in (("deita_complexity", "rank"), ("deita_quality", "rank"), ("rate", "response")):
        examples = yaml.safe_load((PROMPTS / FULL / language / technique / "example.yaml").read_text(encoding="utf-8"))
        asked = render(prompts.template(f"{technique}/{name}"), examples[name])[-1]["content"]
        form = asked.rpartition("\n\n")[2]
        if technique == "rate":
            answer = "\n\n".join(f"Criterion {n}\nReason: {form.splitlines()[1]}\nRating: {n}" for n in range(1, 5))
            assert [one.rating for one in criteria_of(answer, NAMES).values()] == [1, 2, 3, 4]
        else:
            label = form.partition(" 1:")[0]
            assert ranks_of(f"{label} 1: 2\n{label} 2: 6", 2) == [2, 6]
