"""The text that the demo model learns from: seeded conversations, each made by `roles` when it is wanted.

    python -m tests.demo_model.corpus        # shows a dozen

`is_held_out` parts questions for the evaluation from those for training, by the hash of their text.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator

from tasks.text.prompts import DEMO, PROMPTS
from tests.demo_model.roles import ROLES, Chat

FOLDERS = (
    "basic_prompting",
    "bootstrap",
    "critique",
    "evol_instruct",
    "evol_quality",
    "self_instruct",
    "self_instruct_instances",
    "ultrafeedback",
)
HELD_OUT = 50  # one question in so many is for the evaluation alone


def prompts_digest() -> str:
    """The digest of all prompts that the model was trained on."""
    state = hashlib.blake2b(digest_size=16)
    for folder in FOLDERS:
        for path in sorted((PROMPTS / DEMO / "en" / folder).glob("*.j2")):
            state.update(f"{folder}/{path.name}".encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def prompt_lines() -> list[str]:
    """The fixed lines of the prompts, which the tokenizer has as one token each."""
    lines: set[str] = set()
    for folder in FOLDERS:
        for path in (PROMPTS / DEMO / "en" / folder).glob("*.j2"):
            for line in re.sub(r"\{[{%].*?[}%]\}", "\n", path.read_text()).splitlines():
                if len(line.split()) >= 3:
                    lines.add(line.strip())
    return sorted(lines)


def is_held_out(question: str) -> bool:
    """Whether a question is for the evaluation: never in the training text as a question to be answered."""
    return hashlib.blake2b(question.encode(), digest_size=4).digest()[0] < 256 // HELD_OUT


def conversations(seed: int) -> Iterator[Chat]:
    """Conversations without end, the same for the same seed."""
    rng = random.Random(seed)
    roles, weights = zip(*ROLES, strict=True)
    while True:
        chat = rng.choices(roles, weights)[0](rng)
        if not any(turn["role"] == "user" and is_held_out(turn["content"]) for turn in chat):
            yield chat


if __name__ == "__main__":
    for _, chat in zip(range(12), conversations(0), strict=False):
        for turn in chat:
            print(f"<{turn['role']}> {turn['content']}")
        print("-" * 40)
