"""Questions about chunks and their answers, row by row: in four languages, without a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tasks.curate.answerability import Answerability, answerability
from tasks.engine.row import Row
from tasks.errors import Filtered, RowLoss, Unusable
from tasks.generate.texts.document_answers import DocumentAnswers, document_answers
from tasks.generate.texts.document_questions import WEIGHTS, DocumentQuestions, document_questions
from tasks.models.base import Request
from tasks.text.prompts import Prompts
from tests.rows import a_row, models_of

PASSAGES = {
    "en": "The ferry from Rohuküla takes 75 minutes. An icebreaker goes ahead of it when the ice is thick.",
    "vi": "Phà Bình Minh chạy bốn chuyến mỗi ngày. Khi sóng cao hơn 3 m, phà nằm lại bến.",
    "zh": "“海燕”号每天开四班。浪高超过3米时停航，船票全额退还。",
    "ja": "「みなと丸」は一日に四便運航する。波の高さが3メートルを超えると欠航となる。",
}
QUESTIONS = {
    "en": "How long does the ferry from Rohuküla take?",
    "vi": "Phà Bình Minh chạy mấy chuyến một ngày?",
    "zh": "“海燕”号每天开几班？",
    "ja": "「みなと丸」は一日に何便運航しますか。",
}
ANSWERS = {
    "en": 'Answer: It takes 75 minutes.\nEvidence: "takes 75 minutes"',
    "vi": "Trả lời: Mỗi ngày bốn chuyến.\nBằng chứng: “chạy bốn chuyến mỗi ngày”",
    "zh": "答案：每天四班。\n依据：“每天开四班”",
    "ja": "回答：一日に四便です。\n根拠：「一日に四便運航する」",
}
NOT_TOLD = {
    "en": "Answer: The fare is not stated.\nEvidence: none",
    "vi": "Answer: Giá vé không được nêu.\nEvidence: none",
    "zh": "Answer: 票价没有说明。\nEvidence: none",
    "ja": "Answer: 運賃は述べられていません。\nEvidence: none",
}


def run(technique: Any, row: Row, answers: Any, params: Any, language: str = "en") -> list[dict[str, Any]]:
    models = models_of(answers, max_attempts=1, prompts=Prompts("full", language))
    return [dict(made) for made in asyncio.run(technique(row, models, params))]


def asked(language: str = "en", kind: str = "fact") -> Row:
    return a_row(
        instruction=QUESTIONS[language], context=PASSAGES[language], question_kind=kind, document="d.md", headings=["A"]
    )


@pytest.mark.parametrize("language", PASSAGES)
def test_each_question_is_of_a_kind_that_is_drawn_and_told_of_those_before(language: str) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> str:
        seen.append(request)
        return [QUESTIONS[language], "Who pays the captain of it?", "Why 3 sheep, and not a cow, at noon?"][
            len(seen) - 1
        ]

    row = a_row(context=PASSAGES[language], document="boats.md", headings=["A", "B"])
    made = run(document_questions, row, answer, DocumentQuestions(questions=3), language)
    assert made[0]["instruction"] == QUESTIONS[language] and len(made) == 3
    assert all(one["context"] == PASSAGES[language] and one["question_kind"] in WEIGHTS for one in made)
    last = seen[-1].messages[-1]["content"]  # type: ignore[index]
    assert QUESTIONS[language] in last and "A > B" in last and "boats.md" in last and PASSAGES[language] in last


def test_kinds_are_drawn_by_their_weights_and_the_order_of_a_config_changes_nothing() -> None:
    def kinds(weights: dict[Any, float]) -> list[str]:
        row = a_row(context=PASSAGES["en"])
        params = DocumentQuestions(questions=40, kinds=weights, max_similarity=1)
        return [
            one["question_kind"]
            for one in run(document_questions, row, lambda request: f"What is number {request.seed}?", params)
        ]

    found = kinds({"fact": 3, "why": 1})
    assert found == kinds({"why": 1, "fact": 3}) and 22 <= found.count("fact") <= 37


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Why?", "too_short"),
        ("word " * 81 + "?", "too_long"),
        ("According to the passage, how long does it take?", "unseen_text"),
        ("", "empty"),
    ],
)
def test_a_question_that_cannot_stand_alone_is_unusable(question: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        run(document_questions, a_row(context=PASSAGES["en"]), [question], DocumentQuestions(questions=1))


def test_a_question_like_an_earlier_one_is_a_loss() -> None:
    row = a_row(context=PASSAGES["en"])
    made = run(document_questions, row, [QUESTIONS["en"]] * 2, DocumentQuestions(questions=2))
    assert len(made) == 1 and [loss.reason for loss in row.losses] == ["too_similar"]


@pytest.mark.parametrize("language", PASSAGES)
def test_an_answer_goes_with_the_words_that_it_rests_on(language: str) -> None:
    [made] = run(document_answers, asked(language), [ANSWERS[language]], DocumentAnswers(), language)
    [quote] = made["evidence"]
    assert quote in PASSAGES[language] and made["question"] == made["instruction"] == QUESTIONS[language]
    assert made["response"] not in ANSWERS[language].splitlines()  # without its label
    [opened] = run(document_answers, asked(language, "unanswerable"), [NOT_TOLD[language]], DocumentAnswers(), language)
    assert opened["evidence"] == [] and opened["response"] in NOT_TOLD[language]


@pytest.mark.parametrize(
    ("kind", "answer", "error", "reason"),
    [
        ("fact", 'Answer: 57.\nEvidence: "The ferry from Rohuküla takes 57 minutes"', Unusable, "evidence_not_found"),
        ("fact", 'Answer: 75.\nEvidence: "75 minutes"', Unusable, "evidence_too_short"),
        ("fact", "Answer: It takes 75 minutes.", Unusable, "no_evidence"),
        ("fact", NOT_TOLD["en"], Filtered, "not_answered"),
        ("unanswerable", ANSWERS["en"], Filtered, "answered_after_all"),
        ("unanswerable", "Answer: It costs 5 euros.\nEvidence: none", Unusable, "not_said_to_be_open"),
    ],
)
def test_an_answer_that_does_not_hold_is_refused(kind: str, answer: str, error: type[RowLoss], reason: str) -> None:
    with pytest.raises(error) as refused:
        run(document_answers, asked(kind=kind), [answer], DocumentAnswers())
    assert refused.value.reason == reason
    if reason == "evidence_not_found":
        assert refused.value.detail.startswith("9") and "% of it is there" in refused.value.detail


@pytest.mark.parametrize(
    ("kind", "verdict", "stays"),
    [("fact", "yes", True), ("fact", "no", False), ("unanswerable", "no", True), ("unanswerable", "yes", False)],
)
def test_a_question_stays_that_is_what_it_was_to_be(kind: str, verdict: str, stays: bool) -> None:
    said = [f"Reason: looked.\nAnswerable: {verdict}"]
    if stays:
        [made] = run(answerability, asked(kind=kind), said, Answerability())
        assert made["instruction"] == QUESTIONS["en"]
    else:
        with pytest.raises(Filtered, match="answerable"):
            run(answerability, asked(kind=kind), said, Answerability())
