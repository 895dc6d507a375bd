"""A student: a base model that TRL has trained on lessons, kept in a folder that its whole making names.

    student = Student(base="HuggingFaceTB/SmolLM2-135M-Instruct", lessons=lessons, training=Training(), seed=0)
    folder = student.train(home / "students")         # again: nothing is trained, the folder is there

The folder is made beside its place, by one process at a time, and renamed into it, so one that is there is whole. A
training that was killed goes on from its last checkpoint. TRL's own trainers do the work: the loss curve is that of a plain
script with the same settings.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from functools import cached_property
from importlib.util import find_spec
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError
from tasks.models.local.checkpoint import (
    bfloat16_is_native,
    find_checkpoint,
    load_tokenizer,
    load_weights,
    out_of_memory,
)
from tasks.models.target import open_target
from tasks.notices import tell
from tasks.storage.digest import digest
from tasks.train.lessons import Lesson, Lessons
from tasks.train.measure import written_tokens
from tasks.train.settings import Training

if TYPE_CHECKING:
    from datasets import Dataset

STUDENT_FILE = "student.json"
"""Written into the folder once the student is trained: how, and how the loss fell."""
IN_TRAINING = ".training"
"""The end of the name of a folder in which a student is being trained; beside it is the lock of who trains."""
VERSION = "1"  # of the training: it rises with each change that makes another student of the same lessons
CHECKPOINTS = 20  # steps from one to the next
TOKENS_AT_ONCE = 1024
"""Of a step, with adapters on a CPU: so many tokens take some 4 GB for their gradients, of a model of 135 M parameters."""
ON_CPU = "adapters on a CPU"
"""Part of the key of such students; it changes with what makes others of them."""
WHOLE_STEPS = "whole steps"
AS_THEY_ARE = "tools and calls as they are"
"""Parts of the keys of students that an earlier version taught otherwise."""
TOLD_EACH_S = 60.0


@dataclass(frozen=True)
class Student:
    """A base, what it is taught, and how. `after`: the student of the same base whose weights it begins with."""

    base: str
    lessons: Lessons
    training: Training
    seed: int = 0
    after: Student | None = None

    @cached_property
    def key(self) -> str:
        """A digest of all that the student depends on."""
        shaping = self.training.model_dump_json()
        begins = self.after.key if self.after else find_checkpoint(self.base).identity
        place: list[str | int] = [ON_CPU, self._in_bf16] if self._adapts_on_cpu else []
        whole = [WHOLE_STEPS] if self._adapts_on_cpu and not self._may_divide else []
        exact = [AS_THEY_ARE] if any(map(_is_more_than_talk, self.lessons.taught)) else []
        return digest(VERSION, begins, self.lessons.key, shaping, self.seed, *place, *whole, *exact)

    def told(self, folder: Path) -> dict[str, Any] | None:
        """What was written down of it: steps, losses, tokens, seconds. None where it is not trained yet."""
        path = folder / self.key / STUDENT_FILE
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def train(self, folder: Path) -> Path:
        """The folder with its weights, as transformers loads them. Raises ConfigError where the memory is too small."""
        place = folder / self.key
        if self.told(folder) is not None:
            os.utime(place / STUDENT_FILE)  # the time of its last use: a clean-up keeps what was used of late
            return place
        begins = str(self.after.train(folder)) if self.after else self.base
        work = folder / f"{self.key}{IN_TRAINING}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{self.key}.lock").open("a") as lock:
            flock(lock, LOCK_EX)  # another proof may be training the same student
            if self.told(folder) is None:
                work.mkdir(exist_ok=True)
                told = self._trained(work, begins)
                (work / "weights" / STUDENT_FILE).write_text(json.dumps(told, indent=1), encoding="utf-8")
                (work / "weights").rename(place)
            shutil.rmtree(work, ignore_errors=True)
        return place

    def _trained(self, work: Path, begins: str) -> dict[str, Any]:
        from transformers import trainer_utils

        last_checkpoint: Any = trainer_utils.get_last_checkpoint
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # TRL uses names that transformers is about to retire
                trainer = self._trainer(work, begins)
                said = trainer.train(resume_from_checkpoint=last_checkpoint(str(work)))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) and not isinstance(error, MemoryError):
                raise
            told = f"batch {self.training.batch}, max_length {self.training.max_length}"
            fix = "lower --batch or --max-length, or train adapters: --lora 16"
            raise ConfigError("the student does not fit into memory", told, fix) from error
        model = trainer.model.merge_and_unload() if self.training.lora else trainer.model
        if (work / "weights").exists():  # of a training that was killed as it was saved
            shutil.rmtree(work / "weights")
        model.save_pretrained(work / "weights")
        trainer.processing_class.save_pretrained(work / "weights")
        losses = [[line["step"], line["loss"]] for line in trainer.state.log_history if "loss" in line]
        return {
            "base": self.base,
            "after": self.after.key if self.after else None,
            "data": self.lessons.name,
            "kind": self.lessons.kind,
            "seed": self.seed,
            "training": self.training.model_dump(),
            "rows": len(trainer.train_dataset),
            "steps": said.global_step,
            "seconds": round(said.metrics["train_runtime"], 1),
            "losses": losses,
        }

    def _trainer(self, work: Path, begins: str) -> Any:
        """TRL's trainer, ready to begin. Raises ConfigError where its packages or the base are not there."""
        check_trl()
        import trl
        from transformers import PrinterCallback
        from transformers.utils import logging

        bars: Any = logging
        bars.disable_progress_bar()
        getLogger("transformers.trainer_utils").setLevel(
            ERROR
        )  # it says of checkpoints in the same second that clocks are wrong
        model, tokenizer = _opened(begins)
        kinds: Any = trl
        named = "SFT" if self.lessons.kind == "sft" else "DPO"
        trainer, config = getattr(kinds, f"{named}Trainer"), getattr(kinds, f"{named}Config")
        made = trainer(
            model,
            args=config(**self._arguments(work)),
            train_dataset=training_rows(self.lessons),
            processing_class=tokenizer,
            peft_config=self._adapters(),
        )
        made.remove_callback(PrinterCallback)  # the losses are in student.json
        made.add_callback(_progress(f"training on {self.lessons.name}, seed {self.seed}"))
        return made

    def _arguments(self, work: Path) -> dict[str, Any]:
        """What TRL is told, beside its own defaults."""
        assert self.training.batch is not None
        at_once = self._rows_at_once() if self._adapts_on_cpu and self._may_divide else self.training.batch
        return self._loss() | {
            "output_dir": str(work),
            "num_train_epochs": self.training.epochs,
            "max_steps": self.training.steps or -1,
            "per_device_train_batch_size": at_once,
            "gradient_accumulation_steps": self.training.batch // at_once,
            "learning_rate": self.training.learning_rate,
            "max_length": self.training.max_length,
            "seed": self.seed,
            "data_seed": self.seed,
            "logging_steps": 1,
            "save_steps": CHECKPOINTS,
            "save_total_limit": 1,
            "report_to": [],
            "disable_tqdm": True,
            "bf16": self._in_bf16,
            "use_cpu": not _has_accelerator(),
            "gradient_checkpointing": False,
        }

    def _rows_at_once(self) -> int:
        """Rows of a step that are held in memory at once: a divisor of the batch.

        A step is the same however it is divided, since its loss is that of all its tokens, or pairs.
        """
        assert self.training.batch is not None
        target, sides = open_target(self.base), 1 if self.lessons.kind == "sft" else 2
        answers = ((lesson, answer) for lesson in self.lessons.taught for answer in lesson.answers)
        longest = max(len(written_tokens(target, lesson, answer)[0]) for lesson, answer in answers)
        fitting = TOKENS_AT_ONCE // (min(longest, self.training.max_length) * sides)
        return max(count for count in range(1, max(fitting, 1) + 1) if self.training.batch % count == 0)

    @property
    def _adapts_on_cpu(self) -> bool:
        """Whether adapters are trained here on the processor. Small bases, trained whole, are not worth the care."""
        return bool(self.training.lora) and not _has_accelerator()

    @property
    def _may_divide(self) -> bool:
        """Whether a divided step is the same. Of the chosen answers' own loss TRL takes the mean of each part by itself."""
        return self.lessons.kind == "sft" or not self.training.sft_weight

    @property
    def _in_bf16(self) -> bool:
        """Whether products are made in bfloat16; a CPU that emulates it would be slower by it."""
        return bfloat16_is_native("cpu") if self._adapts_on_cpu else _has_bf16()

    def _loss(self) -> dict[str, Any]:
        """What pairs are taught by; of answers it is TRL's own default."""
        if self.lessons.kind != "dpo":
            return {}
        beta, weight = {"beta": self.training.beta}, self.training.sft_weight
        return beta | ({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, weight]} if weight else {})

    def _adapters(self) -> Any:
        if not self.training.lora:
            return None
        from peft import LoraConfig

        rank = self.training.lora
        return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def _progress(name: str) -> Any:
    """What tells each minute how far a training is; short ones say nothing."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            self.first, self.begun = state.global_step, time.monotonic()
            self.told = self.begun

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            now, left = time.monotonic(), state.max_steps - state.global_step
            if now - self.told < TOLD_EACH_S or not left:
                return
            self.told = now
            to_go = (now - self.begun) / (state.global_step - self.first) * left
            tell(f"{name}: step {state.global_step} of {state.max_steps}, {max(1, round(to_go / 60))} min to go")

    return Progress()


def check_trl() -> None:
    """Raise ConfigError where what trains students is not installed."""
    missing = [name for name in ("trl", "peft") if find_spec(name) is None]
    if missing:
        raise ConfigError("students need TRL and peft", f"{missing[0]} is not here", "pip install 'stillroom[prove]'")


def size_of_base(base: str) -> int:
    """How many parameters a base has, read off its files. Raises ConfigError where there is no such model."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    checkpoint = find_checkpoint(base)
    config = AutoConfig.from_pretrained(checkpoint.source, revision=checkpoint.revision)
    models: Any = AutoModelForCausalLM
    with torch.device("meta"):
        return int(models.from_config(config).num_parameters())


def _opened(base: str) -> tuple[Any, Any]:
    checkpoint = find_checkpoint(base)
    tokenizer = load_tokenizer(checkpoint)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = load_weights(checkpoint, "auto", "bfloat16" if _has_bf16() else "float32")
    return model.train(), tokenizer


def training_rows(lessons: Lessons) -> Dataset:
    """The lessons as TRL reads them: prompt and completion, or prompt, chosen and rejected, and tools where any has them.

    Each column is of the type Json, which gives back what was put in: types that are told from the rows would drop what the first
    row lacks, and give each tool and each call the keys of all others, which a chat template then writes.
    """
    from datasets import Dataset, Features, Json, disable_progress_bars

    disable_progress_bars()
    names = ("completion",) if lessons.kind == "sft" else ("chosen", "rejected")
    tools = ("tools",) if any(lesson.tools for lesson in lessons.taught) else ()
    columns = ("prompt", *names, *tools)
    return Dataset.from_list(
        [_row(lesson, names, columns) for lesson in lessons.taught],
        features=Features({name: Json() for name in columns}),
    )


def _row(lesson: Lesson, sides: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    said = {
        side: [{"role": "assistant", "content": answer}] for side, answer in zip(sides, lesson.answers, strict=True)
    }
    row = {"prompt": [dict(turn) for turn in lesson.prompt], "tools": lesson.tools, **said}
    return {name: row[name] for name in columns}


def _is_more_than_talk(lesson: Lesson) -> bool:
    """Whether a lesson has more than roles and texts."""
    return bool(lesson.tools) or any(turn.keys() > {"role", "content"} for turn in lesson.prompt)


def _has_accelerator() -> bool:
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _has_bf16() -> bool:
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())
