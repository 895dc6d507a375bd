"""The `stillroom` command with a scripted model in the place of every model that a user names.

python -m tests.docs.stand_in sft --seeds seeds.jsonl --model Qwen/Qwen3-8B@http://127.0.0.1:8000/v1
"""

from __future__ import annotations

import re

from tasks.engine import process
from tasks.models.base import Model, Request
from tasks.models.config import ModelConfig
from tasks.models.embed.ngrams import ngrams
from tasks.models.scripted import ScriptedModel
from tests.flows.test_instruction_sft import rule
from tests.flows.test_preference_dpo import judged

OF_INSTRUCTIONS = (
    "One request per line",
    "Reply with the rewritten",
    "Reply with the new",
    "equal or different",
    "Requests wanted:",
    "First:\n<instruction>",
)


def answer(request: Request) -> str:
    """Plays every role of both pipelines."""
    text = request.messages[-1]["content"] if request.messages else ""
    if "digit from 1 to 6" in text:
        return "4"
    if "number from 1 to 6" in text:
        shown = re.findall(r"^<?((?:instruction|response) \d+)(?:>$|: (?!a ))", text, re.MULTILINE | re.IGNORECASE)
        return "\n".join(f"{label}: 4" for label in shown)
    to_rewrite = text.startswith("<instruction>") and "<response" not in text
    is_of_instructions = not text or to_rewrite or any(words in text for words in OF_INSTRUCTIONS)
    return rule(request) if is_of_instructions else judged(request)


def stand_in(config: ModelConfig) -> Model:
    """A scripted model under the name of the one that it stands in for."""
    return ngrams() if config.name == "ngrams" else ScriptedModel(answer, name=config.name)


if __name__ == "__main__":
    from flows.command.main import main

    process.open_model = stand_in
    main()
