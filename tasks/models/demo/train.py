"""Trains the demo model from scratch: tokenizer, then a small Llama, on the text of `corpus`.

    make demo-model        # or: python -m tasks.models.demo.train --out tasks/models/demo/weights

Seeded. Uses a GPU where there is one (bf16), else all cores in fp32. Examples are packed into rows, blind to each
other; the loss is on what the model has to write: every answer, and the user's turn where a user just asks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.models.demo.corpus import conversations, prompt_lines, prompts_digest
from tasks.models.demo.roles import Chat

if TYPE_CHECKING:
    import torch

WEIGHTS = Path(__file__).parent / "weights"
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
VOCABULARY = 1280  # beside the lines of the prompts, which are tokens of their own
LAYERS, WIDTH, INNER, HEADS = 5, 192, 512, 6
CONTEXT = 2048
ROW = 400  # tokens of a packed row
ROWS = 12  # rows of a step
STEPS = 2600
PEAK, WARM_UP, DECAY = 3e-3, 100, 0.45  # learning rate, steps to reach it, last part of the run in which it falls
UNLEARNED = -100


@dataclass(frozen=True)
class Settings:
    """What a training run can be told. `minutes`: the learning rate falls in time for the run to end by then."""

    out: Path
    steps: int
    minutes: float
    seed: int
    threads: int
    layers: int
    width: int
    optimizer: str


def train_tokenizer(folder: Path, seed: int) -> Any:
    """A byte-level BPE whose digits stand alone, saved in `folder` as transformers loads it."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r" ?\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    special = [END, START, STOP]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, min_frequency=20, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    lines = prompt_lines()
    texts = (_without(turn["content"], lines) for _, chat in zip(range(20_000), conversations(seed), strict=False) for turn in chat)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(line, normalized=False) for line in lines])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=STOP, pad_token=END, additional_special_tokens=[START],
                                   clean_up_tokenization_spaces=False, model_max_length=CONTEXT)  # fmt: skip
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return fast


def _without(text: str, lines: list[str]) -> str:
    for line in lines:
        text = text.replace(line, "")
    return text


def segments(chat: Chat) -> list[tuple[str, bool]]:
    """The chat in the template's text, cut where learning begins and ends.

    A user's turn is learned only if it just asks (`magpie` draws such turns): a rendered prompt is never to be written.
    """
    asks = all(len(turn["content"]) < 500 and turn["content"].count("\n\n") == 0 for turn in chat if turn["role"] == "user")
    asks = asks and not any(line in turn["content"] for turn in chat for line in _LINES)
    parts = []
    for turn in chat:
        learned = turn["role"] == "assistant" or (turn["role"] == "user" and asks)
        parts += [(f"{START}{turn['role']}\n", False), (f"{turn['content']}{STOP}", learned), ("\n", False)]
    return parts


_LINES = tuple(prompt_lines())


def examples(tokenizer: Any, seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Token ids and labels of one conversation after another, those that do not fit a row left out."""
    for chat in conversations(seed):
        ids: list[int] = []
        labels: list[int] = []
        for text, learned in segments(chat):
            part = tokenizer.encode(text, add_special_tokens=False).ids
            ids += part
            labels += part if learned else [UNLEARNED] * len(part)
        if len(ids) <= ROW:
            yield ids, labels


def packed(source: Iterator[tuple[list[int], list[int]]], rows: int) -> Iterator[list[list[tuple[list[int], list[int]]]]]:
    """Batches of rows, each row a list of examples that fit into it: the first row with room takes an example."""
    waiting: list[tuple[list[int], list[int]]] = []
    while True:
        bins: list[list[tuple[list[int], list[int]]]] = [[] for _ in range(rows)]
        room, missed = [ROW] * rows, list[tuple[list[int], list[int]]]()
        while len(missed) < 24:
            example = waiting.pop(0) if waiting else next(source)
            place = next((i for i in range(rows) if room[i] >= len(example[0])), None)
            if place is None:
                missed.append(example)
            else:
                bins[place].append(example)
                room[place] -= len(example[0])
        waiting = missed + waiting
        yield bins


def feed(queue: Any, folder: str, seed: int, rows: int) -> None:
    """Puts packed batches into a queue, from a process of its own."""
    from tokenizers import Tokenizer

    for batch in packed(examples(Tokenizer.from_file(f"{folder}/tokenizer.json"), seed), rows):
        queue.put(batch)


def tensors(batch: list[list[tuple[list[int], list[int]]]], device: str) -> dict[str, torch.Tensor]:
    """The model's inputs for a packed batch: ids, labels, positions and who may look at whom."""
    import torch

    shape = (len(batch), ROW)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, UNLEARNED)
    positions, owner = torch.zeros(shape, dtype=torch.long), torch.full(shape, -1)
    for r, row in enumerate(batch):
        at = 0
        for number, (tokens, wanted) in enumerate(row):
            end = at + len(tokens)
            ids[r, at:end], labels[r, at:end] = torch.tensor(tokens), torch.tensor(wanted)
            positions[r, at:end], owner[r, at:end] = torch.arange(len(tokens)), number
            at = end
    mask = (owner[:, None, :, None] == owner[:, None, None, :]) & torch.ones(ROW, ROW, dtype=torch.bool).tril()
    made = {"input_ids": ids, "labels": labels, "position_ids": positions, "attention_mask": mask}
    return {name: tensor.to(device) for name, tensor in made.items()}


def new_model(tokenizer: Any, settings: Settings) -> Any:
    """A Llama with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=settings.width, intermediate_size=settings.width * INNER // WIDTH,
        num_hidden_layers=settings.layers, num_attention_heads=settings.width // 32, num_key_value_heads=settings.width // 32,
        max_position_embeddings=CONTEXT, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def optimizers(model: Any, kind: str) -> list[Any]:
    """Muon for the matrices of the layers and AdamW for the rest, or AdamW alone."""
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name and kind == "muon"]
    rest = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    made: list[Any] = [torch.optim.AdamW(rest, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01, fused=True)]
    if matrices:
        made.append(torch.optim.Muon(matrices, lr=PEAK, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"))
    return made


def rate_at(step: int, done: float) -> float:
    """The learning rate at a step: up, level, and down to zero over the last part; `done` is how much of the run is over."""
    return PEAK * min(1.0, (step + 1) / WARM_UP) * min(1.0, (1 - min(done, 1.0)) / DECAY + 0.002)


def save(model: Any, tokenizer: Any, settings: Settings, facts: dict[str, Any]) -> None:
    """Write the folder that transformers loads: float16 weights, tokenizer, config, and what it was trained on."""
    import copy

    import torch

    half = copy.deepcopy(model).to(torch.float16)
    half.generation_config.eos_token_id = tokenizer.eos_token_id
    half.save_pretrained(settings.out)
    tokenizer.save_pretrained(settings.out)
    (settings.out / "training.json").write_text(json.dumps({"prompts": prompts_digest(), "seed": settings.seed, **facts}, indent=2) + "\n")


def train(settings: Settings) -> None:
    """Train and save. Prints the loss as it goes."""
    import torch

    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    settings.out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(settings.out, settings.seed)
    model = new_model(tokenizer, settings).to(device)
    size = sum(p.numel() for p in model.parameters())
    print(f"{len(tokenizer)} tokens in the vocabulary, {size / 1e6:.2f} M parameters, on {device}", flush=True)
    queue: Any = multiprocessing.get_context("spawn").Queue(maxsize=32)
    feeder = multiprocessing.get_context("spawn").Process(
        target=feed, args=(queue, str(settings.out), settings.seed + 1, ROWS), daemon=True
    )
    feeder.start()
    try:
        tokens, seconds = _steps(model, tokenizer, settings, queue, device)
    finally:
        feeder.terminate()
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {settings.threads} threads"
    save(model, tokenizer, settings, {"tokens": tokens, "minutes": round(seconds / 60, 1), "parameters": size, "hardware": hardware})


def _steps(model: Any, tokenizer: Any, settings: Settings, queue: Any, device: str) -> tuple[int, float]:
    import torch

    tuned, began, tokens, shown = optimizers(model, settings.optimizer), time.monotonic(), 0, 0.0
    for step in range(settings.steps):
        done = max(step / settings.steps, (time.monotonic() - began) / 60 / settings.minutes)
        if done >= 1:
            break
        inputs = tensors(queue.get(), device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = model(**inputs, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in tuned:
            for group in one.param_groups:
                group["lr"] = rate_at(step, done)
            one.step()
            one.zero_grad()
        tokens += int((inputs["position_ids"] > 0).sum())
        shown += loss.item()
        if (step + 1) % 20 == 0:
            seconds = time.monotonic() - began
            print(f"step {step + 1} loss {shown / 20:.3f} {tokens / 1e6:.2f} M tokens {tokens / seconds:.0f}/s {done:.0%}", flush=True)
            shown = 0.0
        if (step + 1) % 250 == 0:
            save(model, tokenizer, settings, {"step": step + 1})
    return tokens, time.monotonic() - began


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=WEIGHTS)
    options.add_argument("--steps", type=int, default=STEPS)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--layers", type=int, default=LAYERS)
    options.add_argument("--width", type=int, default=WIDTH)
    options.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    train(Settings(**vars(options.parse_args())))


if __name__ == "__main__":
    main()
