"""Deita's scores: each turn by itself, variants side by side, several judges, and a real model's own logits."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.judge.deita_complexity import DeitaComplexity, deita_complexity
from tasks.judge.deita_quality import DeitaQuality, deita_quality
from tasks.models.base import Completion, Request, TokenLogprobs
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.prompts import FULL, Prompts
from tasks.text.responses import make_response
from tests.models.tiny import one_thread, opened, save_tiny_model, tiny_llama
from tests.rows import a_row, models_of

REAL = Prompts(FULL, "en")
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Name a town."},
    {"role": "assistant", "content": "Ulm."},
    {"role": "user", "content": "Why is its church so high?"},
    {"role": "assistant", "content": "It was built to be seen."},
]


def said(request: Request) -> str:
    return "\n".join(message["content"] for message in request.messages or ())


def by_length(request: Request) -> str:
    """Scores what stands between marks by its number of words, 6 at most."""
    texts = re.findall(r"<(?:instruction|response) \d+>\n(.*?)\n</", said(request), re.DOTALL)
    if texts:
        kind = "Instruction" if "<instruction 1>" in said(request) else "Response"
        return "\n".join(f"{kind} {at}: {min(6, len(text.split()))}" for at, text in enumerate(texts, 1))
    last = re.findall(r"<(?:instruction|response)>\n(.*?)\n</", said(request), re.DOTALL)[-1]
    return str(min(6, len(last.split())))


def complexity(row: Row, *judges: Rule | list[Any], **params: Any) -> list[Row]:
    panel = [ScriptedModel(judge, name=f"judge {at}") for at, judge in enumerate(judges)]
    return asyncio.run(deita_complexity(row, models_of([], judge=panel, prompts=REAL), DeitaComplexity(**params)))


def quality(row: Row, *judges: Rule | list[Any], **params: Any) -> list[Row]:
    panel = [ScriptedModel(judge, name=f"judge {at}") for at, judge in enumerate(judges)]
    return asyncio.run(deita_quality(row, models_of([], judge=panel, prompts=REAL), DeitaQuality(**params)))


def test_each_turn_has_scores_of_its_own() -> None:
    [scored] = complexity(a_row(messages=TALK), by_length)
    assert scored["complexity"] == [3, 6]
    [both] = quality(scored, by_length)
    assert (both["complexity"], both["quality"]) == ([3, 6], [1, 6])


def test_a_pair_is_scored_by_its_prompt_and_the_chosen_answer() -> None:
    pair = a_row(prompt=TALK[:2], chosen=[{"role": "assistant", "content": "Ulm, of course."}], rejected=[TALK[2]])
    [scored] = quality(complexity(pair, by_length)[0], by_length)
    assert (scored["complexity"], scored["quality"]) == ([3], [3])


def test_variants_are_ranked_together_and_each_becomes_a_row() -> None:
    variants = ["Name a town.", "Name a town in Spain.", "Name a town in the south of Spain."]
    row = a_row(instruction=variants[0], response="Ulm.", response_model="given", variants=variants)
    judge = ScriptedModel(by_length, name="judge")
    rows = asyncio.run(deita_complexity(row, models_of([], judge=[judge], prompts=REAL), DeitaComplexity()))
    assert len(judge.requests) == 1
    assert [(one["instruction"], one["complexity"], one["response"]) for one in rows] == [
        (variants[0], [3], "Ulm."),
        (variants[1], [5], None),
        (variants[2], [6], None),
    ]
    assert len({one.row_id for one in rows} | {row.row_id}) == 4
    alone = ScriptedModel(by_length, name="judge")
    rows = asyncio.run(
        deita_complexity(row, models_of([], judge=[alone], prompts=REAL), DeitaComplexity(method="score"))
    )
    assert [one["complexity"] for one in rows] == [[3], [5], [6]]
    assert len(alone.requests) == 3


def test_responses_are_ranked_in_an_order_of_their_own_and_each_becomes_a_row() -> None:
    texts = ["Ulm.", "Ulm on the Danube.", "Ulm on the Danube, with the highest church."]
    pool = [make_response(text, model=f"m{at}") for at, text in enumerate(texts)]
    row = a_row(instruction="Name a town.", complexity=[2.0], responses=pool)
    found = {
        one["response"]: (one["quality"], one["response_model"], one["complexity"]) for one in quality(row, by_length)
    }
    assert found == {texts[0]: ([1], "m0", [2.0]), texts[1]: ([4], "m1", [2.0]), texts[2]: ([6], "m2", [2.0])}
    other = a_row(instruction="Name a town.", complexity=[2.0], responses=pool[::-1])
    assert {one["response"]: one["quality"] for one in quality(other, by_length)} == {k: v[0] for k, v in found.items()}


def test_of_several_judges_it_is_the_mean_of_those_that_answer() -> None:
    row = a_row(instruction="Name a town.", response="Ulm.")
    [scored] = complexity(row, lambda _: "2", lambda _: "5", lambda _: "no idea")
    assert scored["complexity"] == [3.5]
    assert [loss.reason for loss in row.losses] == ["rating_missing"]
    with pytest.raises(Unusable, match="no_rating"):
        complexity(a_row(instruction="Name a town."), lambda _: "no idea")


def test_a_turn_without_an_answer_has_no_quality() -> None:
    with pytest.raises(Filtered, match="no_response"):
        quality(a_row(messages=TALK[:2]), by_length)
    with pytest.raises(Filtered, match="no_instruction"):
        complexity(a_row(messages=TALK[:1]), by_length)


def test_likelihoods_of_an_endpoint_make_the_score() -> None:
    def answer(request: Request) -> Completion:
        assert (request.sampling.logprobs, request.sampling.temperature) == (20, 0)
        top = {"4": math.log(0.6), "6": math.log(0.3), "x": math.log(0.1)}
        return Completion("4 because", "length", logprobs=(TokenLogprobs("4", -0.5, top),))

    [scored] = complexity(a_row(instruction="Name a town."), answer)
    assert scored["complexity"] == [pytest.approx((4 * 0.6 + 6 * 0.3) / 0.9)]


def test_likelihoods_of_a_local_model_are_its_own_logits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tasks.engine.ask import Models
    from tasks.engine.context import Context
    from tasks.engine.requests.asking import Member
    from tasks.text.templates import render

    folder = save_tiny_model(tmp_path / "model", tiny_llama(400, max_position_embeddings=2048))
    with one_thread():
        tokenizer, model = (
            AutoTokenizer.from_pretrained(folder),
            AutoModelForCausalLM.from_pretrained(folder).float().eval(),
        )
        digits = [tokenizer(str(digit), add_special_tokens=False)["input_ids"][0] for digit in range(1, 7)]
        asked = render(REAL.template("deita_complexity/score"), {"instruction": "Name a town."})
        text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():  # the digits become as likely as what is likeliest, each by another factor
            likeliest = int(model(ids).logits[0, -1].argmax())
            for number, digit in enumerate(digits):
                model.lm_head.weight[digit] = model.lm_head.weight[likeliest] * (1 + 0.07 * number)
            logits = model(ids).logits[0, -1]
        model.save_pretrained(folder)
        local = opened(folder)
        members = {"generator": [Member(local, ModelConfig(name=str(folder)))]}
        models = Models(members, Context(prompts=REAL))
        [scored] = asyncio.run(deita_complexity(a_row(instruction="Name a town."), models, DeitaComplexity()))
        asyncio.run(local.close())
    weights = torch.softmax(logits[digits].double(), 0)
    by_hand = sum(digit * float(weight) for digit, weight in enumerate(weights, 1))
    assert scored["complexity"] == [pytest.approx(by_hand, abs=1e-3)]
    assert 1.5 < by_hand < 5.99
