"""TRL's trainers take what the flows publish: one step each on a tiny model, with no column dropped and no row lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.publish.formats.all_formats import in_format
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.publish.test_reinforcement import rows

CASES = Path(__file__).parents[1] / "data" / "cases"
pytest.importorskip("trl", reason="needs the extra prove")
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
    return {
        "output_dir": str(tmp_path / "trained"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "disable_tqdm": True,
    }


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


def test_kto_trainer_takes_pairs_as_rows_of_their_own(scripted: Scripted, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    scripted(judged)
    summary = dpo(recipe="basic", instructions=[f"question {i}" for i in range(12)], format="kto")
    rows = loaded("pairs", tmp_path)
    model, tokenizer = tiny(tmp_path)
    trainer = KTOTrainer(model, args=KTOConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == rows.num_rows == summary["rows"] > 2
    assert trainer.train().global_step == 1


def test_sft_trainer_gives_the_template_what_each_row_says_of_its_mode(scripted: Scripted, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    from tests.publish.test_export import thinking

    scripted(thinking)
    seeds = [f"q {i}" for i in range(3)]
    sft(recipe="respond", seeds=seeds, reasoning="reasoning_content", reasoning_modes=True)
    rows = loaded("out", tmp_path)
    model, tokenizer = tiny(tmp_path)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}:{% if enable_thinking and m.reasoning_content %}[{{ m.reasoning_content }}]"
        "{% endif %}{{ m.content }}|{% endfor %}"
    )
    trainer = SFTTrainer(model, SFTConfig(**arguments(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    texts = [tokenizer.decode(row["input_ids"]) for row in trainer.train_dataset]
    assert [text.removesuffix(tokenizer.eos_token or "") for text in texts] == [
        "user:q 0|assistant:to q 0|",
        "user:q 1|assistant:[I think of q 1]to q 1|",
        "user:q 1|assistant:to q 1|",
        "user:q 2|assistant:[I think of q 2]to q 2|",
        "user:q 2|assistant:to q 2|",
    ]
    assert trainer.train().global_step == 1


def test_grpo_trainer_takes_problems_and_gives_their_answers_to_the_rewards(tmp_path: Path) -> None:
    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer

    (tmp_path / "out").mkdir()
    next(in_format([rows(*["11"] * 4, pass_rate=0.5)], "sft", "grpo", Counter())).write_parquet(
        tmp_path / "out/train.parquet"
    )
    problems = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    model, tokenizer = tiny(tmp_path)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}|{% endfor %}"
    told: list[tuple[Any, ...]] = []

    def right(completions: list[Any], ground_truth: Any, verifier: Any, pass_rate: Any, **_: Any) -> list[float]:
        told.append((*ground_truth, *verifier, *pass_rate))
        return [float(len(str(one))) for one in completions]

    config = GRPOConfig(**arguments(tmp_path), num_generations=2, max_completion_length=4)
    trainer = GRPOTrainer(model, right, args=config, train_dataset=problems, processing_class=tokenizer)
    assert trainer.train().global_step == 1
    assert told == [("11", "11", "answer", "answer", 0.5, 0.5)]
