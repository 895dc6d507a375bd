"""The local model: the same text as `generate`, alone or in any batch; every caller answered, whatever happens."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3TextConfig,
    MambaConfig,
    MistralConfig,
    Qwen3Config,
)

from tasks.errors import ConfigError, PermanentError, RequestRefused
from tasks.models.base import Completion, Message, Request, Sampling
from tasks.models.checkpoint import find_checkpoint, free_ram
from tasks.models.config import ModelConfig
from tasks.models.draft import Codec, turn_tokens
from tasks.models.local import LocalModel, load_local
from tests.models.tiny import CORPUS, byte_fallback_tokenizer, one_thread, save_tiny_model, tiny_llama, tiny_tokenizer

NEW_TOKENS = 16
COUNT = 24
GREEDY = Sampling(temperature=0, max_new_tokens=NEW_TOKENS)
WARM = Sampling(temperature=1.0, max_new_tokens=NEW_TOKENS)
VOCABULARY = len(tiny_tokenizer())
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.3,
         "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}  # fmt: skip
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


def prompts(count: int, longest: int = 60) -> list[str]:
    """Texts of mixed length, some with characters of several bytes."""
    draw, text = random.Random(5), " ".join(CORPUS)
    starts = [draw.randrange(len(text) - longest) for _ in range(count)]
    return [text[start : start + draw.randrange(1, longest)] for start in starts]


def opened(folder: Path, max_in_flight: int = 16, **options: Any) -> LocalModel:
    return load_local(
        ModelConfig(name=str(folder), max_in_flight=max_in_flight, dtype="float32", device="cpu", **options)
    )


def ask(folder: Path, requests: Sequence[Request], max_in_flight: int = 16, spread: bool = False) -> list[Completion]:
    """The completions of requests asked all at once, or, `spread`, in random order and a little apart."""

    async def run() -> list[Completion]:
        model = opened(folder, max_in_flight)

        async def later(index: int, request: Request) -> Completion:
            await asyncio.sleep(random.Random(index).random() * 0.05 if spread else 0)
            return await model.complete(request)

        try:
            return list(await asyncio.gather(*(later(i, request) for i, request in enumerate(requests))))
        finally:
            await model.close()

    return asyncio.run(run())


@torch.inference_mode()
def generated(folder: Path, texts: Sequence[str], max_new_tokens: int = NEW_TOKENS) -> list[str]:
    """What transformers writes, greedily and one prompt at a time."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    ends = sorted(turn_tokens(tokenizer))
    texts_out = []
    for text in texts:
        asked = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        asked.pop("token_type_ids", None)
        output = model.generate(
            **asked, max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=ends, pad_token_id=0
        )
        texts_out.append(tokenizer.decode(output[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))
    return texts_out


def raw(text: str, sampling: Sampling = GREEDY, seed: int = 0, order: int = 0) -> Request:
    return Request(sampling, seed, prompt=text, order=order)


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
    ("one two three", (" two",)), ("one two three", ("two", "ne")), ("ab\n\ncd", ("\n\n",)), ("Tee 🍓🍋 rot", ("🍋",)),
    ("蒸留室は、家が", ("、家",)), ("Eßlöffel voll", ("ßlö",)), ("at the very end", ("end",)), ("never", ("x", "🌹")),
]  # fmt: skip


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


@pytest.mark.parametrize(("request_", "reason"), [
    (raw(""), "empty_prompt"),
    (Request(GREEDY, 0, messages=({"role": "system", "content": "refuse"},)), "chat_template"),
], ids=["empty", "refused by the template"])  # fmt: skip
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


# What goes wrong


Load = Callable[..., Any]


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Any, Load], Any]], None]]:
    """Replace how weights are loaded by a function of (checkpoint, the real loader)."""
    from tasks.models.checkpoint import load_weights

    def replace(how: Callable[[Any, Load], Any]) -> None:
        def instead(checkpoint: Any, *options: Any) -> Any:
            return how(checkpoint, lambda same: load_weights(same, *options))

        monkeypatch.setattr("tasks.models.local.load_weights", instead)

    yield replace


def with_memory_for(rows: int, tokens: int) -> Callable[[Any, Load], Any]:
    """A loader of a model that has memory for so many rows in a pass, and tokens in a row."""

    def check(_module: Any, _arguments: Any, options: dict[str, Any]) -> None:
        shape = options["input_ids"].shape
        if shape[0] > rows or int(options.get("position_ids", torch.zeros(1)).max()) >= tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    def load(checkpoint: Any, real: Load) -> Any:
        model = real(checkpoint)
        model.register_forward_pre_hook(check, with_kwargs=True)
        return model

    return load


def test_out_of_memory_makes_the_batch_smaller_and_changes_no_text(
    folder: Path, loading: Callable[..., None], expected: list[str]
) -> None:
    sampled = [raw(text, WARM, seed) for seed, text in enumerate(prompts(10))]
    before = ask(folder, sampled)
    loading(with_memory_for(rows=3, tokens=10_000))
    assert ask(folder, sampled) == before
    assert [c.text for c in ask(folder, [raw(text) for text in prompts(COUNT)])] == expected


def test_a_row_that_does_not_fit_alone_is_refused_and_others_go_on(folder: Path, loading: Callable[..., None]) -> None:
    loading(with_memory_for(rows=8, tokens=100))

    async def run() -> list[Completion | BaseException]:
        model = opened(folder, 8)
        texts = ["\x01" * 150, *prompts(10, longest=20)]
        try:
            return await asyncio.gather(*(model.complete(raw(text)) for text in texts), return_exceptions=True)
        finally:
            await model.close()

    refused, *others = asyncio.run(run())
    assert isinstance(refused, RequestRefused) and refused.reason == "out_of_memory"
    assert all(isinstance(other, Completion) for other in others)


def test_a_crash_reaches_every_caller_and_the_next_request_starts_anew(
    folder: Path, loading: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_checkpoint: Any, _real: Load) -> Any:
        raise RuntimeError("device-side assert")

    async def run() -> tuple[list[Completion | BaseException], Completion]:
        model = opened(folder)
        loading(crash)
        failures = await asyncio.gather(*(model.complete(raw(text)) for text in prompts(5)), return_exceptions=True)
        monkeypatch.undo()
        try:
            return failures, await model.complete(raw("jam"))
        finally:
            await model.close()

    failures, completion = asyncio.run(run())
    assert [str(failure) for failure in failures] == ["device-side assert"] * 5
    assert completion.completion_tokens > 0


def test_closing_answers_who_waits_ends_the_thread_and_may_be_done_twice(endless: Path) -> None:
    async def run() -> list[Completion | BaseException]:
        model = opened(endless, 1)
        waiting = [
            asyncio.create_task(model.complete(raw(text, GREEDY.but(max_new_tokens=1 << 19)))) for text in prompts(9)
        ]
        await asyncio.sleep(0.3)
        await model.close()
        await model.close()
        with pytest.raises(PermanentError, match="has been closed"):
            await model.complete(raw("late"))
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert all(isinstance(outcome, PermanentError) for outcome in outcomes)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("local model")]


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment}, check=False)  # fmt: skip


def test_a_process_that_ends_in_the_middle_of_a_text_ends_quietly(endless: Path) -> None:
    code = f"""
import asyncio
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local import load_local

async def run():
    await model.complete(Request(Sampling(max_new_tokens=2), 0, prompt="a"))
    requests = [Request(Sampling(max_new_tokens=10**6), seed, prompt="a") for seed in range(64)]
    tasks = [asyncio.ensure_future(model.complete(request)) for request in requests]
    await asyncio.sleep(0.1)
    print("interrupted")
    raise SystemExit(7)

model = load_local(ModelConfig(name={str(endless)!r}))
asyncio.run(run())
"""
    ended = run_python(code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "interrupted\n", "")


@pytest.mark.parametrize(("limit", "free"), [("max", 8 << 20), (str(3 << 20), 2 << 20), (str(1 << 10), 0)])
def test_free_memory_is_what_the_container_leaves(tmp_path: Path, limit: str, free: int) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 99999 kB\nMemFree: 12 kB\nMemAvailable:    8192 kB\n")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text(f"{1 << 20}\n")
    assert free_ram(tmp_path) == free


# The folder


def test_opening_a_model_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = f"""
import sys
from tasks.models.config import ModelConfig
from tasks.models.local import load_local
print(load_local(ModelConfig(name={str(folder)!r})).identity)
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    assert run_python(code).stdout == f"{opened(folder).identity}\n[]\n"


def test_the_identity_is_that_of_the_contents(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "README.md").write_text("a card says nothing about the answers")
    assert find_checkpoint(str(copy)).identity == find_checkpoint(str(folder)).identity


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja",
                                  "generation_config.json"])  # fmt: skip
def test_the_identity_changes_with_every_file_that_shapes_an_answer(folder: Path, tmp_path: Path, file: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    changed = bytearray((copy / file).read_bytes())
    changed[-2] ^= 1
    (copy / file).write_bytes(changed)
    assert find_checkpoint(str(copy)).identity != find_checkpoint(str(folder)).identity


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


BROKEN_FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "there is no such model folder"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "has no chat template"),
    "cut short": (lambda f: cut(f / "model.safetensors"), "the weights are not complete"),
    "a Git LFS pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "the weights are broken",
    ),
}


@pytest.mark.parametrize("fault", BROKEN_FOLDERS)
def test_a_broken_folder_is_refused_in_one_line_with_the_fix(folder: Path, tmp_path: Path, fault: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    break_it, what = BROKEN_FOLDERS[fault]
    break_it(copy)
    with pytest.raises(ConfigError, match=what) as refusal:
        opened(copy)
    assert str(copy) in str(refusal.value) and refusal.value.fix and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_path_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no such model folder"):
        find_checkpoint(name)


def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PermanentError, match=r"not complete.*layers\.1\.mlp\.up_proj"):
        ask(copy, [raw("a")])


def test_a_hub_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    code = """
from tasks.models.checkpoint import find_checkpoint, free_ram
try:
    find_checkpoint("nobody/nothing")
except ValueError as error:
    print(error)
"""
    ended = run_python(code, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path))
    assert ended.stdout == (
        "the model cannot be reached on the Hub: nobody/nothing (check the name and the network, or name a folder)\n"
    )


def test_a_hub_model_fetched_before_is_known_by_its_commit_without_a_network(tmp_path: Path, folder: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "models--some--model"
    shutil.copytree(folder, cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    code = "from tasks.models.checkpoint import find_checkpoint as f\nprint(f('some/model').identity)"
    assert run_python(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)).stdout == f"some/model@{commit}\n"
