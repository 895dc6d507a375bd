"""Tiny models that say one answer in their family's true format: the family's chat template, its special tokens, and a
Llama of two layers that has learnt, in seconds, to write those tokens whatever it is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.models.answers.thinking import variables_of
from tasks.models.base import Message
from tests.models.answers.templates import TEMPLATES

FOUR, SUM = "It is four.", "2 + 2 is 4."
MARKS = re.compile(r"<[^<>\s]+>|\[e~\[|\]~!?b[\[\]]|〈\|[^〉\s]*\|〉|\[/?[A-Z_]{2,}\]|\[gMASK\]")
STEPS, LEARNT = 600, 0.005  # of training, at most; the loss at which it ends
VOCABULARY = 1500  # so that long system prompts become few tokens


@dataclass(frozen=True)
class Family:
    """What a model of a family writes after its generation prompt, to the token that ends its turn."""

    template: str
    writes: str
    eos: str
    thinking: str = "model"
    reasons: bool = True


FAMILIES = {
    "gpt-oss": Family(
        "openai-gpt-oss-120b",
        f"<|channel|>analysis<|message|>{SUM}<|end|><|start|>assistant<|channel|>final<|message|>{FOUR}<|return|>",
        "<|return|>",
    ),
    "gemma-4, thinking": Family(
        "google-gemma-4-31B-it", f"<|channel>thought\n{SUM}\n<channel|>{FOUR}<turn|>", "<eos>", "on"
    ),
    "gemma-4": Family("google-gemma-4-31B-it", f"{FOUR}<turn|>", "<eos>", reasons=False),
    "Kimi-K3": Family(
        "Kimi-K3",
        f"{SUM}<|close|>think<|sep|><|open|>response<|sep|>{FOUR}<|close|>response<|sep|><|close|>message<|sep|>"
        "<|end_of_msg|>",
        "<|end_of_msg|>",
    ),
    "Solar Open": Family(
        "upstage-Solar-Open-100B", f"<|think|>{SUM}<|end|><|begin|>assistant<|content|>{FOUR}<|end|>", "<|endoftext|>"
    ),
    "Apriel": Family("Apriel-1.6-15b-Thinker-fixed", f"{SUM}\n[BEGIN FINAL RESPONSE]\n{FOUR}\n<|end|>", "<|end|>"),
    "Qwen3.5": Family("Qwen3.5-4B", f"{SUM}\n</think>\n\n{FOUR}<|im_end|>", "<|im_end|>"),
    "Qwen3.5, not thinking": Family("Qwen3.5-4B", f"{FOUR}<|im_end|>", "<|im_end|>", "off", reasons=False),
    "DeepSeek-V4": Family(
        "deepseek-ai-DeepSeek-V4", f"{FOUR}<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>", reasons=False
    ),
    "DeepSeek-V4, thinking": Family(
        "deepseek-ai-DeepSeek-V4", f"{SUM}</think>{FOUR}<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "on"
    ),
    "GLM-4.7": Family("GLM-4.7-Flash", f"{SUM}</think>{FOUR}<|user|>", "<|endoftext|>"),
    "Seed-OSS": Family("ByteDance-Seed-OSS", f"<seed:think>{SUM}</seed:think>\n{FOUR}<seed:eos>", "<seed:eos>"),
    "MiniMax-M2": Family("MiniMax-M2", f"{SUM}\n</think>\n\n{FOUR}[e~[", "[e~["),
    "Laguna, thinking": Family("poolside-Laguna-XS.2", f"\n{SUM}\n</think>\n{FOUR}\n</assistant>", "〈|EOS|〉", "on"),
}


def family_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Bytes, and every mark of the template as a special token of its own."""
    template = TEMPLATES[family.template]["chat_template"]
    shown = TEMPLATES[family.template]["sft_rendering"] + TEMPLATES[family.template]["generation_prompt"]
    marks = [m for m in MARKS.findall(shown + family.writes) if m not in ("<BOS>", "<EOS>")]
    special = list(dict.fromkeys(["<bos>", family.eos, *marks]))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator([MARKS.sub(" ", shown), *[SUM, FOUR] * 200], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token=family.eos,
        extra_special_tokens=special[2:],
        chat_template=template,
    )


def prompt_of(family: Family, messages: Sequence[Message]) -> str:
    """What a model of this family reads before it answers, today."""
    tokenizer = family_tokenizer(family)
    variables = variables_of(tokenizer, family.thinking)
    return str(tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False, **variables))


def save_family(folder: Path, family: Family, prompts: Sequence[str]) -> Path:
    """Write a model folder that answers these prompts (rendered, as text) as its family would."""
    tokenizer: Any = family_tokenizer(family)
    answer = tokenizer(family.writes, add_special_tokens=False)["input_ids"]
    asked = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        loss = torch.stack([_loss(model, ids, answer) for ids in asked]).max()
        if float(loss.detach()) < LEARNT:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    else:
        raise AssertionError(f"the model has not learnt its answer: {float(loss.detach()):.3f}")
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _loss(model: Any, asked: Sequence[int], answer: Sequence[int]) -> torch.Tensor:
    ids = torch.tensor([[*asked, *answer]])
    labels = ids.clone()
    labels[:, : len(asked)] = -100
    loss: torch.Tensor = model(input_ids=ids, labels=labels).loss
    return loss
