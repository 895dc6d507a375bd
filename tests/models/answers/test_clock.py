"""The date that a chat template prints is part of the prompt and of no key: it stands still, or is told and in the key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.models.base import Message
from tasks.models.config import ModelConfig
from tasks.models.local.draft import Codec
from tasks.models.local.local import load_local
from tests.models.answers.templates import PLAIN, TEMPLATES, with_template
from tests.models.answers.templates import tokenizer as template_of
from tests.models.tiny import save_tiny_model

ASKED: tuple[Message, ...] = ({"role": "user", "content": "Hi"},)
DATED = [name for name in PLAIN if "strftime_now" in TEMPLATES[name]["chat_template"]]


def prompt(tokenizer: Any, today: date | None = None, tools: Sequence[Any] = ()) -> str:
    return Codec(tokenizer, today=today)._rendered(ASKED, tools, "model")


@pytest.mark.parametrize("name", DATED)
def test_a_local_model_reads_the_same_prompt_every_day(name: str) -> None:
    now = date.today()
    frozen = prompt(template_of(name))
    assert "2025" in frozen and not any(now.strftime(said) in frozen for said in ("%Y-%m-%d", "%d %b %Y", "%d %B %Y"))
    assert "2031" in prompt(template_of(name), date(2031, 5, 9))


def test_gpt_oss_is_told_the_frozen_date() -> None:
    assert "Current date: 2025-01-02" in prompt(template_of("openai-gpt-oss-120b"))


def test_a_template_for_tools_has_the_same_clock() -> None:
    dated = "{% for m in messages %}{{ m.content }}{% endfor %} WHICH {{ strftime_now('%Y-%m-%d') }}"
    both: Any = {name: dated.replace("WHICH", name) for name in ("default", "tool_use")}
    assert prompt(with_template(both)) == "Hi default 2025-01-02"
    assert prompt(with_template(both), tools=[{"type": "function"}]) == "Hi tool_use 2025-01-02"


def test_a_date_that_is_told_is_in_the_identity_and_none_changes_nothing(tmp_path: Path) -> None:
    folder = str(save_tiny_model(tmp_path))
    identities = [
        load_local(ModelConfig(name=folder, today=today)).identity for today in (None, "2026-01-01", "2026-01-02")
    ]
    bare = load_local(ModelConfig(name=folder))
    assert len(set(identities)) == 3 and identities[0] == bare.identity == bare._tokenizer.checkpoint.identity
