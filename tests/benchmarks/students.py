"""What a student of `stillroom prove` takes: seconds and memory of a process that trains one, beside a plain TRL script.

    python -m tests.benchmarks.students [ROWS]        # default: 160 answers, and half as many pairs after them

Both train `demo-base` on the same rows with the same settings, each in a process of its own, on one thread. Seconds are those of
the processor, imports among them.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.models.open import BUILT_IN
from tests.benchmarks.lines import Line
from tests.demo_model.answers import answered
from tests.demo_model.domain import a_question

BASE = str(BUILT_IN["demo-base"])
ROWS, EPOCHS, BATCH, RATE = 160, 1, 16, 1e-3
TIMES_S, TIMES_MB = 1.25, 1.15  # as much as the plain script


def main() -> None:
    """A line for answers, and one for pairs."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        for kind, count in (("sft", rows), ("dpo", rows // 2)):
            file = Path(folder) / f"{kind}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in made(kind, count)))
            ours, plain = (took(how, kind, file) for how in ("ours", "plain"))
            figure = f"{ours['cpu_s']:.1f} s of a core, peak {ours['peak_mb']:,.0f} MB"
            ideal = f"{plain['cpu_s']:.1f} s and {plain['peak_mb']:,.0f} MB, a plain TRL script"
            apart = max(abs(a - b) for a, b in zip(ours["losses"], plain["losses"], strict=True))
            met = (
                ours["cpu_s"] <= TIMES_S * plain["cpu_s"]
                and ours["peak_mb"] <= TIMES_MB * plain["peak_mb"]
                and apart <= 1e-4
            )
            bar = f"{TIMES_S} times the seconds, {TIMES_MB} times the memory, losses within 1e-4 (here {apart:.0e})"
            print(Line(f"student, {kind}, {count} rows", figure, ideal, bar, met), flush=True)


def made(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of the demo's domain: right answers, or a right one against a wrong one."""
    rng = random.Random(0)
    for _ in range(count):
        question = a_question(rng)
        sides = [answered(question, "full", rng, right=right).text for right in (True, False)]
        turns = [[{"role": "assistant", "content": side}] for side in sides]
        prompt = [{"role": "user", "content": question.text}]
        pair = {"chosen": turns[0], "rejected": turns[1]}
        yield {"prompt": prompt} | ({"completion": turns[0]} if kind == "sft" else pair)


def took(how: str, kind: str, file: Path) -> dict[str, Any]:
    """A training in a process of its own: seconds, peak memory, losses."""
    command = [sys.executable, "-m", "tests.benchmarks.students", how, kind, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def train_here(how: str, kind: str, file: str) -> None:
    """Train in this process, and say as a line of JSON what it took."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        losses = (ours_trained if how == "ours" else plainly_trained)(kind, file, folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024, "losses": losses}))


def ours_trained(kind: str, file: str, folder: str) -> list[float]:
    """The losses of a student."""
    from tasks.train.lessons import lessons_of
    from tasks.train.settings import Training
    from tasks.train.student import Student

    training = Training(epochs=EPOCHS, batch=BATCH, learning_rate=RATE, lora=0)
    student = Student(BASE, lessons_of(file, None), training)
    student.train(Path(folder))
    return [loss for _, loss in (student.told(Path(folder)) or {})["losses"]]


def plainly_trained(kind: str, file: str, folder: str) -> list[float]:
    """The losses of what a user would write, weights saved in the end as a student's are."""
    import trl
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = kind.upper()
    arguments = getattr(trl, f"{name}Config")(
        output_dir=folder,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        max_length=1024,
        seed=0,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
    )
    trainer = getattr(trl, f"{name}Trainer")(
        AutoModelForCausalLM.from_pretrained(BASE, dtype="float32"),
        args=arguments,
        train_dataset=load_dataset("json", data_files=file, split="train", cache_dir=folder),
        processing_class=AutoTokenizer.from_pretrained(BASE),
    )
    trainer.train()
    trainer.save_model(folder)
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


if __name__ == "__main__":
    train_here(*sys.argv[1:]) if sys.argv[1:2] in (["ours"], ["plain"]) else main()
