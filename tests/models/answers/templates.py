"""The chat templates of 2024 to 2026, and tokenizers of one word that have them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "data/chat_templates_2026/chat_templates.jsonl"
TEMPLATES = {row["name"]: row for row in map(json.loads, FILE.read_text(encoding="utf-8").strip().split("\n"))}
PLAIN = [name for name, row in TEMPLATES.items() if not row["refused_without_tools"]]


@cache
def tokenizer(name: str) -> Any:
    """A real transformers tokenizer with this chat template, and none of its model's tokens."""
    return with_template(TEMPLATES[name]["chat_template"], name)


def with_template(template: str, name: str = "test") -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0})),
        chat_template=template,
        name_or_path=name,
        bos_token="<BOS>",
        eos_token="<EOS>",
    )
