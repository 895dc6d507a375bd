"""TRL's trainers take what the flows publish: one step each on a tiny model, with no column dropped and no row lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

CASES = Path(__file__).parents[1] / "data" / "cases"
pytest.importorskip("trl", reason="needs the extra trl")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def loaded(folder: str, tmp_path: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(tmp_path / folder), split="train", cache_dir=str(tmp_path / "cache"))


def tiny(tmp_path: Path) -> tuple[str, Any]:
    from transformers import AutoTokenizer

    from tests.models.tiny import save_tiny_model

    folder = str(save_tiny_model(tmp_path / "model"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    return folder, tokenizer


def arguments(tmp_path: Path) -> dict[str, Any]:
    return {"output_dir": str(tmp_path / "trained"), "max_steps": 1, "per_device_train_batch_size": 2, "report_to": [],
            "use_cpu": True, "bf16": False, "save_strategy": "no", "disable_tqdm": True}  # fmt: skip


def test_sft_trainer_takes_the_sft_dataset(scripted: Scripted, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    scripted(rule)
    summary = sft(recipe="respond", seeds=[f"question {i}" for i in range(8)])
    rows = loaded("out", tmp_path)
    model, tokenizer = tiny(tmp_path)
    trainer = SFTTrainer(model, SFTConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == rows.num_rows == summary["rows"] == 8
    assert trainer.train().global_step == 1


def test_sft_trainer_takes_conversations_with_tools(scripted: Scripted, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    scripted(rule)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    talks = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    sft(recipe="respond", seeds=[talks[0] | {"tools": tools}, talks[1]])
    rows = loaded("out", tmp_path)
    model, tokenizer = tiny(tmp_path)
    tokenizer.chat_template = (
        "{{ tools | tojson if tools }}{% for m in messages %}{{ m.role }}:{{ m.content or '' }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments }}){% endfor %}|{% endfor %}"
    )
    trainer = SFTTrainer(model, SFTConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    text = tokenizer.decode(trainer.train_dataset[0]["input_ids"])
    assert text.startswith("[{") and 'weather({"city":"Hue"})|tool:31 C|' in text
    assert trainer.train().global_step == 1


def test_dpo_trainer_takes_the_dpo_dataset(scripted: Scripted, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    scripted(judged)
    summary = dpo(recipe="basic", instructions=[f"question {i}" for i in range(12)])
    rows = loaded("pairs", tmp_path)
    model, tokenizer = tiny(tmp_path)
    trainer = DPOTrainer(model, args=DPOConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == rows.num_rows == summary["rows"] > 2
    assert trainer.train().global_step == 1


def test_reward_trainer_takes_the_dpo_dataset(scripted: Scripted, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    scripted(judged)
    summary = dpo(recipe="basic", instructions=[f"question {i}" for i in range(12)])
    rows = loaded("pairs", tmp_path)
    folder, tokenizer = tiny(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=1, pad_token_id=tokenizer.pad_token_id
    )
    trainer = RewardTrainer(
        model, args=RewardConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer
    )
    assert len(trainer.train_dataset) == rows.num_rows == summary["rows"]
    assert trainer.train().global_step == 1
