"""What ends a sentence, wherever it is looked for: signs of all our languages and of other scripts."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.errors import Unusable
from tasks.models.answers.accept import CLOSING, SENTENCE_ENDS, Accepted, accept
from tasks.models.base import Completion, Request, Sampling
from tasks.text.languages import EVERY

SENTENCES = {
    "en": "The Loire is a river in France.",
    "vi": "Sông Hồng chảy qua Hà Nội…",
    "zh": "长江是中国最长的河流。",
    "ja": "信濃川は日本で一番長い川です。",
    "hi": "गंगा भारत की एक नदी है।",
    "ur": "دریائے سندھ پاکستان میں ہے۔",
    "ar": "ما أطول نهر؟",
    "my": "ဧရာဝတီမြစ်သည် ရှည်သည်။",
    "ja, half width": "そうです｡",
}


def said(text: str) -> Accepted:
    return accept(Request(Sampling(), 1, ({"role": "user", "content": "?"},)), Completion(text, "stop"))


@pytest.mark.parametrize("language", EVERY, ids=lambda language: language.code)
def test_every_sign_that_ends_a_sentence_or_a_quotation_is_known_to_the_guard_of_answers(language: Any) -> None:
    assert set(language.sentence_ends) <= set(SENTENCE_ENDS)
    assert {closing for _, closing in language.quotes} <= set(CLOSING)


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("closing", ["", '"', "”", "」", "』", "）", "**"])
def test_an_answer_that_goes_on_as_the_next_turn_is_none_in_any_language(name: str, closing: str) -> None:
    whole = SENTENCES[name] + closing
    assert said(whole) == Accepted(whole)
    with pytest.raises(Unusable) as refused:
        said(f"{whole}assistant\n\n{SENTENCES[name]}")
    assert refused.value.reason == "further_turns"
