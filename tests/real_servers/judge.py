"""Preference pairs whose judge is held to a JSON schema: a recipe of somebody's own, with its technique.

stillroom dpo --recipe tests/real_servers/judge.py:structured --instructions instructions.jsonl --model MODEL
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.pair import pair
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import model_pool
from tasks.judge.ultrafeedback import with_ratings
from tasks.models.base import Message, Sampling
from tasks.schemas import JudgedPools, Pools
from tasks.text.responses import Rating, by_digest, conversation_text, make_response, prompt_of

ASKED = """Rate the answer to the question from 1 (bad) to 5 (good), and say why in one sentence.

Question: {question}

Answer: {answer}"""
GREEDY = Sampling(temperature=0.0, max_new_tokens=256)


class Verdict(BaseModel):
    """What the judge has to answer with."""

    reason: str = Field(max_length=120)
    score: int = Field(ge=1, le=5)


@technique(reads=Pools, writes=JudgedPools)
async def structured_judge(row: Row, models: Models, _params: Params) -> list[Row]:
    """Rate each response by an answer that a JSON schema holds together."""
    responses = by_digest(make_response(**response) for response in row["responses"])
    question, name = conversation_text(prompt_of(row)), models.of("judge")[0].model.name
    ratings = []
    for position, response in enumerate(responses):
        text = ASKED.format(question=question, answer=response["text"])
        asked: tuple[Message, ...] = ({"role": "user", "content": text},)
        said = await models.chat(asked, name="structured", by="judge", sample=position, sampling=GREEDY, schema=Verdict)
        rating = Rating(judge=name, aspect="overall", rating=float(said.score), rationale=said.reason, order=0)
        ratings.append((position, rating))
    return [row.child(responses=with_ratings(responses, [ratings]), order_agreement=None)]


@recipe("dpo")
def structured(run: Steps, instructions: Tables) -> Tables:
    """A pool of responses with some made better, rated by a structured judge, pairs."""
    pools = run.through(evol_quality, run.through(model_pool, instructions))
    return run.through(pair, run.through(structured_judge, pools))
