"""The local model: the same text as `generate`, alone or in any batch, and every caller answered in turn."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3TextConfig, MambaConfig, MistralConfig, Qwen3Config

from tasks.errors import PermanentError, RequestRefused
from tasks.models.base import Completion, Message, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.draft import Codec
from tasks.models.local.local import load_local
from tests.models.tiny import (
    CHATML,
    COUNT,
    GREEDY,
    WARM,
    ask,
    byte_fallback_tokenizer,
    generated,
    one_thread,
    opened,
    prompts,
    raw,
    save_tiny_model,
    tiny_llama,
    tiny_tokenizer,
)

VOCABULARY = len(tiny_tokenizer())
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "head_dim": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
FAMILIES = {
    "qwen3": lambda: Qwen3Config(**SMALL),
    "mistral, all layers slide": lambda: MistralConfig(**SMALL, sliding_window=8),
    "gemma3, some layers slide": lambda: Gemma3TextConfig(
        **SMALL, sliding_window=8, layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=8
    ),
}


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes on and on, in a context that no test comes to the end of."""
    config = tiny_llama(VOCABULARY, max_position_embeddings=1 << 20)
    return save_tiny_model(tmp_path_factory.mktemp("endless"), config, endless=True)


# The text


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[str]:
    return generated(folder, prompts(COUNT))


@pytest.mark.parametrize("max_in_flight", [1, 3, 16])
def test_a_greedy_text_is_the_one_that_generate_writes(folder: Path, expected: list[str], max_in_flight: int) -> None:
    completions = ask(folder, [raw(text) for text in prompts(COUNT)], max_in_flight, spread=True)
    assert [completion.text for completion in completions] == expected
    assert {completion.finish_reason for completion in completions} == {"stop", "length"}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_architectures_write_what_generate_writes(tmp_path: Path, family: str) -> None:
    folder, texts = save_tiny_model(tmp_path, FAMILIES[family]()), prompts(8)
    assert [c.text for c in ask(folder, [raw(text) for text in texts], 5)] == generated(folder, texts)


def test_an_architecture_that_keeps_another_state_is_refused_and_not_garbled(tmp_path: Path) -> None:
    config = MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, eos_token_id=0)
    with pytest.raises(PermanentError, match="cannot be batched here"):
        ask(save_tiny_model(tmp_path, config), [raw("a")])


def test_a_chat_is_asked_through_the_chat_template(folder: Path) -> None:
    messages: tuple[Message, ...] = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Jam?"})
    text = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        list(messages), add_generation_prompt=True, tokenize=False
    )
    chat, plain = ask(folder, [Request(GREEDY, 0, messages=messages), raw(text)])
    assert text.endswith("<|im_start|>assistant\n")
    assert chat == plain


def test_a_raw_prompt_is_sent_without_special_tokens_of_our_own(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("jam").input_ids[0] == tokenizer.bos_token_id, "this tokenizer adds a BOS by itself"
    (completion,) = ask(folder, [raw("jam")])
    assert completion.prompt_tokens == len(tokenizer("jam", add_special_tokens=False).input_ids)


def test_bfloat16_answers_too(folder: Path) -> None:
    async def run() -> Completion:
        model = load_local(ModelConfig(name=str(folder), dtype="bfloat16", device="cpu"))
        try:
            return await model.complete(raw("jam", WARM))
        finally:
            await model.close()

    assert asyncio.run(run()).completion_tokens > 0


# Sampling


SAMPLINGS = {
    "plain": WARM,
    "cool": WARM.but(temperature=0.4),
    "nucleus": WARM.but(top_p=0.8),
    "penalised": WARM.but(presence_penalty=1.5),
}


@pytest.mark.parametrize("max_in_flight", [1, 4, 16])
def test_a_sampled_text_does_not_depend_on_its_batch(folder: Path, max_in_flight: int) -> None:
    texts = prompts(6)
    requests = [raw(text, sampling, seed) for seed, text in enumerate(texts) for sampling in SAMPLINGS.values()]
    others = [raw(text, WARM.but(max_new_tokens=9), 77 + seed) for seed, text in enumerate(prompts(15))]
    mixed = random.Random(max_in_flight).sample([*requests, *others], len(requests) + len(others))
    together = dict(zip(mixed, ask(folder, mixed, max_in_flight, spread=True), strict=True))
    assert [together[request] for request in requests] == ask(folder, requests, 2)


def test_seeds_make_texts_different(folder: Path) -> None:
    completions = ask(folder, [raw("The still-room", WARM, seed) for seed in range(32)])
    assert len({completion.text for completion in completions}) == 32


@torch.inference_mode()
def test_logprobs_are_those_of_the_model_and_not_of_the_sampling(folder: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    sampling = Sampling(temperature=0.5, top_p=0.9, presence_penalty=1, max_new_tokens=6, logprobs=3)
    (completion,) = ask(folder, [raw("The still-room", sampling, 3)])
    assert completion.logprobs is not None and len(completion.logprobs) == completion.completion_tokens == 6
    ids = tokenizer("The still-room", add_special_tokens=False).input_ids
    for position in completion.logprobs:
        logprobs = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        best = logprobs.topk(3)
        first = tokenizer.decode([int(best.indices[0])])
        assert position.top[first] == pytest.approx(float(best.values[0]), abs=1e-4)
        matching = [number for number in range(VOCABULARY) if tokenizer.decode([number]) == position.token]
        chosen = min(matching, key=lambda number: abs(float(logprobs[number]) - position.logprob))
        assert float(logprobs[chosen]) == pytest.approx(position.logprob, abs=1e-4)
        ids.append(chosen)


# Ends


STOPS = [
    ("one two three", (" two",)),
    ("one two three", ("two", "ne")),
    ("ab\n\ncd", ("\n\n",)),
    ("Tee 🍓🍋 rot", ("🍋",)),
    ("蒸留室は、家が", ("、家",)),
    ("Eßlöffel voll", ("ßlö",)),
    ("at the very end", ("end",)),
    ("never", ("x", "🌹")),
]


@pytest.mark.parametrize(("text", "stops"), STOPS, ids=[f"{text}|{'|'.join(stops)}" for text, stops in STOPS])
def test_a_stop_text_ends_the_completion_at_the_token_that_completes_it(text: str, stops: tuple[str, ...]) -> None:
    tokenizer = tiny_tokenizer()
    codec = Codec(tokenizer)
    draft = codec.begin(raw("x", Sampling(stop=stops)))
    found = min((text.find(stop) for stop in stops if stop in text), default=None)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    for count, token in enumerate(ids, 1):
        completion = codec.extend(draft, token)
        there = any(stop in tokenizer.decode(ids[:count]) for stop in stops)
        assert (completion is not None) == there
        if completion is not None:
            assert (completion.text, completion.finish_reason) == (text[:found], "stop")
            return
    assert found is None


def test_a_stop_text_is_found_where_the_tokens_are_bytes_that_only_mean_something_together() -> None:
    codec = Codec(byte_fallback_tokenizer())
    draft = codec.begin(raw("a", Sampling(stop=("🍋",))))
    ids = [3 + byte for byte in "a蒸留🍋b".encode()]
    completions = [codec.extend(draft, token) for token in ids[: len("a蒸留🍋".encode())]]
    assert completions[:-1] == [None] * (len(completions) - 1)
    assert completions[-1] is not None and completions[-1].text == "a蒸留"


def test_stop_texts_cut_what_would_have_been_written(folder: Path, expected: list[str]) -> None:
    texts = prompts(COUNT)
    chosen = [
        (t, whole, whole[len(whole) // 2 :][:3]) for t, whole in zip(texts, expected, strict=True) if len(whole) > 8
    ]
    completions = ask(folder, [raw(text, GREEDY.but(stop=(stop,))) for text, _, stop in chosen])
    assert [c.text for c in completions] == [whole[: whole.find(stop)] for _, whole, stop in chosen]
    assert {c.finish_reason for c in completions} == {"stop"}


def test_any_special_token_ends_a_completion_and_is_not_in_its_text() -> None:
    tokenizer = tiny_tokenizer()
    codec = Codec(tokenizer)
    for special in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        draft = codec.begin(raw("x"))
        assert codec.extend(draft, tokenizer("J", add_special_tokens=False).input_ids[0]) is None
        completion = codec.extend(draft, tokenizer.convert_tokens_to_ids(special))
        assert completion == Completion("J", "stop", prompt_tokens=1, completion_tokens=2)


@pytest.mark.parametrize("special", [True, False], ids=["tags are special tokens", "tags are tokens"])
@pytest.mark.parametrize(
    ("template", "written", "text", "reasoning"),
    [
        ("", "<think>\n2+2\n</think>\n\nfour", "four", "2+2"),
        ("<think>\n", "2+2\n</think>\n\nfour", "four", "2+2"),
        ("<think>\n", "2+2 and so on", "", "2+2 and so on"),
        ("<think>\n\n</think>\n\n", "four", "four", None),
        ("", "write <think> in brackets", "write <think> in brackets", None),
    ],
    ids=["block", "opened by the template", "unfinished", "closed by the template", "in the text"],
)
def test_thoughts_are_kept_out_of_the_text(
    template: str, written: str, text: str, reasoning: str | None, special: bool
) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(
        [AddedToken(tag, special=special, normalized=False) for tag in ("<think>", "</think>")], special_tokens=special
    )
    tokenizer.chat_template = CHATML.replace("assistant\n", "assistant\n" + template)
    codec, ids = Codec(tokenizer), tokenizer(written, add_special_tokens=False).input_ids
    asked = Request(Sampling(max_new_tokens=len(ids)), 0, messages=({"role": "user", "content": "2 + 2?"},))
    draft = codec.begin(asked)
    *going_on, completion = [codec.extend(draft, token) for token in ids]
    assert not any(going_on)
    assert completion is not None
    assert (completion.text, completion.reasoning) == (text, reasoning)
    assert completion.completion_tokens == len(ids)


def test_a_text_that_reaches_the_limit_is_kept_and_says_so(folder: Path) -> None:
    whole = ask(folder, [raw(text) for text in prompts(COUNT)])
    halves = ask(folder, [raw(text, GREEDY.but(max_new_tokens=8)) for text in prompts(COUNT)])
    long = [(half, full) for half, full in zip(halves, whole, strict=True) if full.completion_tokens > 9]
    assert long
    for half, full in long:
        assert (half.finish_reason, half.completion_tokens) == ("length", 8)
        assert full.text.startswith(half.text.rstrip("\ufffd"))


def test_a_text_stops_where_the_context_is_full(folder: Path) -> None:
    (completion,) = ask(folder, [raw("a " * 110, Sampling(max_new_tokens=10_000), seed=5)])
    assert completion.finish_reason == "length"
    assert completion.prompt_tokens + completion.completion_tokens == 256


def test_a_prompt_longer_than_the_context_is_refused_with_its_length(folder: Path) -> None:
    with pytest.raises(RequestRefused, match="300 tokens in a context of 256") as refusal:
        ask(folder, [raw("\x01" * 300)])
    assert refusal.value.reason == "context_too_long"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (raw(""), "empty_prompt"),
        (Request(GREEDY, 0, messages=({"role": "system", "content": "refuse"},)), "chat_template"),
    ],
    ids=["empty", "refused by the template"],
)
def test_a_request_that_cannot_be_asked_is_refused_alone(folder: Path, request_: Request, reason: str) -> None:
    async def run() -> list[Completion | BaseException]:
        model = opened(folder)
        try:
            return await asyncio.gather(*map(model.complete, [raw("a"), request_, raw("b")]), return_exceptions=True)
        finally:
            await model.close()

    first, refused, last = asyncio.run(run())
    assert isinstance(first, Completion) and isinstance(last, Completion)
    assert isinstance(refused, RequestRefused) and refused.reason == reason


# The queue


def test_the_oldest_rows_are_answered_first(folder: Path) -> None:
    answered: list[int] = []

    async def run() -> None:
        model = opened(folder, max_in_flight=1)

        async def one(order: int) -> None:
            await model.complete(raw("a", WARM.but(max_new_tokens=2), order, order))
            answered.append(order)

        await asyncio.gather(*map(one, (5, 3, 9, 1, 7)))
        await model.close()

    asyncio.run(run())
    assert answered == [1, 3, 5, 7, 9]


def test_a_short_text_does_not_wait_for_a_long_one(endless: Path) -> None:
    async def run() -> None:
        model = opened(endless, max_in_flight=2)
        long = asyncio.create_task(model.complete(raw("a", GREEDY.but(max_new_tokens=1 << 19))))
        for seed in range(5):
            await asyncio.wait_for(model.complete(raw("b", WARM.but(max_new_tokens=3), seed)), 20)
        assert not long.done()
        long.cancel()
        await model.close()

    asyncio.run(run())


def test_a_caller_that_is_cancelled_leaves_its_place(endless: Path) -> None:
    lasting = GREEDY.but(max_new_tokens=1 << 19)

    async def run() -> Completion:
        model = opened(endless, max_in_flight=1)
        stuck = asyncio.create_task(model.complete(raw("a", lasting)))
        queued = asyncio.create_task(model.complete(raw("b", lasting)))
        await asyncio.sleep(0.5)
        stuck.cancel()
        queued.cancel()
        try:
            return await asyncio.wait_for(model.complete(raw("b")), 20)
        finally:
            await model.close()

    assert asyncio.run(run()).completion_tokens


def test_several_event_loops_may_ask_one_model(folder: Path, expected: list[str]) -> None:
    model, texts, answers = opened(folder, 4), prompts(COUNT), {}

    def caller(first: int) -> None:
        async def run() -> None:
            for index in range(first, 12, 3):
                answers[index] = (await model.complete(raw(texts[index]))).text

        asyncio.run(run())

    threads = [threading.Thread(target=caller, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(model.close())
    assert [answers[index] for index in range(12)] == expected[:12]
