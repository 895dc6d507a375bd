"""Summaries and rewritten texts: what is asked of each, in four languages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.errors import Filtered, Unusable
from tasks.generate.texts.rewriting import Rewriting, drawn_variants, rewriting
from tasks.generate.texts.summarising import Summarising, summarising
from tasks.generate.texts.written_texts import WrittenTexts, written_texts
from tasks.models.base import Request
from tasks.text.prompts import Prompts
from tests.rows import a_row, models_of

MAIL = {
    "en": "Dear Ms Lane, I just wanted to let you know that the meeting, as we had already said last week, is going to be on 4 May at 10:00 in room 12. Could you please bring the figures for April? Kind regards, Tom",
    "vi": "Chào chị Lan, em chỉ muốn báo để chị biết là cuộc họp, như tuần trước mình đã nói, sẽ diễn ra ngày 4 tháng 5 lúc 10 giờ ở phòng 12. Chị mang theo số liệu tháng 4 giúp em nhé. Em Nam",
    "zh": "李老师您好，我就是想跟您说一声，上星期我们也已经说过了，会议定在5月4日10点，在12号会议室开。能不能麻烦您带上4月份的数据？此致敬礼 小王",
    "ja": "田中様　お知らせまでにご連絡するのですが、先週も申し上げたとおり、会議は5月4日の10時から12号室で行われることになっております。4月分の数字をお持ちいただけないでしょうか。よろしくお願いいたします。佐藤",
}
GOOD = {
    "en": "The meeting is on 4 May at 10:00 in room 12, and figures for April are needed.",
    "vi": "Cuộc họp diễn ra ngày 4 tháng 5 lúc 10 giờ ở phòng 12, cần số liệu tháng 4.",
    "zh": "会议定在5月4日10点，在12号会议室，请带4月份的数据。",
    "ja": "会議は5月4日10時から12号室で、4月分の数字が必要です。",
}
WRONG = {
    "en": ("The meeting is on 5 May at 10:00.", "number_not_stated"),
    "vi": ("Cuộc họp diễn ra ở phòng 13.", "number_not_stated"),
    "zh": ("会议定在5月4日，张老师参加。", "name_not_stated"),
    "ja": ("会議は5月4日の金曜です。", "date_not_stated"),
}


def run(technique: Any, language: str, answers: Any, params: Any, **columns: Any) -> list[dict[str, Any]]:
    models = models_of(answers, max_attempts=1, prompts=Prompts("full", language))
    return [dict(row) for row in asyncio.run(technique(a_row(**columns), models, params))]


@pytest.mark.parametrize("language", MAIL)
def test_a_summary_with_the_facts_of_its_text_is_kept(language: str) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> str:
        asked.append(request)
        return GOOD[language]

    [row] = run(summarising, language, answer, Summarising(sentences=(2,)), context=MAIL[language])
    assert row["response"] == GOOD[language] and row["instruction"].endswith(f"\n\n{MAIL[language]}")
    assert (row["text_kind"], row["document"]) == ("given", "") and "2" in row["instruction"].splitlines()[0]
    assert MAIL[language] in asked[0].messages[-1]["content"]  # type: ignore[index]


@pytest.mark.parametrize("language", MAIL)
def test_a_summary_with_a_fact_of_its_own_is_not(language: str) -> None:
    text, reason = WRONG[language]
    with pytest.raises(Unusable) as error:
        run(summarising, language, [text], Summarising(), context=MAIL[language])
    assert error.value.reason == reason
    assert run(summarising, language, [text], Summarising(check_facts=False), context=MAIL[language])


@pytest.mark.parametrize(
    ("answer", "reason"), [("One. Two. Three.", "too_long"), (MAIL["en"].replace(".", ","), "too_long"), ("", "empty")]
)
def test_a_summary_is_no_longer_than_it_may_be(answer: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        run(summarising, "en", [answer], Summarising(sentences=(1, 2)), context=MAIL["en"])


def test_a_text_too_short_to_sum_up_is_not_asked_about() -> None:
    with pytest.raises(Filtered, match=r"too_short: 2 words, at least 40"):
        run(summarising, "en", [], Summarising(), context="Too short.")


MADE = {
    (
        "concise",
        "en",
    ): "Dear Ms Lane, the meeting is on 4 May at 10 in room 12. Please bring the figures for April. Tom",
    (
        "bullets",
        "en",
    ): "- Ms Lane, the meeting: 4 May, 10:00, room 12\n- Last week's date stands\n- Please bring: figures for April\n- Tom",
    (
        "simple",
        "en",
    ): "Dear Ms Lane. The meeting is on 4 May. It is at 10:00. It is in room 12. Please bring the figures for April. Tom",
    ("bullets", "vi"): "- Chị Lan, cuộc họp: 4 tháng 5, 10 giờ, phòng 12\n- Mang số liệu tháng 4\n- Nam",
    ("concise", "zh"): "李老师您好，会议定在5月4日10点，12号会议室。请带4月份数据。小王",
    (
        "friendly",
        "ja",
    ): "田中様　いつもありがとうございます。会議は5月4日10時から12号室です。4月分の数字をお持ちいただけるとうれしいです。佐藤",
}


@pytest.mark.parametrize(("variant", "language"), MADE)
def test_a_rewritten_text_that_is_what_was_asked_for_is_kept(variant: str, language: str) -> None:
    made = MADE[variant, language]
    params = Rewriting(variants={variant: 1})
    [row] = run(rewriting, language, [made], params, context=MAIL[language])
    assert (row["response"], row["variant"]) == (made, variant)


@pytest.mark.parametrize(
    ("variant", "made", "reason"),
    [
        ("concise", MAIL["en"].replace("just", "only"), "too_long"),
        ("concise", MADE["concise", "en"].replace("12", "13"), "number_lost"),
        ("concise", MADE["concise", "en"].replace("April", "the month"), "date_lost"),
        ("friendly", MAIL["en"].replace("Tom", "Tom, on behalf of Kate Bell"), "name_added"),
        ("bullets", MADE["concise", "en"], "no_list"),
        ("simple", MAIL["en"].replace(". Could", ", and could").replace("? Kind", ", kind"), "sentences_too_long"),
        ("friendly", MAIL["en"], "unchanged"),
    ],
)
def test_one_that_is_not_says_why(variant: str, made: str, reason: str) -> None:
    with pytest.raises(Unusable) as error:
        run(rewriting, "en", [made], Rewriting(variants={variant: 1}), context=MAIL["en"])
    assert error.value.reason == reason


def test_the_variants_of_a_text_are_drawn_by_weight_and_none_twice() -> None:
    params = Rewriting(variants={"concise": 3, "bullets": 1, "simple": 1}, each=3)
    assert all(sorted(drawn_variants(a_row(n=n), params)) == ["bullets", "concise", "simple"] for n in range(20))
    first = [drawn_variants(a_row(n=n), params)[0] for n in range(500)]
    assert 250 < first.count("concise") < 350


@pytest.mark.parametrize("language", MAIL)
def test_a_text_is_written_of_a_kind_by_somebody(language: str) -> None:
    seen: list[str] = []

    def answer(request: Request) -> str:
        seen.append(request.messages[-1]["content"])  # type: ignore[index]
        return MAIL[language]

    topics = WrittenTexts().blank_rows(Prompts("full", language).lists("written_texts"))
    assert len({row["topic"] for row in topics}) == 24
    [row] = run(written_texts, language, answer, WrittenTexts(lengths=(123,)), **topics[0])
    assert row["context"] == MAIL[language] and row["text_kind"] in ("email", "post", "news")
    assert topics[0]["topic"] in seen[0] and "123" in seen[0]
    assert any(persona in seen[0] for persona in Prompts("full", language).lists("basic_prompting")["personas"])
    with pytest.raises(Unusable, match="too_short"):
        run(written_texts, language, ["ok"], WrittenTexts(), **topics[0])


@pytest.mark.parametrize(
    "weights", [{}, {"concise": 0}, {"concise": -1, "bullets": 2}, {"concise": float("inf")}, {"short": 1}]
)
def test_weights_by_which_nothing_can_be_drawn_are_refused(weights: dict[Any, float]) -> None:
    with pytest.raises(ValidationError):
        Rewriting(variants=weights)
