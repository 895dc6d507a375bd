"""The built-in model: what its text is made of, and that the weights which are shipped fit it."""

import asyncio
import json
import random
from itertools import islice
from pathlib import Path

import pytest

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import Unusable
from tasks.generate.bootstrap import added_tasks
from tasks.generate.evol_instruct import is_equal
from tasks.generate.evol_quality import better_of
from tasks.generate.magpie import Magpie, magpie
from tasks.generate.self_instruct import SelfInstruct, queries_of
from tasks.generate.self_instruct_instances import instances_of
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.judge.critique import critique_of, revised_of
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tasks.models.open import BUILT_IN
from tasks.models.target import open_target
from tasks.text.evolution import evolution_of
from tasks.text.verdicts.ratings import overall_of, ratings_of
from tests.demo_model import roles
from tests.demo_model.answers import STYLES, answered, by_aspect, overall
from tests.demo_model.base import untaught
from tests.demo_model.checker import question_of, verdict
from tests.demo_model.corpus import conversations, is_held_out, prompt_lines, prompts_digest
from tests.demo_model.domain import a_question
from tests.demo_model.train import CHAT_TEMPLATE, WEIGHTS, batches, segments
from tests.rows import a_row

SIZE = 16 * 2**20


def ratings_in(chat: roles.Chat) -> list:
    return ratings_of(chat[-1]["content"], int(chat[-2]["content"].rsplit("each of the ", 1)[1].split(" ")[0]))


def before_of(chat: roles.Chat, label: str) -> str:
    return chat[-2]["content"].split(f"{label}: ", 1)[1].split("\n\n", 1)[0]


PARSERS = {
    "self_instruct": lambda chat: queries_of(
        chat[-1]["content"], context=before_of(chat, "Text"), params=SelfInstruct(queries=6)
    ),
    "bootstrap": lambda chat: added_tasks(chat[-1]["content"]),
    "evol_instruct": lambda chat: evolution_of(before_of(chat, "Instruction"), chat[-1]["content"]),
    "equal": lambda chat: is_equal(chat[-1]["content"]),
    "evol_quality": lambda chat: better_of(
        before_of(chat, "Instruction"), before_of(chat, "Response"), chat[-1]["content"]
    ),
    "judge_overall": lambda chat: overall_of(chat[-1]["content"]),
    "judge_aspects": ratings_in,
    "critique": lambda chat: critique_of(chat[-1]["content"]),
    "rewrite": lambda chat: revised_of(before_of(chat, "Response"), chat[-1]["content"]),
}


@pytest.mark.parametrize("role", PARSERS)
def test_what_the_corpus_teaches_is_what_the_parser_takes(role: str) -> None:
    rng = random.Random(role)
    for _ in range(100):
        PARSERS[role](getattr(roles, role)(rng))


def test_instances_are_what_the_parser_takes() -> None:
    rng = random.Random(1)
    said = [roles.instances(rng)[-1]["content"] for _ in range(100)]
    assert all(instances_of(text) for text in said if text not in ("yes", "no"))


def test_the_corpus_is_the_same_for_a_seed_and_another_for_another() -> None:
    first, again, other = ([*islice(conversations(seed), 30)] for seed in (3, 3, 4))
    assert first == again != other


def test_held_out_questions_are_not_asked_in_the_corpus() -> None:
    asked = [turn["content"] for chat in islice(conversations(0), 3000) for turn in chat if turn["role"] == "user"]
    assert not any(map(is_held_out, asked))
    rng = random.Random(0)
    assert 0 < sum(is_held_out(a_question(rng).text) for _ in range(3000)) < 150


def test_a_fair_judge_rates_right_above_wrong() -> None:
    rng = random.Random(0)
    question = a_question(rng)
    right = [answered(question, style, rng) for style in STYLES]
    wrong = [answered(question, style, rng, right=False) for style in STYLES]
    assert min(map(overall, right)) > max(map(overall, wrong))
    assert all(by_aspect(r, "truthfulness") > by_aspect(w, "truthfulness") for r in right for w in wrong)


def test_a_rendered_prompt_is_never_learned_as_what_a_user_says() -> None:
    rng = random.Random(0)
    for role, _ in roles.ROLES:
        chat = role(rng)
        learned = "".join(text for text, is_learned in segments(chat) if is_learned)
        assert chat[-1]["content"] in learned
        assert (chat[-2]["content"] in learned) == (role is roles.answer)


def test_batches_hold_each_example_once() -> None:
    given = [([i] * (5 + i % 150), [i]) for i in range(400)]
    used = [example[0][0] for batch in batches(iter(given), 640) for row in batch for example in row]
    assert len(used) == len(set(used)) > 300


def test_the_template_renders_as_the_corpus_cuts_it() -> None:
    from jinja2 import Template

    chat = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    assert Template(CHAT_TEMPLATE).render(messages=chat) == "".join(text for text, _ in segments(chat))


def test_no_question_of_the_base_has_its_own_answer_and_none_is_held_out() -> None:
    for chat in islice(untaught(0), 300):
        asked, said = (turn["content"] for turn in chat[-2:])
        assert verdict(asked, said) != "right"
        assert question_of(asked) is None or not is_held_out(asked)  # None: put twice, in other words


def test_the_base_is_the_same_model_with_the_answers_marked() -> None:
    demo, base = open_target("demo"), open_target("demo-base")
    chat = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    assert demo.text(chat) == base.text(chat)
    assert demo.text(chat[:2], to_answer=True) == base.text(chat[:2], to_answer=True)
    assert base.marks_answers
    assert base.tokenizer.get_vocab() == demo.tokenizer.get_vocab()
    marked = [
        token
        for token, is_said in zip(base.tokens([base.text(chat)])[0].ids, base.generated(chat, None, {}), strict=True)
        if is_said
    ]
    assert base.tokenizer.decode(marked) == "c<|im_end|>"


# --- the weights that are shipped


def test_the_weights_were_trained_on_the_prompts_of_now() -> None:
    known = json.loads((WEIGHTS / "training.json").read_text())
    assert known["prompts"] == prompts_digest(), "a prompt has changed: make demo-model"


def test_the_built_in_models_are_small_and_hold_no_code() -> None:
    files = [path for folder in BUILT_IN.values() for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= SIZE
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".jinja"}


def test_the_seeds_have_a_context_each() -> None:
    lines = Path(WEIGHTS).with_name("seeds.jsonl").read_text().splitlines()
    assert len(lines) >= 30
    assert len({json.loads(line)["context"] for line in lines}) == len(lines)


@pytest.fixture(scope="module")
def models():
    model = load_local(ModelConfig(name=str(WEIGHTS)), name="demo")
    yield Models({"generator": [Member(model, ModelConfig())]}, Context(max_attempts=2))
    asyncio.run(model.close())


def test_a_line_of_a_prompt_is_one_token() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    assert all(len(tokenizer.encode(line, add_special_tokens=False)) == 1 for line in prompt_lines())
    text = "Maria has 12 apples, “naïve” 7×5 = 35.\n\nOk?"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_model_answers_some_easy_questions_right(models: Models) -> None:
    rng = random.Random(11)
    questions = [a_question(rng, size=2).text for _ in range(40)]
    params = TextGeneration(sampling=Sampling(temperature=0, max_new_tokens=96))

    async def answer(question: str) -> str:
        try:
            return (await text_generation(a_row(instruction=question), models, params))[0]["response"]
        except Unusable as loss:
            return loss.raw or ""

    async def answers() -> list[str]:
        return await asyncio.gather(*map(answer, questions))

    right = [verdict(q, a) for q, a in zip(questions, asyncio.run(answers()), strict=True)].count("right")
    assert right >= 20, f"{right} of 40"


def test_the_model_writes_what_a_user_would_ask(models: Models) -> None:
    async def asked() -> list[str]:
        made = await asyncio.gather(*(magpie(a_row(i, index=i), models, Magpie()) for i in range(20)))
        return [rows[0]["instruction"] for rows in made]

    texts = asyncio.run(asked())
    assert len(set(texts)) >= 15
    assert not any(line in text for text in texts for line in prompt_lines())
