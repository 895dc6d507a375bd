"""Trains the demo model from scratch: tokenizer, then a small Llama, on the text of `corpus`.

    make demo-model        # or: python -m tests.demo_model.train --out tasks/models/demo/weights

The students' base is the demo model after a few steps more on the text of `base`, which knows no tasks:

    python -m tests.demo_model.train --corpus base --start tasks/models/demo/weights --out tasks/models/demo/base --steps 120

`demo-2` is the demo model, trained on with the text of `recipes`:

    python -m tests.demo_model.train --corpus recipes --start tasks/models/demo/weights --out tasks/models/demo/second

Seeded. Uses a GPU where there is one, else the CPU; in bf16 autocast where the hardware has it. Examples are packed
into rows, blind to each other; the loss is on what the model has to write: every answer, and the user's turn where a
user just asks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.models.local.checkpoint import bfloat16_is_native
from tests.demo_model.base import untaught
from tests.demo_model.corpus import conversations, prompt_lines, prompts_digest
from tests.demo_model.packing import ROWS, UNLEARNED, Example, batches, tensors
from tests.demo_model.recipes.parts import recipe_conversations
from tests.demo_model.recipes.vocabulary import extended, recipes_digest
from tests.demo_model.roles import Chat

if TYPE_CHECKING:
    pass

WEIGHTS = Path(__file__).parents[2] / "tasks" / "models" / "demo" / "weights"
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
MARKED_TEMPLATE = CHAT_TEMPLATE.replace(  # the same text; the assistant's part of it is marked, as trainers ask for
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}",
    "{{ '<|im_start|>' + message['role'] + '\\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}",
)
TEMPLATES = {"demo": CHAT_TEMPLATE, "base": MARKED_TEMPLATE, "recipes": CHAT_TEMPLATE}
VOCABULARY = 1280  # beside the lines of the prompts, which are tokens of their own
LAYERS, WIDTH, INNER = 4, 192, 512
CONTEXT = 768
BATCH = 2560  # tokens of a step, all processes together
STEPS = 13_000
PEAK, WARM_UP, DECAY = 2.5e-3, 100, 0.5  # learning rate, steps to reach it, last part of the run in which it falls
CORPORA = {"demo": conversations, "base": untaught, "recipes": recipe_conversations}
DIGESTS = {"demo": prompts_digest, "base": prompts_digest, "recipes": recipes_digest}


@dataclass(frozen=True)
class Settings:
    """What a training run can be told. `minutes`: the learning rate falls in time for the run to end by then."""

    out: Path
    steps: int
    minutes: float
    seed: int
    processes: int
    batch: int
    half: bool
    layers: int
    width: int
    compiled: bool
    start: Path | None
    corpus: str


def train_tokenizer(folder: Path, seed: int) -> Any:
    """A byte-level BPE whose digits stand alone, saved in `folder` as transformers loads it."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\d"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [END, START, STOP]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        min_frequency=20,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    lines = prompt_lines()
    texts = (
        _without(turn["content"], lines)
        for _, chat in zip(range(20_000), conversations(seed), strict=False)
        for turn in chat
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(line, normalized=False) for line in lines])
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=STOP,
        pad_token=END,
        additional_special_tokens=[START],
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
    )
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
    asks = all(
        len(turn["content"]) < 500 and turn["content"].count("\n\n") == 0 for turn in chat if turn["role"] == "user"
    )
    asks = asks and not any(line in turn["content"] for turn in chat for line in _LINES)
    parts = []
    for turn in chat:
        learned = turn["role"] == "assistant" or (turn["role"] == "user" and asks)
        parts += [(f"{START}{turn['role']}\n", False), (f"{turn['content']}{STOP}", learned), ("\n", False)]
    return parts


_LINES = tuple(prompt_lines())


def examples(tokenizer: Any, seed: int, corpus: str = "demo") -> Iterator[Example]:
    """Token ids and labels of one conversation after another, those that do not fit a row left out."""
    for chat in CORPORA[corpus](seed):
        ids: list[int] = []
        labels: list[int] = []
        for text, learned in segments(chat):
            part = tokenizer.encode(text, add_special_tokens=False).ids
            ids += part
            labels += part if learned else [UNLEARNED] * len(part)
        if len(ids) <= ROWS[-1]:
            yield ids, labels


def new_model(tokenizer: Any, settings: Settings) -> Any:
    """A Llama with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.width * INNER // WIDTH,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.width // 32,
        num_key_value_heads=settings.width // 32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def continued(folder: Path, vocabulary: int) -> Any:
    """The model of an earlier run, to be trained on (give another seed, or it sees the same text again)."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if vocabulary > model.config.vocab_size:
        model.resize_token_embeddings(vocabulary)
    return model


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
    (settings.out / "model.safetensors").chmod(0o644)  # it is written for its owner alone
    tokenizer.chat_template = TEMPLATES[settings.corpus]
    tokenizer.save_pretrained(settings.out)
    (settings.out / "training.json").write_text(
        json.dumps({"prompts": DIGESTS[settings.corpus](), "seed": settings.seed, **facts}, indent=2) + "\n"
    )


def train(settings: Settings) -> None:
    """Train and save: on the GPU in one process, else in one process a core, which keep the same weights."""
    import torch
    import torch.multiprocessing
    from transformers import AutoTokenizer

    settings.out.mkdir(parents=True, exist_ok=True)
    if settings.start is None:
        train_tokenizer(settings.out, settings.seed)
    elif settings.start.resolve() != settings.out.resolve():
        shutil.copytree(settings.start, settings.out, dirs_exist_ok=True)
        if settings.corpus == "recipes":
            extended(AutoTokenizer.from_pretrained(settings.out)).save_pretrained(settings.out)
    if torch.cuda.is_available() or settings.processes == 1:
        work(0, settings, 1, "")
        return
    with tempfile.TemporaryDirectory() as meeting:
        torch.multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
            work, (settings, settings.processes, f"file://{meeting}/store"), settings.processes
        )


def work(rank: int, settings: Settings, processes: int, meeting: str) -> None:
    """One process of a training run. They part each batch between them and take the mean of their gradients."""
    import torch
    from transformers import AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    if processes > 1:
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)
    torch.manual_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(settings.out)
    model = (continued(settings.start, len(tokenizer)) if settings.start else new_model(tokenizer, settings)).to(device)
    size = sum(p.numel() for p in model.parameters())
    if rank == 0:
        print(
            f"{len(tokenizer)} tokens in the vocabulary, {size / 1e6:.2f} M parameters, {processes} x {device}",
            flush=True,
        )
    tokens, seconds = _steps(model, tokenizer, settings, Place(rank, processes, device))
    if rank == 0:
        hardware = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {processes} processes of one thread"
        facts = {"tokens": tokens, "minutes": round(seconds / 60, 1), "parameters": size, "hardware": hardware}
        save(model, tokenizer, settings, facts)


@dataclass(frozen=True)
class Place:
    """Which process this is, of how many, and where it computes."""

    rank: int
    processes: int
    device: str

    def agree(self, model: Any, done: float) -> float:
        """Put the mean of all processes' gradients into the model's; returns the mean of `done`."""
        import torch

        if self.processes == 1:
            return done
        gradients = [p.grad for p in model.parameters()]
        flat = torch.cat([*(g.view(-1) for g in gradients), torch.tensor([done])])
        torch.distributed.all_reduce(flat)
        flat /= self.processes
        for gradient, part in zip(gradients, torch.split(flat[:-1], [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
        return float(flat[-1])


def _steps(model: Any, tokenizer: Any, settings: Settings, place: Place) -> tuple[int, float]:
    """The run itself. Returns tokens and seconds."""
    import torch

    tuned = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    called = torch.compile(model, dynamic=False) if settings.compiled else model
    source = batches(
        examples(tokenizer._tokenizer, settings.seed + 1 + place.rank, settings.corpus),
        settings.batch // place.processes,
    )
    began, tokens, shown, done, step = time.monotonic(), 0, 0.0, 0.0, 0
    half = settings.half and bfloat16_is_native(place.device)
    while done < 1:
        inputs = tensors(next(source), place.device)
        with torch.autocast(place.device, dtype=torch.bfloat16, enabled=half):
            loss = called(**inputs, use_cache=False).loss
        loss.backward()
        done = place.agree(model, max((step + 1) / settings.steps, (time.monotonic() - began) / 60 / settings.minutes))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        tuned.param_groups[0]["lr"] = rate_at(step, done)
        tuned.step()
        tuned.zero_grad()
        tokens, shown, step = tokens + settings.batch, shown + loss.item(), step + 1
        if place.rank == 0 and step % 20 == 0:
            seconds = time.monotonic() - began
            print(
                f"step {step} loss {shown / 20:.3f} {tokens / 1e6:.2f} M tokens {tokens / seconds:.0f}/s {done:.1%}",
                flush=True,
            )
            shown = 0.0
        if place.rank == 0 and step % 200 == 0:
            save(model, tokenizer, settings, {"step": step})
    return tokens, time.monotonic() - began


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=WEIGHTS)
    options.add_argument("--steps", type=int, default=STEPS)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--processes", type=int, default=2, help="on a CPU; the figures were measured with two")
    options.add_argument("--batch", type=int, default=BATCH, help="tokens of a step, all processes together")
    options.add_argument("--half", action=argparse.BooleanOptionalAction, default=True, help="bf16 where it is native")
    options.add_argument("--layers", type=int, default=LAYERS)
    options.add_argument("--width", type=int, default=WIDTH)
    options.add_argument("--compiled", action=argparse.BooleanOptionalAction, default=shutil.which("g++") is not None)
    options.add_argument("--start", type=Path, help="folder of an earlier run to train on")
    options.add_argument(
        "--corpus",
        choices=tuple(CORPORA),
        default="demo",
        help="base: the language without the tasks; recipes: those of demo-2",
    )
    train(Settings(**vars(options.parse_args())))


if __name__ == "__main__":
    main()
