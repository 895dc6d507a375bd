"""`check_language`: what a model writes in another language than its row's is asked for again."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

import pytest

from tasks.engine.ask import Models
from tasks.errors import Unusable
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting
from tasks.generate.bootstrap import Bootstrap, bootstrap
from tasks.generate.evol_instruct import EvolInstruct, evol_instruct
from tasks.generate.evol_quality import EvolQuality, evol_quality
from tasks.generate.magpie import Magpie, user_turn
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.generate.self_instruct import SelfInstruct, self_instruct
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.judge.critique import Critique, critique
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import Prompts
from tests.rows import a_row, models_of
from tests.text.test_language_id import WRITTEN
from tests.text.test_wrong_language import QUESTIONS

pytestmark = pytest.mark.skipif(find_spec("py3langid") is None, reason="needs the extra language")
VI, FR = WRITTEN["vi"], WRITTEN["fr"]
ASKED = QUESTIONS["vi"]
MORE = "Hãy giải thích nước di chuyển giữa biển, không khí và đất liền, rồi nêu hai ví dụ ở nước ta."


def vietnamese(answers: Any, *, check: bool = True, languages: Any = "vi") -> tuple[Models, ScriptedModel]:
    model = ScriptedModel(answers)
    return models_of(model, prompts=Prompts.of("full", languages, None), check_language=check), model


def response() -> dict[str, Any]:
    return {"text": "Nước bốc hơi, ngưng tụ rồi rơi xuống.", "model": "m", "origin": "pool"}


STEPS = [
    pytest.param(basic_prompting, BasicPrompting(), {"topic": "nước"}, [FR, ASKED], id="basic_prompting"),
    pytest.param(
        evol_instruct,
        EvolInstruct(generations=1, judge_gain=False, respond=False),
        {"instruction": ASKED},
        [FR, MORE],
        id="evol_instruct",
    ),
    pytest.param(text_generation, TextGeneration(), {"instruction": ASKED}, [FR, VI], id="text_generation"),
    pytest.param(
        model_pool, ModelPool(responses=1, min_responses=1), {"instruction": ASKED}, [FR, VI], id="model_pool"
    ),
    pytest.param(
        evol_quality, EvolQuality(), {"instruction": ASKED, "responses": [response()]}, [FR, VI], id="evol_quality"
    ),
    pytest.param(
        critique,
        Critique(),
        {"instruction": ASKED, "responses": [response()]},
        ["Thiếu một bước: nước ngấm xuống đất.", FR, VI],
        id="critique",
    ),
]


@pytest.mark.parametrize(("step", "params", "columns", "answers"), STEPS)
def test_a_text_in_another_language_is_asked_for_again(
    step: Any, params: Any, columns: dict[str, Any], answers: list[str]
) -> None:
    models, model = vietnamese(list(answers))
    row = a_row(**columns)
    (child,) = asyncio.run(step(row, models, params))
    assert len(model.requests) == len(answers)
    assert answers[-1] in str(dict(child)) and FR not in str(dict(child))
    models, model = vietnamese(list(answers), check=False)
    asyncio.run(step(a_row(**columns), models, params))
    assert len(model.requests) == len(answers) - 1, "nobody looks unless told so"


def test_a_row_that_never_is_in_its_language_is_a_reject() -> None:
    models, _ = vietnamese([FR, FR, FR])
    with pytest.raises(Unusable) as refused:
        asyncio.run(text_generation(a_row(instruction=ASKED), models, TextGeneration()))
    assert (refused.value.reason, refused.value.detail, refused.value.raw) == ("wrong_language", "fr, not vi", FR)
    assert refused.value.attempts == 3


def test_an_answer_in_a_language_that_was_asked_for_is_kept() -> None:
    models, _ = vietnamese([FR])
    asked = "Hãy mô tả vòng tuần hoàn nước bằng tiếng Pháp."
    (child,) = asyncio.run(text_generation(a_row(instruction=asked), models, TextGeneration()))
    assert child["response"] == FR


def test_one_request_of_a_list_in_another_language_is_lost_alone() -> None:
    models, _ = vietnamese([f"1. {ASKED}\n2. {QUESTIONS['en']}\n3. Vì sao nước biển lại mặn như vậy?"])
    row = a_row(context=VI)
    children = asyncio.run(self_instruct(row, models, SelfInstruct(max_similarity=1)))
    assert [child["instruction"] for child in children] == [ASKED, "Vì sao nước biển lại mặn như vậy?"]
    assert [(loss.reason, loss.detail, loss.raw) for loss in row.losses] == [
        ("wrong_language", "en, not vi", QUESTIONS["en"])
    ]


def test_a_task_of_the_bootstrap_in_another_language_is_lost_alone() -> None:
    models, _ = vietnamese(lambda _: f"3. {ASKED}\n4. {QUESTIONS['en']}\n")
    seeds = [a_row(instruction=f"Kể tên {n} loài hoa nở vào mùa xuân ở nước ta.") for n in ("hai", "ba")]
    made = asyncio.run(bootstrap(seeds, models, Bootstrap(target=2, max_rounds=1, prompts_per_round=1)))
    assert [row["instruction"] for row in made.rows] == [ASKED]
    assert [loss.reason for _, loss in made.losses] == ["wrong_language"]


def test_a_users_turn_in_another_language_is_unusable() -> None:
    models, _ = vietnamese([])
    parse = models.at(a_row()).in_language(user_turn)
    assert parse(ASKED) == ASKED
    with pytest.raises(Unusable, match="wrong_language: fr, not vi"):
        parse(FR)
    assert Magpie().turns == 1


def test_in_a_mixed_run_the_language_of_the_row_counts() -> None:
    models, _ = vietnamese([FR], languages=["vi", "en"])
    for language in ("vi", "en"):
        bound = models.at(a_row(language=language, instruction=ASKED))
        assert bound.wrong_language(QUESTIONS[language]) is None
        assert bound.wrong_language(FR) == f"fr, not {language}"
