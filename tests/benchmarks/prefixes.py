"""Judge prompts that share a rubric: the local model with what they share read once, against each read as a whole.

    python -m tests.benchmarks.prefixes [--rounds 3]

A random Llama of SmolLM2-135M's shape, in bfloat16 on the CPU. 96 prompts with 600 shared tokens and 60 of their own,
all in flight, answers of 16 tokens. The two take turns; the medians are compared. The bar is 4 x.
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
from transformers import LlamaConfig

from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local import batch
from tasks.models.local.local import load_local
from tests.benchmarks.local_model import save_model

PROMPTS, SHARED, OWN, NEW_TOKENS = 96, 600, 60, 16
BAR = 4.0
SMOLLM2 = LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    tie_word_embeddings=True,
    bos_token_id=None,
    eos_token_id=None,
)


def prompts() -> list[str]:
    """Texts whose words are tokens."""
    draw = random.Random(0)

    def words(count: int) -> str:
        return " ".join(f"w{draw.randrange(SMOLLM2.vocab_size)}" for _ in range(count))

    shared = words(SHARED)
    return [f"{shared} {words(OWN)}" for _ in range(PROMPTS)]


async def answers(folder: str, texts: list[str], prefix_share: float) -> tuple[list[Completion], float]:
    """The completions of all texts, and the seconds that they took once the weights were there."""
    shipped, batch.PREFIX_SHARE = batch.PREFIX_SHARE, prefix_share
    model = load_local(ModelConfig(name=folder, max_in_flight=PROMPTS, device="cpu", dtype="bfloat16"))
    sampling = Sampling(temperature=0, max_new_tokens=NEW_TOKENS)
    try:
        await model.complete(Request(sampling, seed=0, prompt="w5 w6 w7"))  # loads
        started = time.perf_counter()
        requests = [Request(sampling, seed=index, prompt=text, order=index) for index, text in enumerate(texts)]
        completions = await asyncio.gather(*map(model.complete, requests))
        return completions, time.perf_counter() - started
    finally:
        batch.PREFIX_SHARE = shipped
        await model.close()


def main() -> None:
    """Run and print one line."""
    parser = argparse.ArgumentParser(description="prompts that share a beginning, with and without sharing it")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; medians are compared")
    rounds = parser.parse_args().rounds
    whole, shared = [], []
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), SMOLLM2, torch.bfloat16)
        texts = prompts()
        for _ in range(rounds):
            for share, seconds in ((0.0, whole), (batch.PREFIX_SHARE, shared)):
                completions, took = asyncio.run(answers(folder, texts, share))
                assert all(completion.completion_tokens == NEW_TOKENS for completion in completions)
                seconds.append(took)
    slow, fast = statistics.median(whole), statistics.median(shared)
    print(
        f"prefixes: each prompt read as a whole {slow:.1f} s, what they share once {fast:.1f} s: {slow / fast:.1f} x "
        f"(bar {BAR:g} x; {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
