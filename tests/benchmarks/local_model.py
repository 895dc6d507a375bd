"""Local generation: `LocalModel` against one-prompt-at-a-time `model.generate`, tokens per second, side by side.

    python -m tests.benchmarks.local_model [--in-flight 64] [--temperature 0] [--rounds 3]

A random Llama of 5.8 M parameters (hidden 256, 6 layers, 4 heads, feed-forward 688, 4,096 words, tied), fp32. 192
prompts of 8 to 200 tokens, 64 new tokens each, no end token. The reference (with its key/value cache, as usual) does
32 of them, spread over the same lengths. The two take turns; the medians are compared. The bar is 4.5 x.

On busy cores LocalModel loses more than the reference, whose products are too small to be shared between threads.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.local import LocalModel, load_local

WORDS = 4096
PROMPTS, REFERENCE_PROMPTS = 192, 32
SHORTEST, LONGEST, NEW_TOKENS = 8, 200, 64
BAR = 4.5


SMALL = LlamaConfig(
    vocab_size=WORDS,
    hidden_size=256,
    intermediate_size=688,
    num_hidden_layers=6,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=512,
    tie_word_embeddings=True,
    bos_token_id=None,
    eos_token_id=None,
)


def save_model(folder: Path, config: LlamaConfig = SMALL, dtype: torch.dtype = torch.float32) -> None:
    """A random model whose tokens are whole words, so that a prompt has as many tokens as words."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=dtype).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(config.vocab_size)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.decoder = decoders.WordPiece(prefix="##")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)


def prompts() -> list[str]:
    """Prompts of evenly spread lengths, in random order."""
    draw = random.Random(0)
    lengths = [SHORTEST + (LONGEST - SHORTEST) * index // (PROMPTS - 1) for index in range(PROMPTS)]
    draw.shuffle(lengths)
    return [" ".join(f"w{draw.randrange(WORDS)}" for _ in range(length)) for length in lengths]


def one_at_a_time(folder: Path, texts: list[str], temperature: float) -> tuple[list[str], float]:
    """The texts that `generate` writes, and its tokens per second."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    options = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    written = []
    started = time.perf_counter()
    for text in texts:
        asked = tokenizer(text, return_tensors="pt")["input_ids"]
        output = model.generate(
            asked, attention_mask=torch.ones_like(asked), max_new_tokens=NEW_TOKENS, pad_token_id=0, **options
        )
        assert output.shape[1] == asked.shape[1] + NEW_TOKENS
        written.append(tokenizer.decode(output[0, asked.shape[1] :]))
    return written, len(texts) * NEW_TOKENS / (time.perf_counter() - started)


async def in_batches(model: LocalModel, texts: list[str], temperature: float) -> tuple[list[Completion], float]:
    """The completions of `LocalModel`, asked all at once, and its tokens per second."""
    sampling = Sampling(temperature=temperature, max_new_tokens=NEW_TOKENS)
    requests = [Request(sampling, seed=index, prompt=text, order=index) for index, text in enumerate(texts)]
    started = time.perf_counter()
    completions = await asyncio.gather(*map(model.complete, requests))
    seconds = time.perf_counter() - started
    assert all(completion.completion_tokens == NEW_TOKENS for completion in completions)
    return completions, len(texts) * NEW_TOKENS / seconds


async def compare(folder: Path, in_flight: int, temperature: float, rounds: int) -> tuple[list[float], list[float]]:
    """Tokens per second in each round: of `generate`, and of `LocalModel`."""
    texts = prompts()
    subset = texts[:: PROMPTS // REFERENCE_PROMPTS]
    config = ModelConfig(name=str(folder), max_in_flight=in_flight, device="cpu", dtype="float32")
    model = load_local(config)
    await in_batches(model, texts[:8], temperature)  # loads
    slow, fast = [], []
    for _ in range(rounds):
        written, speed = one_at_a_time(folder, subset, temperature)
        slow.append(speed)
        completions, speed = await in_batches(model, texts, temperature)
        fast.append(speed)
        if not temperature:
            assert [completion.text for completion in completions[:: PROMPTS // REFERENCE_PROMPTS]] == written
    await model.close()
    return slow, fast


def main() -> None:
    """Run and print one line."""
    parser = argparse.ArgumentParser(description="LocalModel against one-prompt-at-a-time generate")
    parser.add_argument("--in-flight", type=int, default=64, help="rows in one batch")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; medians are compared")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder))
        rounds = asyncio.run(compare(Path(folder), options.in_flight, options.temperature, options.rounds))
    slow, fast = map(statistics.median, rounds)
    best_slow, best_fast = map(max, rounds)
    print(
        f"local model: generate {slow:.0f} tok/s, LocalModel {fast:.0f} tok/s, {fast / slow:.1f} x (bar {BAR} x; best "
        f"rounds {best_slow:.0f} and {best_fast:.0f}, {best_fast / best_slow:.1f} x; {torch.get_num_threads()} threads, "
        f"{options.in_flight} in flight, temperature {options.temperature:g}, load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
