"""How many tokens a text has for a model: by its tokenizer alone, no weights.

token_count("Why do cats purr?", "HuggingFaceTB/SmolLM2-1.7B-Instruct")
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError, first_line
from tasks.models.open import BUILT_IN


def token_count(text: str, model: str) -> int:
    """The tokens of a text without those that a template adds. Raises ConfigError where the model has no tokenizer."""
    return len(tokenizer_of(model).encode(text, add_special_tokens=False).ids)


@cache
def tokenizer_of(model: str) -> Any:
    """The tokenizer of a folder or of a name on the Hub. Raises ConfigError where there is none."""
    from tokenizers import Tokenizer

    folder = BUILT_IN.get(model, Path(model))
    try:
        if folder.is_dir():
            return Tokenizer.from_file(str(folder / "tokenizer.json"))
        return Tokenizer.from_pretrained(model)
    except Exception as error:  # the library raises plain Exception for every fault
        raise ConfigError("no tokenizer to count tokens with", model, first_line(error)) from error
