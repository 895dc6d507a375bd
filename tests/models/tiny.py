"""A tiny random Llama and a byte-level tokenizer with a chat template, saved as a model folder in under a second.

Its texts make no sense, but are as hard as any: characters broken across tokens, special tokens, no end.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.draft import special_tokens
from tasks.models.local.local import LocalModel, load_local

CHATML = (
    "{% for m in messages %}{% if m.role == 'system' and m.content == 'refuse' %}"
    "{{ raise_exception('no system role') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "The still-room is where a house distilled and kept its preserves, its cordials and its scents.",
    "Der Eßlöffel voll Zucker wird über Nacht in Wasser gelöst; naïve Köche rühren zu früh.",
    "蒸留室は、家が果物の砂糖漬けや香水を作り、保存した部屋である。🍓🍋🌹",
]
NEW_TOKENS = 16
COUNT = 24
GREEDY = Sampling(temperature=0, max_new_tokens=NEW_TOKENS)
WARM = Sampling(temperature=1.0, max_new_tokens=NEW_TOKENS)


@contextmanager
def one_thread() -> Iterator[None]:
    """Tiny products gain nothing from threads, and lose much where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_tokenizer(vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Byte-level BPE over three sentences, with ChatML turn tokens. Puts a BOS before a text unless told not to."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], tokenizer.token_to_id(SPECIAL[0]))]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[0], additional_special_tokens=SPECIAL[1:]
    )
    wrapped.chat_template = CHATML
    return wrapped


def byte_fallback_tokenizer() -> PreTrainedTokenizerFast:
    """As SentencePiece does it: every token a byte, decoded together, or not at all where they make no character."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def tiny_llama(vocabulary: int, **changes: Any) -> LlamaConfig:
    """Two layers, four heads on two key/value heads, 32 wide. Large initial weights, so that texts vary."""
    shape = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
    }
    return LlamaConfig(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, **{**shape, **changes})


def save_tiny_model(folder: Path, config: Any = None, seed: int = 0, *, endless: bool = False) -> Path:
    """Write a model folder: random weights of `config` (default: `tiny_llama`), tokenizer, chat template.

    An `endless` model never writes a special token when greedy: their logits are 0, and some other is above.
    """
    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config or tiny_llama(len(tokenizer)), dtype=torch.float32)
    if endless:
        with torch.no_grad():
            model.lm_head.weight[: len(SPECIAL)] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


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
    ends = sorted(special_tokens(tokenizer))
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


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
